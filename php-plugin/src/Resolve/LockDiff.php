<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;

/**
 * Describes the differences between two states of a lock. The native part compares them.
 *
 * @phpstan-import-type Lock from Trial
 * @phpstan-import-type LockDiffFormat from Protocol
 * @phpstan-import-type LockEntry from Protocol
 * @phpstan-import-type LockedPackage from ParentFiles
 */
final class LockDiff
{
    public const FORMATS = ['text', 'md', 'json'];

    /**
     * Returns the text of the changes from one lock to another.
     *
     * @param Lock|null      $before  data of the old lock; null if there was none
     * @param Lock           $after   data of the new lock
     * @param list<string>   $gitlabs hosts of GitLab, as in `gitlab-domains`
     * @param LockDiffFormat $format
     *
     * @throws EngineException
     */
    public static function describe(Engine $engine, ?array $before, array $after, array $gitlabs, string $format): string
    {
        return InterruptedException::outlive(static fn (): string => $engine->lockDiff([
            'before' => self::entries($before ?? []),
            'after' => self::entries($after),
            'gitlab_domains' => $gitlabs,
            'format' => $format,
        ]));
    }

    /**
     * @param Lock|array{} $lock
     *
     * @return list<LockEntry>
     */
    private static function entries(array $lock): array
    {
        $entries = [];
        foreach (['packages' => false, 'packages-dev' => true] as $list => $isDev) {
            /** @var list<LockedPackage> $packages */
            $packages = $lock[$list] ?? [];
            foreach ($packages as $package) {
                $entries[] = [
                    'name' => $package['name'],
                    'version' => $package['version'],
                    'is_dev' => $isDev,
                    'url' => $package['source']['url'] ?? null,
                    'source_reference' => $package['source']['reference'] ?? null,
                    'dist_reference' => $package['dist']['reference'] ?? null,
                ];
            }
        }

        return $entries;
    }
}
