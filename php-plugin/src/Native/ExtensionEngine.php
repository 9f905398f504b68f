<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * Runs the native part in this process, as a PHP extension.
 *
 * @phpstan-import-type DiagnoseAnswer from Protocol
 * @phpstan-import-type MendAnswer from Protocol
 * @phpstan-import-type PrepareAnswer from Protocol
 * @phpstan-import-type ResolveAnswer from Protocol
 * @phpstan-import-type ScanAnswer from Protocol
 * @phpstan-import-type UnchangedAnswer from Protocol
 */
final class ExtensionEngine implements Engine
{
    public function warmUp(?int $requirements = null): void
    {
    }

    public function prepare(array $request, ?callable $onEvents): array
    {
        /** @var PrepareAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\prepare($request, $onEvents));

        return $answer;
    }

    public function remove(array $paths): array
    {
        /** @var array{failures: list<string>} $answer */
        $answer = $this->call(static fn () => \Allegro\remove(['paths' => $paths]));

        return $answer['failures'];
    }

    public function replace(string $temporary, string $path): bool
    {
        /** @var array{replaced: bool} $answer */
        $answer = $this->call(static fn () => \Allegro\replace(['temporary' => $temporary, 'path' => $path]));

        return $answer['replaced'];
    }

    public function diagnose(string $vendorDir): array
    {
        /** @var DiagnoseAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\diagnose(['vendor_dir' => $vendorDir]));

        return $answer;
    }

    public function scan(array $request): array
    {
        /** @var ScanAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\scan($request));

        return $answer;
    }

    public function unchanged(array $request): array
    {
        /** @var UnchangedAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\unchanged($request));

        return $answer;
    }

    public function dumped(array $request): void
    {
        $this->call(static fn () => \Allegro\dumped($request));
    }

    public function resolve(array $request, ?callable $onEvents): array
    {
        /** @var ResolveAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\resolve($request, $onEvents));

        return $answer;
    }

    public function resolveMeanwhile(array $request): callable
    {
        // The extension runs on PHP's own thread, so it can't begin before the caller waits.
        return fn (): array => $this->resolve($request, null);
    }

    public function lockDiff(array $request): string
    {
        /** @var array{text: string} $answer */
        $answer = $this->call(static fn () => \Allegro\lock_diff($request));

        return $answer['text'];
    }

    public function explain(array $request): array
    {
        /** @var array{lines: list<string>} $answer */
        $answer = $this->call(static fn () => \Allegro\explain($request));

        return $answer['lines'];
    }

    public function mend(array $request): array
    {
        /** @var MendAnswer $answer */
        $answer = $this->call(static fn () => \Allegro\mend($request));

        return $answer;
    }

    public function close(): void
    {
    }

    public function kind(): string
    {
        return 'extension';
    }

    /**
     * Calls a function of the extension, and turns its exceptions into those of the plugin.
     *
     * @param callable(): mixed $function
     *
     * @return array<string, mixed>
     */
    private function call(callable $function): array
    {
        try {
            /** @var array<string, mixed> $answer */
            $answer = $function();

            return $answer;
        } catch (\Allegro\Exception\InterruptedException $e) {
            // The handler usually ends the process here. If it doesn't, the caller may go on.
            if (function_exists('pcntl_signal_dispatch')) {
                pcntl_signal_dispatch();
            }

            throw new InterruptedException($e->getMessage(), 0, $e);
        } catch (\Allegro\Exception\AllegroException $e) {
            /** @var \Exception $e */
            throw new EngineException($e->getMessage(), 0, $e);
        }
    }
}
