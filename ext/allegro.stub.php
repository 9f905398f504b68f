<?php

/**
 * The extension's API, for IDEs and static analysis. `php-plugin/src/Native/Protocol.php` declares
 * the same shapes, and the tests compare both.
 *
 * This file is long because it declares the shape of every message.
 *
 * @phpstan-type Dist array{
 *     name: string,
 *     type: string,
 *     url: string,
 *     reference: string|null,
 *     shasum: string|null,
 *     custom_cache_key?: string|null,
 * }
 * @phpstan-type Overrides array{
 *     store?: string|null,
 *     link_strategy?: string|null,
 *     workers?: int|null,
 * }
 * @phpstan-type Proxies array{
 *     http?: string|null,
 *     https?: string|null,
 *     no_proxy?: string,
 * }
 * @phpstan-type HttpOptions array{
 *     user_agent?: string,
 *     ca_file?: string|null,
 *     ca_dir?: string|null,
 *     secure_http?: bool,
 *     proxies?: Proxies,
 * }
 * @phpstan-type ClientCertificate array{
 *     chain: string,
 *     key: string,
 * }
 * @phpstan-type Tls array{
 *     ca_file?: string|null,
 *     ca_dir?: string|null,
 *     certificate?: ClientCertificate|null,
 * }
 * @phpstan-type Method 'reflink'|'hardlink'|'copy'
 * @phpstan-type ErrorKind 'declined'|'input'|'network'|'integrity'|'filesystem'|'interrupted'
 *     |'internal'
 * @phpstan-type ErrorAnswer array{
 *     code: string,
 *     hint: string|null,
 *     kind: ErrorKind,
 *     message: string,
 * }
 * @phpstan-type Event array{
 *     event: 'settled',
 *     id: int,
 * }|array{
 *     event: 'sized',
 *     id: int,
 *     bytes: int,
 * }|array{
 *     event: 'received',
 *     id: int,
 *     bytes: int,
 * }|array{
 *     event: 'retrying',
 *     id: int,
 *     reason: string,
 *     wait_ms: int,
 * }|array{
 *     event: 'metadata',
 *     done: int,
 *     total: int,
 * }|array{
 *     event: 'notice',
 *     message: string,
 * }
 * @phpstan-type InfoAnswer array{
 *     version: string,
 *     protocol: int,
 *     store: string|null,
 *     strategy: string,
 * }
 * @phpstan-type WarmUpRequest array{
 *     requirements: int,
 * }
 * @phpstan-type WarmUpAnswer array{}
 * @phpstan-type DiagnoseRequest array{
 *     vendor_dir: string,
 * }
 * @phpstan-type Place array{
 *     path: string,
 *     file_system: string|null,
 *     mount: string|null,
 * }
 * @phpstan-type DiagnoseAnswer array{
 *     version: string,
 *     protocol: int,
 *     layout: int,
 *     strategy: string,
 *     workers: int,
 *     threads: int,
 *     store: Place,
 *     vendor: Place,
 *     usage: array{
 *         manifests: int,
 *         blobs: int,
 *         bytes: int,
 *         quarantined: int,
 *         quarantined_bytes: int,
 *     }|null,
 *     method: Method|null,
 *     sharing: array{
 *         reason: string,
 *         advice: string,
 *     }|null,
 *     problem: string|null,
 * }
 * @phpstan-type FetchInfo array{
 *     url: string,
 *     headers?: list<string>,
 *     tls?: Tls|null,
 * }
 * @phpstan-type PackageRequest array{
 *     id: int,
 *     name: string,
 *     version: string,
 *     dist: Dist,
 *     path?: string|null,
 *     archive?: string|null,
 *     archive_writable?: bool,
 *     use_store?: bool,
 *     want_archive?: bool,
 *     fetch?: FetchInfo|null,
 *     private?: bool,
 *     bins?: list<string>,
 *     plain_modes?: bool,
 * }
 * @phpstan-type PrepareRequest array{
 *     vendor_dir: string,
 *     staging: string,
 *     umask: int,
 *     timezone?: string|null,
 *     is_quiet?: bool,
 *     settings?: Overrides,
 *     http?: HttpOptions,
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
 *     kind: ErrorKind,
 *     code: string,
 *     message: string,
 *     hint: string|null,
 * }
 * @phpstan-type Made array{int, int}
 * @phpstan-type PrepareAnswer array{
 *     packages: list<PackageAnswer>,
 *     method: Method|null,
 *     notices: list<string>,
 *     made: Made,
 * }
 * @phpstan-type RemoveRequest array{
 *     paths: list<string>,
 * }
 * @phpstan-type RemoveAnswer array{
 *     failures: list<string>,
 * }
 * @phpstan-type ReplaceRequest array{
 *     temporary: string,
 *     path: string,
 * }
 * @phpstan-type ReplaceAnswer array{
 *     replaced: bool,
 * }
 * @phpstan-type ScanDialect array{
 *     php: int,
 *     short_open_tag: bool,
 *     backslash_guards: bool,
 * }
 * @phpstan-type ScanTraits array{
 *     psr4_prefix: bool,
 *     psr0_prefix: bool,
 * }
 * @phpstan-type ScanRule array{
 *     path: string,
 *     kind: 'classmap'|'psr-0'|'psr-4',
 *     namespace?: string,
 *     excluded?: string|null,
 * }
 * @phpstan-type UnsureFile array{
 *     path: string,
 *     token: string,
 * }
 * @phpstan-type KnownFile array{
 *     path: string,
 *     token: string,
 *     classes: list<string>,
 * }
 * @phpstan-type PlacedPackage array{
 *     path: string,
 *     dist: Dist,
 *     made: Made,
 *     plain_modes?: bool,
 * }
 * @phpstan-type ScanRequest array{
 *     vendor_dir: string,
 *     cwd: string,
 *     dialect: ScanDialect,
 *     traits: ScanTraits,
 *     rules: list<ScanRule>,
 *     known?: list<KnownFile>,
 *     placed?: list<PlacedPackage>,
 *     timezone?: string|null,
 * }
 * @phpstan-type Scanned array{
 *     outcome: 'scanned',
 *     files: list<string>,
 *     names: list<string>,
 *     at: list<int>,
 *     ambiguous: list<array{string, int}>,
 *     rejected: list<array{
 *         rule: int,
 *         path: string,
 *         classes: list<string>,
 *     }>,
 *     digest: string,
 *     covered: int,
 *     read: int,
 * }
 * @phpstan-type ScanAnswer Scanned|array{
 *     outcome: 'unsure',
 *     files: list<UnsureFile>,
 * }|array{
 *     outcome: 'declined',
 *     reason: string,
 * }
 * @phpstan-type UnchangedRequest array{
 *     vendor_dir: string,
 *     fingerprint: string,
 * }
 * @phpstan-type UnchangedAnswer array{
 *     unchanged: bool,
 *     said: string,
 *     classes: int,
 * }
 * @phpstan-type DumpedRequest array{
 *     vendor_dir: string,
 *     fingerprint: string,
 *     digest: string,
 *     said: string,
 *     classes: int,
 *     outputs: list<array{string, string|null}>,
 * }
 * @phpstan-type DumpedAnswer array{
 *     noted: bool,
 * }
 * @phpstan-type GivenConstraint array{string, string}|array{
 *     and: list<mixed>,
 * }|array{
 *     or: list<mixed>,
 * }|bool
 * @phpstan-type NamedConstraint array{string, GivenConstraint}
 * @phpstan-type GivenLink array{string, GivenConstraint, bool}
 * @phpstan-type GivenPackage array{
 *     name: string,
 *     version: string,
 *     alias_of?: int|null,
 *     root_alias?: bool,
 *     requires?: list<GivenLink>,
 *     conflicts?: list<GivenLink>,
 *     replaces?: list<GivenLink>,
 *     provides?: list<GivenLink>,
 *     linked_path?: bool,
 *     always?: bool,
 *     ignored?: bool,
 * }
 * @phpstan-type ResolveDialect array{
 *     long_dates?: bool,
 *     rc_is_a_modifier?: bool,
 *     points_need_branches?: bool,
 *     zero_is_least?: bool,
 * }
 * @phpstan-type PlatformFilter array{
 *     all?: bool,
 *     names?: string|null,
 *     upper_bounds?: string|null,
 * }
 * @phpstan-type Repository array{
 *     kind: 'fixed',
 *     only?: string|null,
 *     exclude?: string|null,
 *     canonical?: bool,
 * }|array{
 *     kind: 'list',
 *     packages: list<GivenPackage>,
 *     only?: string|null,
 *     exclude?: string|null,
 *     canonical?: bool,
 * }|array{
 *     kind: 'metadata',
 *     available?: list<string>|null,
 *     available_patterns?: list<string>|null,
 *     only?: string|null,
 *     exclude?: string|null,
 *     canonical?: bool,
 * }
 * @phpstan-type OverriddenPlatform array{
 *     name: string,
 *     real: array{string, string}|null,
 * }
 * @phpstan-type Problem array{
 *     dialect?: ResolveDialect,
 *     requires: list<NamedConstraint>,
 *     requires_without_dev?: list<NamedConstraint>|null,
 *     fixed: list<GivenPackage>,
 *     locked?: list<GivenPackage>,
 *     allow?: list<string>,
 *     reach?: 'listed'|'dependencies'|'all_dependencies',
 *     repositories: list<Repository>,
 *     stabilities: list<int>,
 *     stability_flags?: list<array{string, int}>,
 *     root_aliases?: list<array{string, string, string}>,
 *     temporary?: list<NamedConstraint>,
 *     platform?: PlatformFilter,
 *     prefer_stable?: bool,
 *     prefer_lowest?: bool,
 *     prefer_dev_over_prerelease?: bool,
 *     preferred?: list<array{string, string}>,
 *     ignored_types?: list<string>,
 *     allowed_types?: list<string>|null,
 *     batch?: int|null,
 *     temporary_for_all_names?: bool,
 *     replaced_if_required?: bool,
 *     aliases_of_unlocked_paths?: bool,
 *     optimize?: bool,
 *     written?: list<array{string, string}>,
 *     overridden?: list<OverriddenPlatform>,
 * }
 * @phpstan-type ResolveSource array{
 *     url: string,
 *     headers?: list<string>,
 *     tls?: Tls|null,
 *     cache_dir?: string|null,
 *     cache_writable?: bool,
 * }
 * @phpstan-type ResolveRequest array{
 *     settings?: Overrides,
 *     http?: HttpOptions,
 *     sources: list<ResolveSource|null>,
 *     problem: Problem,
 * }
 * @phpstan-type ChosenPackage array{
 *     name: string,
 *     version: string,
 *     repository: int|null,
 *     is_dev: bool|null,
 * }
 * @phpstan-type Solved array{
 *     outcome: 'solved',
 *     packages: list<ChosenPackage>,
 *     aliases: list<array{string, string}>,
 *     found: list<list<string>>,
 *     unasked: list<string>,
 *     unlocked: list<string>,
 *     kept: list<string>,
 *     versions: int,
 *     considered: int,
 *     rules: int,
 *     constraints: int,
 *     texts?: list<string>,
 * }
 * @phpstan-type ResolveAnswer Solved|array{
 *     outcome: 'unsolvable',
 *     lines: list<string>,
 * }|array{
 *     outcome: 'declined',
 *     reason: string,
 * }
 * @phpstan-type LockEntry array{
 *     name: string,
 *     version: string,
 *     is_dev: bool,
 *     url: string|null,
 *     source_reference: string|null,
 *     dist_reference: string|null,
 * }
 * @phpstan-type LockDiffFormat 'text'|'md'|'json'
 * @phpstan-type LockDiffRequest array{
 *     before: list<LockEntry>,
 *     after: list<LockEntry>,
 *     gitlab_domains: list<string>,
 *     format: LockDiffFormat,
 * }
 * @phpstan-type LockDiffAnswer array{
 *     text: string,
 * }
 * @phpstan-type WrittenLink array{string, GivenConstraint, string}
 * @phpstan-type ExplainPackage array{
 *     name: string,
 *     version: string,
 *     pretty: string,
 *     full: string,
 *     requires?: list<WrittenLink>,
 *     conflicts?: list<WrittenLink>,
 *     replaces?: list<WrittenLink>,
 *     provides?: list<WrittenLink>,
 * }
 * @phpstan-type ExplainSubject array{
 *     name: string,
 *     parent: string|null,
 *     candidates: list<ExplainPackage>,
 * }
 * @phpstan-type ExplainProject array{
 *     requires: list<WrittenLink>,
 *     conflicts: list<WrittenLink>,
 *     minimum_stability: int,
 *     stability_flags: list<array{string, int}>,
 * }
 * @phpstan-type ExplainPlatform array{
 *     name: string,
 *     version: string,
 *     pretty: string,
 * }
 * @phpstan-type ExplainRequest array{
 *     subjects: list<ExplainSubject>,
 *     project: ExplainProject,
 *     locked: list<ExplainPackage>,
 *     aliases: list<ExplainPackage>,
 *     platform: list<ExplainPlatform>,
 *     ignored: list<string>,
 * }
 * @phpstan-type ExplainAnswer array{
 *     lines: list<string>,
 * }
 * @phpstan-type MendRequirement array{string, string, GivenConstraint}
 * @phpstan-type MendLocked array{
 *     name: string,
 *     version: string,
 *     pretty: string,
 *     reference?: string|null,
 *     is_affected?: bool,
 *     requires?: list<MendRequirement>,
 * }
 * @phpstan-type MendAffected array{
 *     name: string,
 *     versions: list<array{string, string}>,
 *     parent?: string|null,
 * }
 * @phpstan-type MendTrialPackage array{
 *     name: string,
 *     version: string,
 *     reference?: string|null,
 *     is_affected?: bool,
 * }
 * @phpstan-type MendRequest array{
 *     locked: list<MendLocked>,
 *     requires?: list<MendRequirement>,
 *     pinned?: list<MendRequirement>,
 *     affected: list<MendAffected>,
 *     has_policies?: bool,
 *     allowed?: list<array{string, list<string>}>|null,
 *     results?: list<list<MendTrialPackage>|null>,
 * }
 * @phpstan-type MendTrial array{
 *     step: 'try',
 *     packages: list<string>,
 *     with: list<string>,
 *     prefer_lowest: bool,
 *     with_all_dependencies: bool,
 *     ignore_policies: bool,
 *     needs_advisories: bool,
 * }
 * @phpstan-type MendPlan array{
 *     step: 'plan',
 *     packages: list<string>,
 *     with: list<string>,
 *     reasons: list<array{string, string}>,
 * }
 * @phpstan-type MendAnswer MendTrial|MendPlan|array{
 *     step: 'filter',
 *     candidates: list<array{string, list<string>}>,
 * }
 */

namespace Allegro {
    /**
     * Returns the extension's version.
     */
    function version(): string
    {
    }

    /**
     * Returns version, protocol, store and link strategy.
     *
     * @return InfoAnswer
     */
    function info(): mixed
    {
    }

    /**
     * Finds out by trying what an install into a vendor directory would use. Nothing that it creates
     * stays.
     *
     * @param DiagnoseRequest $request
     *
     * @return DiagnoseAnswer
     *
     * @throws \Allegro\Exception\InputException the request or a setting makes no sense
     */
    function diagnose(array $request): mixed
    {
    }

    /**
     * Makes packages ready in staging. Each gets its own outcome, in the order of the request.
     * Nothing outside of staging, the store and Composer's archive cache is touched.
     *
     * @param PrepareRequest                      $request
     * @param (callable(list<Event>): mixed)|null $on_events called on PHP's own thread; what it
     *                                                       throws ends the call
     *
     * @return PrepareAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\FilesystemException  staging can't be created
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run,
     *                                                 staging is gone
     * @throws \Allegro\Exception\InternalException    a bug
     */
    function prepare(array $request, ?callable $on_events = null): mixed
    {
    }

    /**
     * Removes files, links and directories. A path that does not exist is no failure.
     *
     * @param RemoveRequest $request
     *
     * @return RemoveAnswer
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function remove(array $request): mixed
    {
    }

    /**
     * Renames a new file over an old one, with the owner, group, mode and ACL of the old one. If these
     * can't be kept, the new file stays where it is.
     *
     * @param ReplaceRequest $request
     *
     * @return ReplaceAnswer
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function replace(array $request): mixed
    {
    }

    /**
     * Makes the class map for Composer's autoload rules.
     *
     * @param ScanRequest $request
     *
     * @return ScanAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run
     */
    function scan(array $request): mixed
    {
    }

    /**
     * Tells whether a dump of the autoloader would generate the files that exist already.
     *
     * @param UnchangedRequest $request
     *
     * @return UnchangedAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run
     */
    function unchanged(array $request): mixed
    {
    }

    /**
     * Records a finished dump of the autoloader, so that the next one can be compared with it.
     *
     * @param DumpedRequest $request
     *
     * @return DumpedAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run
     */
    function dumped(array $request): mixed
    {
    }

    /**
     * Finds the versions that an update would lock.
     *
     * @param ResolveRequest                      $request
     * @param (callable(list<Event>): mixed)|null $on_events called on PHP's own thread; what it
     *                                                       throws ends the call
     *
     * @return ResolveAnswer
     *
     * @throws \Allegro\Exception\InputException       the request makes no sense
     * @throws \Allegro\Exception\InterruptedException a signal arrived; its handler has run
     * @throws \Allegro\Exception\InternalException    a bug
     */
    function resolve(array $request, ?callable $on_events = null): mixed
    {
    }

    /**
     * Describes what differs between two states of a lock.
     *
     * @param LockDiffRequest $request
     *
     * @return LockDiffAnswer
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function lock_diff(array $request): mixed
    {
    }

    /**
     * Explains why packages are locked in their versions, and what speaks against newer ones.
     *
     * @param ExplainRequest $request
     *
     * @return ExplainAnswer
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function explain(array $request): mixed
    {
    }

    /**
     * Returns the next step of a search for the update that mends packages with security advisories.
     *
     * @param MendRequest $request
     *
     * @return MendAnswer
     *
     * @throws \Allegro\Exception\InputException the request makes no sense
     */
    function mend(array $request): mixed
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
