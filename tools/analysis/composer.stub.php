<?php

/**
 * Classes of Composer that the analysed Composer lacks, for `mago analyze`. They hold the members
 * that the plugin uses.
 */

namespace Composer\DependencyResolver {
    /**
     * The running Composer's solver under another name: `Allegro\Plugin\Resolve\SolverClass` makes
     * it.
     */
    class ComposerSolver extends Solver
    {
    }
}

namespace Composer\Repository {
    /**
     * Exists since Composer 2.9.
     */
    interface FilterListProviderInterface
    {
        public function hasFilter(): bool;

        /**
         * @return list<string>
         */
        public function getFilterLists(): array;
    }
}

namespace Composer\Policy {
    /**
     * Exists since Composer 2.10.
     */
    class PolicyConfig
    {
        public AdvisoriesPolicyConfig $advisories;

        public IgnoreUnreachable $ignoreUnreachable;

        public static function fromConfig(\Composer\Config $config): self
        {
        }
    }

    class AdvisoriesPolicyConfig
    {
        /**
         * @return array<string, mixed>
         */
        public function getIgnoreListForOperation(string $operation): array
        {
        }

        /**
         * @return array<string, mixed>
         */
        public function getIgnoreSeverityForOperation(string $operation): array
        {
        }
    }

    class IgnoreUnreachable
    {
        public bool $audit;
    }
}
