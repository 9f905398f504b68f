<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * The native part, wherever it runs. Requests and answers are the wire types of the Rust core (`src/wire.rs`).
 */
interface Engine
{
    /** Grows when requests or answers change; the same number as `PROTOCOL` in the Rust core. */
    public const PROTOCOL = 8;

    /**
     * Work is about to come: what takes time to start may start now.
     *
     * @param int|null $requirements {@see resolve()} will be called, for a project that requires so many packages
     */
    public function warmUp(?int $requirements = null): void;

    /**
     * Makes packages ready in staging.
     *
     * @param array<string, mixed>                                $request
     * @param (callable(list<array<string, mixed>>): void)|null $onEvents
     *
     * @throws EngineException      if the native part fails as a whole
     * @throws InterruptedException if a signal arrived; its handler has run when this is caught
     *
     * @return array{packages: list<array<string, mixed>>, method: string|null, notices: list<string>, made: array{int, int}}
     */
    public function prepare(array $request, ?callable $onEvents): array;

    /**
     * Removes directories that were moved out of the way.
     *
     * @param list<string> $paths
     *
     * @throws EngineException
     *
     * @return list<string> what could not be removed, a sentence each
     */
    public function remove(array $paths): array;

    /**
     * Renames a file over another one and lets it keep the owner, group, mode and ACL of that.
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return bool false if owner, group or ACL can't be kept; nothing was renamed then
     */
    public function replace(string $temporary, string $path): bool;

    /**
     * What an install into a vendor directory would use, found out by trying.
     *
     * @throws EngineException
     *
     * @return array<string, mixed> `DiagnoseAnswer` of the core
     */
    public function diagnose(string $vendorDir): array;

    /**
     * The class map of Composer's rules.
     *
     * @param array<string, mixed> $request `ScanRequest` of the core
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return array<string, mixed> `ScanAnswer` of the core
     */
    public function scan(array $request): array;

    /**
     * Whether a dump would give what is there already.
     *
     * @param array<string, mixed> $request `UnchangedRequest` of the core
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return array<string, mixed> `UnchangedAnswer` of the core
     */
    public function unchanged(array $request): array;

    /**
     * A dump is done.
     *
     * @param array<string, mixed> $request `DumpedRequest` of the core
     *
     * @throws EngineException
     * @throws InterruptedException as above
     */
    public function dumped(array $request): void;

    /**
     * Which versions an update would lock.
     *
     * @param array<string, mixed>                               $request  `ResolveRequest` of the core
     * @param (callable(list<array<string, mixed>>): void)|null $onEvents
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return array<string, mixed> `ResolveAnswer` of the core, and as `texts` the JSON texts that it speaks of
     */
    public function resolve(array $request, ?callable $onEvents): array;

    /**
     * The same, without a wait: the answer is asked for by calling what is returned, once. Whatever else is asked for
     * before that takes the place of it.
     *
     * @param array<string, mixed> $request `ResolveRequest` of the core
     *
     * @throws EngineException
     *
     * @return callable(): array<string, mixed> throws what {@see resolve()} throws
     */
    public function resolveMeanwhile(array $request): callable;

    /**
     * Ends what runs beside us.
     */
    public function close(): void;

    /**
     * `extension` or `helper`.
     */
    public function kind(): string;
}
