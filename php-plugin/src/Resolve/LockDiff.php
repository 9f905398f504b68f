<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;

/**
 * Describes what differs between two states of a lock. The native part compares them.
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
     * @param Lock|null      $before  data of the lock, or null if there was none
     * @param Lock           $after
     * @param list<string>   $gitlabs hosts, as in `gitlab-domains`
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
