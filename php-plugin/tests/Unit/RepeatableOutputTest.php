<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\RepeatableOutput;
use Allegro\Plugin\Tests\Support\TestCase;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\ConsoleOutput;
use Symfony\Component\Console\Output\StreamOutput;

final class RepeatableOutputTest extends TestCase
{
    public function testWhatWasSaidIsNotSaidAgain(): void
    {
        $stream = fopen('php://memory', 'w+b');
        self::assertIsResource($stream);
        $errors = new StreamOutput($stream);
        $output = new ConsoleOutput();
        $output->setErrorOutput($errors);
        $result = RepeatableOutput::during($output, static function (callable $again) use ($output): int {
            $say = static function (string ...$lines) use ($output): void {
                foreach ($lines as $line) {
                    $output->getErrorOutput()->writeln($line);
                }
            };
            $say('<info>Loading</info>', 'Warning: old', 'Allegro: chosen', 'Analyzed 3', 'Updating');
            $again();
            $say('<info>Loading</info>', 'Allegro: chosen', 'Warning: old', 'Analyzed 900', 'Updating', 'Updating', 'Warning: old');

            return 7;
        });
        self::assertSame(7, $result);
        self::assertSame($errors, $output->getErrorOutput(), 'as it was before');
        rewind($stream);
        self::assertSame(
            ['Loading', 'Warning: old', 'Allegro: chosen', 'Analyzed 3', 'Updating', 'Allegro: chosen', 'Analyzed 900', 'Updating', 'Warning: old', ''],
            explode("\n", (string) stream_get_contents($stream))
        );
    }

    /**
     * The same time may stand elsewhere: what is between isn't over with it.
     */
    public function testTimesAreNoPlaces(): void
    {
        $stream = fopen('php://memory', 'w+');
        self::assertIsResource($stream);
        $output = new ConsoleOutput();
        $output->setErrorOutput(new StreamOutput($stream));
        $time = 'Dependency resolution completed in 0.000 seconds';
        RepeatableOutput::during($output, static function (callable $again) use ($output, $time): void {
            $output->getErrorOutput()->writeln(['Updating', 'Nothing to modify', $time, 'Unable']);
            $again();
            $output->getErrorOutput()->writeln(['Updating', $time, 'Nothing to modify', $time, 'Unable']);
        });
        rewind($stream);
        self::assertSame(
            ['Updating', 'Nothing to modify', $time, 'Unable', $time, $time, ''],
            explode("\n", (string) stream_get_contents($stream))
        );
    }

    public function testOtherOutputsAreLeftAlone(): void
    {
        $output = new BufferedOutput();
        RepeatableOutput::during($output, static function (callable $again) use ($output): void {
            $output->writeln('once');
            $again();
            $output->writeln('once');
        });
        self::assertSame("once\nonce\n", $output->fetch());
    }

    public function testAnExceptionLeavesTheOutputAsItWas(): void
    {
        $output = new ConsoleOutput();
        $errors = $output->getErrorOutput();
        try {
            RepeatableOutput::during($output, static function (): void {
                throw new \RuntimeException('mine');
            });
            self::fail('it is thrown');
        } catch (\RuntimeException $e) {
            self::assertSame('mine', $e->getMessage());
        }
        self::assertSame($errors, $output->getErrorOutput());
    }
}
