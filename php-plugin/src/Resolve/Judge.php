<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Composer\Composer;
use Composer\Repository\PlatformRepository;
use Symfony\Component\Console\Formatter\OutputFormatter;

/**
 * Puts what the native part has found out about requirements that can't be met into words. Where nobody has a name, it
 * looks for names that are written much like it, and tries them; where `config.platform` stands against it, it tries what
 * the machine really has.
 *
 * @phpstan-import-type ResolveAnswer from Protocol
 * @phpstan-import-type ResolveRequest from Protocol
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
     * The question, without what helps if there is no solution.
     *
     * @param ResolveRequest $question
     *
     * @return ResolveRequest
     */
    public static function brief(array $question): array
    {
        $question['problem']['written'] = [];

        return $question;
    }

    /**
     * Looks for what helps while Composer finds out that there is no solution, which takes it as long.
     *
     * @param ResolveRequest $question
     *
     * @throws EngineException
     *
     * @return callable(): list<string> lines for the console; none if there is a solution; throws EngineException
     */
    public function meanwhile(array $question): callable
    {
        $answer = $this->engine->resolveMeanwhile($question);

        return fn (): array => $this->lines(InterruptedException::outlive($answer), $question);
    }

    /**
     * @param ResolveAnswer  $answer
     * @param ResolveRequest $question
     *
     * @throws EngineException
     *
     * @return list<string>
     */
    private function lines(array $answer, array $question): array
    {
        if ($answer['outcome'] !== 'unsolvable' || !is_array($answer['verdict'] ?? null)) {
            return [];
        }
        $platform = array_filter((array) $this->composer->getConfig()->get('platform'), 'is_string');
        $verdict = new Verdict($answer['verdict'], $this->written(), $platform);
        $missing = $verdict->missingName();
        // One that is required already is no slip of the fingers.
        $nearest = $missing === null ? [] : NearestNames::of($missing, array_diff(self::names($question), array_keys($this->written())));
        $instead = $missing === null ? null : $this->firstThatWorks($missing, $nearest, $question);
        $real = $this->realThatWorks($verdict->overriddenName(), $question);

        return array_map([OutputFormatter::class, 'escape'], $verdict->lines($nearest, $instead, $real));
    }

    /**
     * Names that this machine has heard of.
     *
     * @param ResolveRequest $question
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
     * The first of some names with which it works in place of one that nobody has; else the first one with the constraint
     * that it takes.
     *
     * @param list<string>   $names
     * @param ResolveRequest $question
     *
     * @throws EngineException
     *
     * @return array{string, string}|null name and constraint
     */
    private function firstThatWorks(string $missing, array $names, array $question): ?array
    {
        $other = null;
        foreach ($names as $place => $name) {
            $renamed = self::renamed($missing, $name, $question);
            $answer = $this->ask($renamed, $place === 0);
            if ($answer['outcome'] === 'solved') {
                return [$name, $this->written()[$missing] ?? '*'];
            }
            $change = $answer['verdict']['change'] ?? [];
            if (count($change) === 1 && $change[0]['kind'] === 'require' && $change[0]['name'] === $name) {
                $other = [$name, $change[0]['constraint']];
            }
        }

        return $other;
    }

    /**
     * The question with another name for a requirement of the project.
     *
     * @param ResolveRequest $question
     *
     * @return ResolveRequest
     */
    private static function renamed(string $from, string $to, array $question): array
    {
        foreach (['requires', 'written', 'stability_flags', 'root_aliases', 'temporary'] as $list) {
            foreach ($question['problem'][$list] as $place => $entry) {
                if ($entry[0] === $from) {
                    $question['problem'][$list][$place][0] = $to;
                }
            }
        }

        return $question;
    }

    /**
     * The version of a platform package that the machine has, if that would do.
     *
     * @param ResolveRequest $question
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

        return $this->ask($question)['outcome'] === 'solved' ? $real->getPrettyVersion() : null;
    }

    /**
     * @param ResolveRequest $question
     *
     * @throws EngineException
     *
     * @return ResolveAnswer with a verdict only if one is wanted
     */
    private function ask(array $question, bool $withVerdict = false): array
    {
        $question = $withVerdict ? $question : self::brief($question);

        return InterruptedException::outlive(fn (): array => $this->engine->resolve($question, null));
    }
}
