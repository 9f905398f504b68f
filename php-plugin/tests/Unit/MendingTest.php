<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Resolve\Advisories;
use Allegro\Plugin\Resolve\Mending;
use Allegro\Plugin\Resolve\Trial;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\Shapes;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Advisory\SecurityAdvisory;
use Composer\Command\UpdateCommand;
use Composer\Package\Link;
use Composer\Package\Package;
use Composer\Package\PackageInterface;
use Composer\Repository\AdvisoryProviderInterface;
use Composer\Repository\ArrayRepository;
use Composer\Repository\RepositoryInterface;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Input\InputInterface;

/**
 * The steps of a native search for an update, as Composer carries them out.
 */
final class MendingTest extends TestCase
{
    private static function package(string $name, string $pretty): Package
    {
        $package = new Package($name, (new VersionParser())->normalize($pretty), $pretty);
        $package->setSourceReference('ref-'.$pretty);

        return $package;
    }

    /**
     * Returns a repository with an advisory on the versions of each package below 1.2.
     */
    private static function repository(Package ...$packages): RepositoryInterface
    {
        return new class (array_values($packages)) extends ArrayRepository implements AdvisoryProviderInterface {
            public function hasSecurityAdvisories(): bool
            {
                return true;
            }

            public function getSecurityAdvisories(array $packageConstraintMap, bool $allowPartialAdvisories = false): array
            {
                $affected = (new VersionParser())->parseConstraints('<1.2');
                $advisory = static fn (string $name): array => [new SecurityAdvisory($name, 'PKSA-1', $affected, 'Bad', [['name' => 's', 'remoteId' => 'G']], new \DateTimeImmutable())];
                $names = array_keys($packageConstraintMap);

                return ['namesFound' => $names, 'advisories' => array_combine($names, array_map($advisory, $names))];
            }
        };
    }

    public function testTheStepsOfASearch(): void
    {
        $project = new Project($this->dir.'/project');
        $entries = [
            ['name' => 'acme/one', 'version' => 'v1.3.0', 'source' => ['type' => 'git', 'url' => '/', 'reference' => 'new']],
            ['name' => 'acme/three', 'version' => '1.1', 'dist' => ['type' => 'zip', 'url' => '/', 'reference' => 'third']],
        ];
        file_put_contents($project->dir.'/composer.lock', json_encode(['packages' => $entries, 'packages-dev' => [], 'content-hash' => ''], JSON_THROW_ON_ERROR));
        $root = $project->composer->getPackage();
        $constraint = (new VersionParser())->parseConstraints('^1.0');
        $root->setRequires(['acme/one' => new Link('acme/root', 'acme/one', $constraint, Link::TYPE_REQUIRE, '^1.0')]);
        $two = self::package('acme/two', '1.5.0');
        $two->setRequires([
            'acme/one' => new Link('acme/two', 'acme/one', $constraint, Link::TYPE_REQUIRE, '^1.0'),
            'acme/far' => new Link('acme/two', 'acme/far', $constraint, Link::TYPE_REQUIRE, '^1.0'),
        ]);
        $locked = ['acme/one' => self::package('acme/one', '1.0.0'), 'acme/two' => $two];
        $repository = self::repository(
            self::package('acme/one', 'v1.3.0'),
            self::package('acme/one', '1.2.0'),
            self::package('acme/one', '1.1.0'),
            self::package('acme/other', '1.3.0'),
        );
        $advisories = new Advisories([$repository], $project->composer->getConfig());
        $advisories->load(['acme/one', 'acme/two']);

        $command = new UpdateCommand();
        $runs = [];
        $update = static function (InputInterface $input) use (&$runs): int {
            $runs[] = [$input->getArgument('packages'), $input->getOption('with'), $input->getOption('prefer-lowest'), $input->getOption('dry-run')];

            return count($runs) === 1 ? 2 : 0;
        };
        $trial = new Trial($command, $project->composer, $project->io, new ArrayInput([], $command->getDefinition()), $update, null);

        $try = ['step' => 'try', 'packages' => ['acme/one'], 'with' => ['acme/one:==1.3.0.0'], 'with_all_dependencies' => false, 'ignore_policies' => false];
        $plan = ['step' => 'plan', 'packages' => ['acme/one'], 'with' => ['acme/one:==1.3.0.0'], 'reasons' => [['acme/one', 'none']]];
        $answers = [
            ['step' => 'filter', 'candidates' => [['acme/one', ['1.2.0.0', '1.3.0.0']]]],
            $try + ['prefer_lowest' => true, 'needs_advisories' => false],
            $try + ['prefer_lowest' => false, 'needs_advisories' => true],
            $plan,
        ];
        $requests = [];
        $engine = $this->createMock(Engine::class);
        $engine->expects(self::exactly(4))->method('mend')->willReturnCallback(static function (array $request) use (&$requests, &$answers): array {
            $requests[] = $request;

            return (array) array_shift($answers);
        });
        $allow = static fn (array $packages): array => array_values(array_filter($packages, static fn (PackageInterface $package): bool => $package->getPrettyVersion() === 'v1.3.0'));
        $mending = new Mending($engine, $root, $locked, $advisories, $trial, $allow);
        self::assertSame($plan, $mending->plan(['acme/one'], [$repository], ['acme/two' => '<2'], true));

        $shapes = new Shapes((string) file_get_contents(dirname(__DIR__, 2).'/src/Native/Protocol.php'));
        foreach ($requests as $request) {
            self::assertNull($shapes->misfit('MendRequest', $request));
        }
        $caret = ['and' => [['>=', '1.0.0.0-dev'], ['<', '2.0.0.0-dev']]];
        self::assertSame([
            'locked' => [
                ['name' => 'acme/one', 'version' => '1.0.0.0', 'pretty' => '1.0.0', 'reference' => 'ref-1.0.0', 'is_affected' => true, 'requires' => []],
                ['name' => 'acme/two', 'version' => '1.5.0.0', 'pretty' => '1.5.0', 'reference' => 'ref-1.5.0', 'is_affected' => false, 'requires' => [['acme/one', '^1.0', $caret]]],
            ],
            'requires' => [['acme/one', '^1.0', $caret]],
            'pinned' => [['acme/two', '<2', ['<', '2.0.0.0-dev']]],
            'affected' => [['name' => 'acme/one', 'versions' => [['1.3.0.0', 'v1.3.0'], ['1.2.0.0', '1.2.0']], 'parent' => null]],
            'has_policies' => true,
            'allowed' => [['acme/one', ['1.3.0.0']]],
            'results' => [
                null,
                [
                    ['name' => 'acme/one', 'version' => '1.3.0.0', 'reference' => 'new', 'is_affected' => false],
                    ['name' => 'acme/three', 'version' => '1.1.0.0', 'reference' => 'third', 'is_affected' => true],
                ],
            ],
        ], $requests[3]);
        self::assertSame([
            [['acme/one'], ['acme/one:==1.3.0.0'], true, true],
            [['acme/one'], ['acme/one:==1.3.0.0'], false, true],
        ], $runs);
    }
}
