<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * The native part, wherever it runs.
 *
 * @phpstan-import-type DiagnoseAnswer from Protocol
 * @phpstan-import-type DumpedRequest from Protocol
 * @phpstan-import-type Event from Protocol
 * @phpstan-import-type PrepareAnswer from Protocol
 * @phpstan-import-type PrepareRequest from Protocol
 * @phpstan-import-type ResolveAnswer from Protocol
 * @phpstan-import-type ResolveRequest from Protocol
 * @phpstan-import-type ScanAnswer from Protocol
 * @phpstan-import-type ScanRequest from Protocol
 * @phpstan-import-type UnchangedAnswer from Protocol
 * @phpstan-import-type UnchangedRequest from Protocol
 */
interface Engine
{
    /**
     * Work is about to come: what takes time to start may start now.
     *
     * @param int|null $requirements {@see resolve()} will be called, for a project that requires so many packages
     */
    public function warmUp(?int $requirements = null): void;

    /**
     * Makes packages ready in staging.
     *
     * @param PrepareRequest                       $request
     * @param (callable(list<Event>): void)|null $onEvents an empty list is a sign of life
     *
     * @throws EngineException      if the native part fails as a whole
     * @throws InterruptedException if a signal arrived; its handler has run when this is caught
     *
     * @return PrepareAnswer
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
     * @return DiagnoseAnswer
     */
    public function diagnose(string $vendorDir): array;

    /**
     * The class map of Composer's rules.
     *
     * @param ScanRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return ScanAnswer
     */
    public function scan(array $request): array;

    /**
     * Whether a dump would give what is there already.
     *
     * @param UnchangedRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return UnchangedAnswer
     */
    public function unchanged(array $request): array;

    /**
     * A dump is done.
     *
     * @param DumpedRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     */
    public function dumped(array $request): void;

    /**
     * Which versions an update would lock.
     *
     * @param ResolveRequest                       $request
     * @param (callable(list<Event>): void)|null $onEvents as for {@see prepare()}
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return ResolveAnswer
     */
    public function resolve(array $request, ?callable $onEvents): array;

    /**
     * The same, without a wait: the answer is asked for by calling what is returned, once. Whatever else is asked for
     * before that takes the place of it.
     *
     * @param ResolveRequest $request
     *
     * @throws EngineException
     *
     * @return callable(): ResolveAnswer throws what {@see resolve()} throws
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
