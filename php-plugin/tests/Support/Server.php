<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

/**
 * PHP's built-in web server on a directory, with a log of what was asked.
 */
final class Server
{
    /** @var resource */
    private $process;

    public readonly int $port;

    public function __construct(private readonly string $dir)
    {
        if (!is_dir($dir)) {
            mkdir($dir, 0777, true);
        }
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        $this->port = (int) substr((string) strrchr((string) stream_socket_get_name($probe, false), ':'), 1);
        fclose($probe);
        // Headers of each request are kept, to see credentials arrive.
        file_put_contents($dir.'/.router.php', <<<'PHP'
            <?php
            file_put_contents(__DIR__.'/.requests', json_encode([$_SERVER['REQUEST_URI'], $_SERVER['HTTP_AUTHORIZATION'] ?? null, $_SERVER['HTTP_USER_AGENT'] ?? null])."\n", FILE_APPEND);
            $file = __DIR__.parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
            if (!is_file($file)) {
                http_response_code(404);
                exit;
            }
            header('Content-Type: application/octet-stream');
            readfile($file);
            PHP);
        $pipes = [];
        $process = proc_open(
            [PHP_BINARY, '-n', '-S', '127.0.0.1:'.$this->port, $dir.'/.router.php'],
            [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']],
            $pipes
        );
        \PHPUnit\Framework\Assert::assertIsResource($process);
        $this->process = $process;
        for ($try = 0; $try < 200; ++$try) {
            $socket = @stream_socket_client('tcp://127.0.0.1:'.$this->port, $code, $message, 1);
            if ($socket !== false) {
                fclose($socket);

                return;
            }
            usleep(20_000);
        }
        \PHPUnit\Framework\Assert::fail('the web server does not start');
    }

    public function __destruct()
    {
        proc_terminate($this->process, 9);
        proc_close($this->process);
    }

    public function url(string $path): string
    {
        return 'http://127.0.0.1:'.$this->port.'/'.$path;
    }

    /**
     * @return list<array{string, string|null, string|null}>
     */
    public function requests(): array
    {
        $lines = @file($this->dir.'/.requests', FILE_IGNORE_NEW_LINES) ?: [];

        return array_map(static fn (string $line): array => json_decode($line, true), $lines);
    }
}
