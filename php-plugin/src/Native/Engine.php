<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * Defines the operations of the native part, wherever it runs.
 *
 * @phpstan-import-type DiagnoseAnswer from Protocol
 * @phpstan-import-type DumpedRequest from Protocol
 * @phpstan-import-type Event from Protocol
 * @phpstan-import-type ExplainRequest from Protocol
 * @phpstan-import-type LockDiffRequest from Protocol
 * @phpstan-import-type MendAnswer from Protocol
 * @phpstan-import-type MendRequest from Protocol
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
     * Starts everything that takes time to start, because work is about to come.
     *
     * @param int|null $requirements {@see resolve()} will be called, for a project that requires so
     *                               many packages
     */
    public function warmUp(?int $requirements = null): void;

    /**
     * Makes packages ready in the staging directory.
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
     * Renames a file over another one, and keeps the owner, group, mode and ACL of the replaced
     * file.
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return bool false if owner, group or ACL can't be kept; nothing was renamed then
     */
    public function replace(string $temporary, string $path): bool;

    /**
     * Tries out the facilities that an install into a vendor directory would use.
     *
     * @throws EngineException
     *
     * @return DiagnoseAnswer
     */
    public function diagnose(string $vendorDir): array;

    /**
     * Makes the class map of Composer's rules.
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
     * Tells whether a dump would reproduce the existing files.
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
     * Records a dump that is done.
     *
     * @param DumpedRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     */
    public function dumped(array $request): void;

    /**
     * Chooses the versions that an update would lock.
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
     * Begins {@see resolve()}, and doesn't wait for its answer.
     *
     * The caller gets the answer by calling the returned callable once. Any other request before
     * that call takes the place of this one.
     *
     * @param ResolveRequest $request
     *
     * @throws EngineException
     *
     * @return callable(): ResolveAnswer throws what {@see resolve()} throws
     */
    public function resolveMeanwhile(array $request): callable;

    /**
     * Describes what differs between two states of a lock.
     *
     * @param LockDiffRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return string without a newline at the end
     */
    public function lockDiff(array $request): string;

    /**
     * Explains why packages are locked in their versions, and what speaks against newer ones.
     *
     * @param ExplainRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return list<string> lines
     */
    public function explain(array $request): array;

    /**
     * Returns the next step of a search for the update that mends packages with security advisories.
     *
     * @param MendRequest $request
     *
     * @throws EngineException
     * @throws InterruptedException as above
     *
     * @return MendAnswer
     */
    public function mend(array $request): array;

    /**
     * Ends the helper process, if there is one.
     */
    public function close(): void;

    /**
     * Returns `extension` or `helper`.
     */
    public function kind(): string;
}
