<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Native\Protocol;

/**
 * Describes a package that the native part has made in the staging directory.
 *
 * @phpstan-import-type Dist from Protocol
 * @phpstan-import-type Made from Protocol
 */
final class Staged
{
    /**
     * @param string    $directory the complete package directory, until it is moved away
     * @param bool      $hasFiles  whether the package holds any file
     * @param bool      $isShared  whether its files may be hard links into the store
     * @param Dist      $dist      the dist, as in the request
     * @param Made|null $made      the time of the files; null if it isn't known
     */
    public function __construct(
        public readonly string $directory,
        public readonly bool $hasFiles,
        public readonly bool $isShared,
        public readonly array $dist,
        public readonly ?array $made,
    ) {
    }
}
