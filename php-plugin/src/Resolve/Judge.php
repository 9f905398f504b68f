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
 * Asks the native part why requirements can't be met, and which change helps.
 *
 * @phpstan-import-type OverriddenPlatform from Protocol
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
     * Starts the search for a remedy in the background, and returns a callable that waits for it.
     * Meanwhile Composer itself finds out that there is no solution, which takes as long.
     *
     * @param ResolveRequest $question a problem without a solution
     *
     * @throws EngineException
     *
     * @return callable(): list<string> lines for the console; throws EngineException
     */
    public function meanwhile(array $question): callable
    {
        $question['problem']['written'] = $this->written();
        $question['problem']['overridden'] = $this->overridden();
        $answer = $this->engine->resolveMeanwhile($question);

        return static fn (): array => array_map([OutputFormatter::class, 'escape'], InterruptedException::outlive($answer)['lines'] ?? []);
    }

    /**
     * Returns the project's requirements as they are written, by name.
     *
     * @return list<array{string, string}>
     */
    private function written(): array
    {
        $written = [];
        $root = $this->composer->getPackage();
        foreach ([...array_values($root->getRequires()), ...array_values($root->getDevRequires())] as $link) {
            $written[$link->getTarget()] = [$link->getTarget(), $link->getPrettyConstraint()];
        }

        return array_values($written);
    }

    /**
     * Returns the platform packages whose version the project's configuration states, with the
     * version that the machine has.
     *
     * @return list<OverriddenPlatform>
     */
    private function overridden(): array
    {
        /** @var array<string, string|false> $overrides */
        $overrides = $this->composer->getConfig()->get('platform');
        // @mago-expect analysis:redundant-cast Composer doesn't check the setting's type.
        $names = array_keys(array_filter((array) $overrides, 'is_string'));
        // The detection of the platform takes time, so only projects with overrides pay for it.
        $machine = $names === [] ? null : new PlatformRepository();
        $overridden = [];
        foreach (array_map('strval', $names) as $name) {
            $real = $machine?->findPackage($name, '*');
            $overridden[] = ['name' => $name, 'real' => $real === null ? null : [$real->getVersion(), $real->getPrettyVersion()]];
        }

        return $overridden;
    }
}
