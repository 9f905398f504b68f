<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * Runs the native part in this process, as a PHP extension.
 */
final class ExtensionEngine implements Engine
{
    public function warmUp(?int $requirements = null): void
    {
    }

    public function prepare(array $request, ?callable $onEvents): array
    {
        return $this->call(static fn () => \Allegro\prepare($request, $onEvents));
    }

    public function remove(array $paths): array
    {
        return $this->call(static fn () => \Allegro\remove(['paths' => $paths]))['failures'];
    }

    public function replace(string $temporary, string $path): bool
    {
        return $this->call(static fn () => \Allegro\replace(['temporary' => $temporary, 'path' => $path]))['replaced'];
    }

    public function diagnose(string $vendorDir): array
    {
        return $this->call(static fn () => \Allegro\diagnose(['vendor_dir' => $vendorDir]));
    }

    public function scan(array $request): array
    {
        return $this->call(static fn () => \Allegro\scan($request));
    }

    public function unchanged(array $request): array
    {
        return $this->call(static fn () => \Allegro\unchanged($request));
    }

    public function dumped(array $request): void
    {
        $this->call(static fn () => \Allegro\dumped($request));
    }

    public function resolve(array $request, ?callable $onEvents): array
    {
        return $this->call(static fn () => \Allegro\resolve($request, $onEvents));
    }

    public function resolveMeanwhile(array $request): callable
    {
        // The extension runs on PHP's own thread, so it can't begin before the caller waits.
        return fn (): array => $this->resolve($request, null);
    }

    public function lockDiff(array $request): string
    {
        return $this->call(static fn () => \Allegro\lock_diff($request))['text'];
    }

    public function explain(array $request): array
    {
        return $this->call(static fn () => \Allegro\explain($request))['lines'];
    }

    public function mend(array $request): array
    {
        return $this->call(static fn () => \Allegro\mend($request));
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
     * @return array<string, mixed>
     */
    private function call(callable $function): array
    {
        try {
            return $function();
        } catch (\Allegro\Exception\InterruptedException $e) {
            // The handler usually ends the process here. If it doesn't, the caller may go on.
            if (function_exists('pcntl_signal_dispatch')) {
                pcntl_signal_dispatch();
            }

            throw new InterruptedException($e->getMessage(), 0, $e);
        } catch (\Allegro\Exception\AllegroException $e) {
            throw new EngineException($e->getMessage(), 0, $e);
        }
    }
}
