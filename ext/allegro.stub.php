<?php

/**
 * The extension's API, for IDEs and static analysis. The shapes are those of src/wire.rs and src/report.rs.
 *
 * @phpstan-type Dist array{
 *     type: string,
 *     url: string,
 *     reference: string|null,
 *     shasum: string|null,
 *     custom_cache_key?: string|null,
 * }
 * @phpstan-type PackageRequest array{
 *     id: int<0, max>,
 *     name: string,
 *     version: string,
 *     dist: Dist,
 *     archive?: string|null,
 *     archive_writable?: bool,
 *     use_store?: bool,
 *     want_archive?: bool,
 *     fetch?: array{url: string, headers?: list<string>, proxy?: string|null}|null,
 *     private?: bool,
 *     bins?: list<string>,
 *     plain_modes?: bool,
 * }
 * @phpstan-type PrepareRequest array{
 *     vendor_dir: string,
 *     staging: string,
 *     umask: int<0, max>,
 *     settings?: array{
 *         store?: string|null,
 *         link_strategy?: 'auto'|'reflink'|'hardlink'|'copy'|null,
 *         workers?: int<1, 32>|null,
 *     },
 *     http?: array{user_agent?: string, ca_file?: string|null, ca_dir?: string|null, secure_http?: bool},
 *     packages: list<PackageRequest>,
 * }
 * @phpstan-type PackageAnswer array{
 *     id: int,
 *     outcome: 'ready',
 *     stage: string,
 *     from: 'store'|'archive'|'download',
 *     files: int,
 *     downloaded: int,
 *     archive: string|null,
 * }|array{
 *     id: int,
 *     outcome: 'missing',
 * }|array{
 *     id: int,
 *     outcome: 'declined',
 *     reason: string,
 *     loud: bool,
 * }|array{
 *     id: int,
 *     outcome: 'failed',
 *     kind: 'declined'|'input'|'network'|'integrity'|'filesystem'|'interrupted'|'internal',
 *     code: string,
 *     message: string,
 *     hint: string|null,
 * }
 * @phpstan-type PrepareAnswer array{
 *     packages: list<PackageAnswer>,
 *     method: 'reflink'|'hardlink'|'copy'|null,
 *     notices: list<string>,
 *     made: array{int, int},
 * }
 * @phpstan-type Event array{event: 'settled', id: int}
 *     |array{event: 'received', id: int, bytes: int}
 *     |array{event: 'retrying', id: int, reason: string, wait_ms: int}
 *     |array{event: 'metadata', done: int, total: int}
 *     |array{event: 'notice', message: string}
 */

namespace Allegro {
    /**
     * The extension's version.
     */
    function version(): string
    {
    }

    /**
     * Version, protocol, store and link strategy; `store` is null where neither HOME nor a setting tells it.
     *
     * @return array{version: string, protocol: int, store: string|null, strategy: string}
     */
    function info(): mixed
    {
    }

    /**
     * What an install into a vendor directory would use, found out by trying; nothing that it makes stays.
     *
     * @param array{vendor_dir: string} $request
     *
     * @return array{
     *     version: string,
     *     protocol: int,
     *     layout: int,
     *     strategy: string,
     *     workers: int,
     *     threads: int,
     *     store: array{path: string, file_system: string|null, mount: string|null},
     *     vendor: array{path: string, file_system: string|null, mount: string|null},
     *     usage: array{manifests: int, blobs: int, bytes: int, quarantined: int}|null,
     *     method: 'reflink'|'hardlink'|'copy'|null,
     *     problem: string|null,
     * }
     *
     * @throws \Allegro\Exception\InputException a setting makes no sense
     */
    function diagnose(array $request): mixed
    {
    }

    /**
     * Makes packages ready in staging. Each gets its own outcome, in the order of the request; nothing outside
     * of staging, the store and Composer's archive cache is touched.
     *
     * @param PrepareRequest                     $request
     * @param (callable(list<Event>): mixed)|null $on_events called now and then, on PHP's own thread; what it
     *                                                       throws ends the call
     *
     * @return PrepareAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\FilesystemException  staging can't be made
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run, staging is gone
     * @throws \Allegro\Exception\InternalException    a bug
     */
    function prepare(array $request, ?callable $on_events = null): mixed
    {
    }

    /**
     * Removes files, links and directories; what isn't there is fine.
     *
     * @param array{paths: list<string>} $request
     *
     * @return array{failures: list<string>} what couldn't be removed, a sentence each
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function remove(array $request): mixed
    {
    }

    /**
     * Puts a file that was written beside another one in its place, with the owner, group, mode and ACL of the other one.
     *
     * @param array{temporary: string, path: string} $request
     *
     * @return array{replaced: bool} false if these can't be carried over; the new file is still there then
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function replace(array $request): mixed
    {
    }

    /**
     * The class map of Composer's rules: `ScanRequest` and `ScanAnswer` of the core.
     *
     * @param array<string, mixed> $request
     *
     * @throws Exception\AllegroException
     *
     * @return array<string, mixed>
     */
    function scan(array $request): mixed
    {
    }

    /**
     * Whether a dump would give what is there already: `UnchangedRequest` and `UnchangedAnswer` of the core.
     *
     * @param array<string, mixed> $request
     *
     * @throws Exception\AllegroException
     *
     * @return array<string, mixed>
     */
    function unchanged(array $request): mixed
    {
    }

    /**
     * A dump is done: `DumpedRequest` and `DumpedAnswer` of the core.
     *
     * @param array<string, mixed> $request
     *
     * @throws Exception\AllegroException
     *
     * @return array<string, mixed>
     */
    function dumped(array $request): mixed
    {
    }

    /**
     * Which versions an update would lock: `ResolveRequest` and `ResolveAnswer` of the core. A signal ends it early.
     *
     * @param array<string, mixed>                $request
     * @param (callable(list<Event>): mixed)|null $on_events as for prepare()
     *
     * @throws Exception\AllegroException
     *
     * @return array<string, mixed>
     */
    function resolve(array $request, ?callable $on_events = null): mixed
    {
    }
}

namespace Allegro\Exception {
    /**
     * Marks every exception of this extension.
     */
    interface AllegroException
    {
    }

    /**
     * A request that makes no sense: wrong settings, or plugin and extension don't fit.
     */
    class InputException extends \Exception implements AllegroException
    {
    }

    /**
     * A dist couldn't be had.
     */
    class NetworkException extends \Exception implements AllegroException
    {
    }

    /**
     * Bytes that aren't what they claim to be.
     */
    class IntegrityException extends \Exception implements AllegroException
    {
    }

    /**
     * The file system refused.
     */
    class FilesystemException extends \Exception implements AllegroException
    {
    }

    /**
     * A signal arrived; its handler has run.
     */
    class InterruptedException extends \Exception implements AllegroException
    {
    }

    /**
     * A bug of ours.
     */
    class InternalException extends \Exception implements AllegroException
    {
    }
}
