<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\Advisories;
use Allegro\Plugin\Resolve\SettingException;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Advisory\SecurityAdvisory;
use Composer\Config;
use Composer\Repository\AdvisoryProviderInterface;
use Composer\Repository\ArrayRepository;
use Composer\Semver\VersionParser;

final class AdvisoriesTest extends TestCase
{
    /**
     * @param array<string, mixed> $audit
     */
    private static function of(array $audit, ?\Exception $trouble = null): Advisories
    {
        $repository = new class ($trouble) extends ArrayRepository implements AdvisoryProviderInterface {
            public int $asked = 0;

            public function __construct(private readonly ?\Exception $trouble)
            {
                parent::__construct();
            }

            public function hasSecurityAdvisories(): bool
            {
                return true;
            }

            public function getSecurityAdvisories(array $packageConstraintMap, bool $allowPartialAdvisories = false): array
            {
                if ($this->trouble !== null) {
                    throw $this->trouble;
                }
                $advisories = [];
                foreach (array_keys($packageConstraintMap) as $name) {
                    $affected = (new VersionParser())->parseConstraints('>=1.0,<1.2');
                    $advisories[$name] = [new SecurityAdvisory($name, 'PKSA-1', $affected, "Bad\n<b>", [['name' => 's', 'remoteId' => 'GHSA-1']], new \DateTimeImmutable(), 'CVE-1', 'https://example.org/1')];
                }

                return ['namesFound' => array_keys($advisories), 'advisories' => $advisories];
            }
        };
        $config = new Config(false);
        $config->merge(['config' => ['audit' => $audit]]);

        return new Advisories([$repository], $config);
    }

    /**
     * @return iterable<string, array{mixed, int}>
     */
    public function ignored(): iterable
    {
        yield 'nothing' => [[], 1];
        yield 'another' => [['CVE-2', 'b/b'], 1];
        yield 'a CVE' => [['CVE-1'], 0];
        yield 'an identifier, with a reason' => [['PKSA-1' => 'why'], 0];
        yield 'that of a source' => [['GHSA-1' => null], 0];
        yield 'for audits' => [['CVE-1' => ['apply' => 'audit']], 0];
    }

    /**
     * @dataProvider ignored
     */
    public function testWhatAuditsIgnoreDoesNotCount(mixed $ignore, int $count): void
    {
        $advisories = self::of(['ignore' => $ignore]);
        $advisories->load(['a/a']);
        self::assertCount($count, $advisories->against('a/a', '1.1.0.0'));
        self::assertSame([], $advisories->against('a/a', '1.2.0.0'));
        self::assertSame([], $advisories->against('b/b', '1.1.0.0'), 'nobody asked');
    }

    public function testTroubleIsSaidWithoutCredentials(): void
    {
        $advisories = self::of([], new \RuntimeException('could not reach https://me:secret@example.org/'));
        $this->expectException(SettingException::class);
        $this->expectExceptionMessageMatches('{^The security advisories can not be had: could not reach https://(?!.*secret)}s');
        $advisories->load(['a/a']);
    }

    public function testARepositoryThatOffersNoneIsNotEnough(): void
    {
        $this->expectException(SettingException::class);
        $this->expectExceptionMessage('No repository of this project offers security advisories');
        new Advisories([new ArrayRepository()], new Config(false));
    }

    public function testTextOfOthersIsHarmless(): void
    {
        $advisories = self::of([]);
        $advisories->load(['a/a']);
        [$first, $second] = Advisories::lines($advisories->against('a/a', '1.1.0.0')[0]);
        self::assertStringContainsString('>PKSA-1</>, <href=https://www.cve.org/CVERecord?id=CVE-1>CVE-1</>', $first);
        self::assertStringEndsWith('Bad \\<b>', str_replace('\\>', '>', $first));
        self::assertSame('<href=https://example.org/1>https://example.org/1</>', $second);
    }
}
