<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Composer\Composer;
use Composer\Repository\PlatformRepository;
use Symfony\Component\Console\Formatter\OutputFormatter;

/**
 * Puts what the native part has found out about requirements that can't be met into words. Where nobody has a name, it
 * looks for names that are written much like it, and tries them; where `config.platform` stands against it, it tries what
 * the machine really has.
 */
final class Judge
{
    public function __construct(
        private readonly Composer $composer,
        private readonly Engine $engine,
    ) {
    }

    /**
     * @return array<string, string> the project's requirements as they are written, by name
     */
    public function written(): array
    {
        $written = [];
        $root = $this->composer->getPackage();
        foreach (array_merge(array_values($root->getRequires()), array_values($root->getDevRequires())) as $link) {
            $written[$link->getTarget()] = $link->getPrettyConstraint();
        }

        return $written;
    }

    /**
     * @param array<string, mixed> $answer   `ResolveAnswer` of the core
     * @param array<string, mixed> $question `ResolveRequest` of the core
     *
     * @throws EngineException
     *
     * @return list<string> lines for the console; none if it isn't that the requirements can't be met
     */
    public function lines(array $answer, array $question): array
    {
        if ($answer['outcome'] !== 'unsolvable' || !is_array($answer['verdict'] ?? null)) {
            return [];
        }
        $platform = array_filter((array) $this->composer->getConfig()->get('platform'), 'is_string');
        $verdict = new Verdict($answer['verdict'], $this->written(), $platform);
        $missing = $verdict->missingName();
        $nearest = $missing === null ? [] : NearestNames::of($missing, self::names($question));
        $instead = $missing === null ? null : $this->firstThatWorks($missing, $nearest, $question);

        $real = $this->realThatWorks($verdict->overriddenName(), $question);

        return array_map([OutputFormatter::class, 'escape'], $verdict->lines($nearest, $instead, $real));
    }

    /**
     * Names that this machine has heard of.
     *
     * @param array<string, mixed> $question
     *
     * @return list<string>
     */
    private static function names(array $question): array
    {
        $lists = [array_column($question['problem']['locked'], 'name')];
        foreach ($question['problem']['repositories'] as $index => $repository) {
            $lists[] = $repository['available'] ?? [];
            $lists[] = array_column($repository['packages'] ?? [], 'name');
            $lists[] = NearestNames::inCache((string) ($question['sources'][$index]['cache_dir'] ?? ''));
        }

        return array_merge(...$lists);
    }

    /**
     * @param list<string>         $names
     * @param array<string, mixed> $question
     *
     * @throws EngineException
     */
    private function firstThatWorks(string $missing, array $names, array $question): ?string
    {
        $requires = $question['problem']['requires'];
        foreach ($names as $name) {
            $question['problem']['requires'] = array_map(
                static fn (array $require): array => $require[0] === $missing ? [$name, $require[1]] : $require,
                $requires
            );
            if ($this->works($question)) {
                return $name;
            }
        }

        return null;
    }

    /**
     * The version of a platform package that the machine has, if that would do.
     *
     * @param array<string, mixed> $question
     *
     * @throws EngineException
     */
    private function realThatWorks(?string $name, array $question): ?string
    {
        $real = $name === null ? null : (new PlatformRepository())->findPackage($name, '*');
        if ($real === null) {
            return null;
        }
        $question['problem']['fixed'] = array_map(
            static fn (array $package): array => $package['name'] === $name ? ['version' => $real->getVersion()] + $package : $package,
            $question['problem']['fixed']
        );

        return $this->works($question) ? $real->getPrettyVersion() : null;
    }

    /**
     * @param array<string, mixed> $question
     *
     * @throws EngineException
     */
    private function works(array $question): bool
    {
        // Without a verdict of its own.
        $question['problem']['written'] = [];

        return InterruptedException::outlive(fn (): array => $this->engine->resolve($question, null))['outcome'] === 'solved';
    }
}
