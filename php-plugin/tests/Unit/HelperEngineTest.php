<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\HelperEngine;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Tests\Support\TestCase;

final class HelperEngineTest extends TestCase
{
    private const PREAMBLE = <<<'PHP'
        function request(): array { $line = fgets(STDIN); if ($line === false) { exit; } return json_decode($line, true); }
        function say($value): void { fwrite(STDOUT, (is_string($value) ? $value : json_encode($value))."\n"); }
        function ready(int $id): array { return ['id' => $id, 'answer' => ['packages' => [], 'method' => null, 'notices' => []]]; }

        PHP;

    /** @var list<array<string, mixed>> */
    private array $events = [];

    private function engine(string $body, float $patience = 60.0): HelperEngine
    {
        return new HelperEngine($this->script($this->dir.'/helper', self::PREAMBLE.$body), $patience);
    }

    /**
     * @param array<string, mixed> $request
     *
     * @return array<string, mixed>
     */
    private function prepare(HelperEngine $engine, array $request = []): array
    {
        return $engine->prepare($request, function (array $events): void {
            $this->events = array_merge($this->events, $events);
        });
    }

    public function testTheRealOne(): void
    {
        $engine = new HelperEngine(self::helper());
        $archive = self::zip($this->dir.'/a.zip', ['top/a' => 'a']);
        $answer = $this->prepare($engine, [
            'vendor_dir' => $this->dir,
            'staging' => $this->dir.'/staging',
            'umask' => 0022,
            'settings' => ['store' => $this->dir.'/store'],
            'packages' => [[
                'id' => 3,
                'name' => 'a/a',
                'version' => "1 \u{2603}",
                'dist' => ['name' => 'a/b', 'type' => 'zip', 'url' => 'https://example.org/a', 'reference' => null, 'shasum' => null],
                'archive' => $archive,
            ]],
        ]);
        self::assertSame('ready', $answer['packages'][0]['outcome']);
        self::assertSame('a', file_get_contents($this->dir.'/staging/3/a'));
        self::assertSame([['event' => 'settled', 'id' => 3]], $this->events);

        // The same process answers again, also after a bad request.
        try {
            $this->prepare($engine, ['nonsense' => true]);
            self::fail('taken');
        } catch (EngineException $e) {
            self::assertStringContainsString('nonsense', $e->getMessage());
        }
        self::assertSame([], $engine->remove([$this->dir.'/staging']));
        self::assertDirectoryDoesNotExist($this->dir.'/staging');
        self::assertCount(1, $engine->remove([$this->dir.'/a.zip/below']));

        // And a new one is started after it was closed.
        $engine->close();
        $engine->close();
        self::assertSame([], $engine->remove([$this->dir.'/store']));
        self::assertDirectoryDoesNotExist($this->dir.'/store');
    }

    public function testWhatItMakesReadyNeedsNoAnswer(): void
    {
        $engine = new HelperEngine(self::helper());
        $engine->warmUp(3);
        $engine->warmUp(3);
        self::assertSame([], $engine->remove([]));
        $engine->warmUp(3);
        self::assertSame([], $engine->remove([]));
        $engine->warmUp();
        self::assertSame([], $engine->remove([]));

        // Nobody is told that it can't do it.
        $engine = $this->engine('$r = request(); say(["id" => $r["id"], "error" => ["kind" => "input", "message" => $r["op"]]]); $r = request(); say(ready($r["id"]));');
        $engine->warmUp(3);
        self::assertSame([], $this->prepare($engine)['packages']);
        $engine = $this->engine('exit(1);');
        $engine->warmUp(3);
        $this->expectException(EngineException::class);
        $this->prepare($engine);
    }

    public function testAFileIsReplaced(): void
    {
        $engine = $this->engine('for (;;) { $r = request(); say(["id" => $r["id"], "answer" => ["replaced" => $r["op"] === "replace" && $r["request"] === ["temporary" => "/a", "path" => "/b"]]]); }');
        self::assertTrue($engine->replace('/a', '/b'));
        self::assertFalse($engine->replace('/b', '/a'));

        $engine = $this->engine('$r = request(); say(["id" => $r["id"], "answer" => ["failures" => []]]);');
        $this->expectException(EngineException::class);
        $engine->replace('/a', '/b');
    }

    public function testTextsComeWithAnAnswer(): void
    {
        $text = '{"a":"'.str_repeat('b', 100_000).'"}';
        $solved = array_fill_keys(['aliases', 'found', 'kept', 'unasked', 'unlocked'], []);
        $solved = ['outcome' => 'solved', 'packages' => [['repository' => 0], ['repository' => null]], 'constraints' => 1] + $solved;
        $says = static fn (int $texts): string => '$r = request(); say(["id" => $r["id"], "texts" => '.$texts.', "answer" => '.var_export($solved, true).']);';
        $engine = $this->engine($says(2).'echo \''.$text.'\', "\n{}\n"; $r = request(); say(ready($r["id"]));');
        self::assertSame($solved + ['texts' => [$text, '{}']], $engine->resolve([], null));
        self::assertSame([], $this->prepare($engine)['packages']);

        foreach ([$says(2).'echo "{}\n";', $says(1).'echo "{}\n";', $says(0)] as $bad) {
            try {
                $this->engine($bad)->resolve([], null);
                self::fail('taken');
            } catch (EngineException $e) {
                self::assertStringContainsString('native helper', $e->getMessage());
            }
        }
    }

    public function testAnAnswerCanBeCollectedLater(): void
    {
        $engine = $this->engine(<<<'PHP'
            while (true) {
                $request = request();
                if ($request['op'] === 'remove') {
                    say(['id' => $request['id'], 'answer' => ['failures' => [(string) getmypid()]]]);
                    continue;
                }
                // Not before somebody has gone on.
                for ($i = 0; $i < 5000 && !file_exists($request['request']['until']); ++$i) {
                    usleep(2000);
                    clearstatcache();
                }
                say(['id' => $request['id'], 'events' => []]);
                say(['id' => $request['id'], 'answer' => ['outcome' => 'unsolvable', 'lines' => []]]);
            }
            PHP);
        $answer = ['outcome' => 'unsolvable', 'lines' => []];
        $until = $this->dir.'/until';
        $later = $engine->resolveMeanwhile(['until' => $until]);
        touch($until);
        self::assertSame($answer, $later());
        [$pid] = $engine->remove([]);

        // Whatever is asked for first takes its place, and nobody gets the answer to something else.
        $later = $engine->resolveMeanwhile(['until' => $this->dir.'/never']);
        [$other] = $engine->remove([]);
        self::assertNotSame($pid, $other);
        try {
            $later();
            self::fail('an answer to what was given up');
        } catch (EngineException $e) {
            self::assertStringContainsString('meanwhile', $e->getMessage());
        }
        self::assertSame([$other], $engine->remove([]));
    }

    public function testTextThatIsNotUtf8IsRefusedBeforeItIsSent(): void
    {
        $this->expectException(EngineException::class);
        $this->prepare(new HelperEngine(self::helper()), ['vendor_dir' => "\xff"]);
    }

    public function testTheHelperEndsWithItsEngine(): void
    {
        $engine = new HelperEngine(self::helper());
        $engine->remove([]);
        self::assertNotSame([], self::children());
        unset($engine);
        self::assertSame([], self::children());
    }

    /**
     * @return list<string>
     */
    private static function children(): array
    {
        return array_values(array_filter(explode(' ', (string) file_get_contents('/proc/self/task/'.getmypid().'/children'))));
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public function badHelpers(): iterable
    {
        yield 'ends at once' => ['exit(1);', 'ended'];
        yield 'is killed at once' => ['posix_kill(getmypid(), 9);', 'ended'];
        yield 'ends after the request' => ['request(); exit(0);', 'ended in the middle'];
        yield 'closes its output' => ['request(); fclose(STDOUT); sleep(1);', 'ended in the middle'];
        yield 'ends after half an answer' => ['request(); fwrite(STDOUT, \'{"id":1,"answer":{"pack\'); exit;', 'ended in the middle'];
        yield 'ends after an event' => ['request(); say(["id" => 1, "events" => [["event" => "settled", "id" => 0]]]);', 'ended in the middle'];
        yield 'nonsense' => ['request(); say("nonsense"); sleep(5);', 'not JSON'];
        yield 'an empty line' => ['request(); say(""); sleep(5);', 'not JSON'];
        yield 'a number' => ['request(); say("42"); sleep(5);', 'not JSON'];
        yield 'bytes' => ['request(); say("\0\xff\xfe"); sleep(5);', 'not JSON'];
        yield 'deep JSON' => ['request(); say(str_repeat("[", 100000)); sleep(5);', 'not JSON'];
        yield 'an empty object' => ['request(); say("{}"); sleep(5);', 'out of turn'];
        yield 'a list' => ['request(); say("[1,2]"); sleep(5);', 'out of turn'];
        yield 'another number' => ['$r = request(); say(ready($r["id"] + 1)); sleep(5);', 'out of turn'];
        yield 'neither answer nor error' => ['request(); say(["id" => 1]); request();', 'unknown error'];
        yield 'null for an answer' => ['request(); say(["id" => 1, "answer" => null]); request();', 'unknown error'];
        yield 'text for an answer' => ['request(); say(["id" => 1, "answer" => "yes"]); request();', 'unknown error'];
        yield 'text for an error' => ['request(); say(["id" => 1, "error" => "no"]); request();', 'unknown error'];
        yield 'an error' => ['request(); say(["id" => 1, "error" => ["message" => "full", "hint" => "make room"]]); request();', 'full; make room'];
        yield 'an answer of another shape' => ['request(); say(["id" => 1, "answer" => ["done" => true]]); sleep(5);', 'does not fit'];
        yield 'packages that are none' => ['request(); say(["id" => 1, "answer" => ["packages" => [1], "notices" => [], "method" => null]]); sleep(5);', 'does not fit'];
        yield 'packages without an outcome' => ['request(); say(["id" => 1, "answer" => ["packages" => [["id" => 0]], "notices" => [], "method" => null]]); sleep(5);', 'does not fit'];
        yield 'ready without a stage' => ['request(); say(["id" => 1, "answer" => ["packages" => [["id" => 0, "outcome" => "ready"]], "notices" => [], "method" => null]]); sleep(5);', 'does not fit'];
        yield 'an unknown outcome' => ['request(); say(["id" => 1, "answer" => ["packages" => [["id" => 0, "outcome" => "lost"]], "notices" => [], "method" => null]]); sleep(5);', 'does not fit'];
        yield 'no notices' => ['request(); say(["id" => 1, "answer" => ["packages" => [], "method" => null]]); sleep(5);', 'does not fit'];
    }

    /**
     * @dataProvider badHelpers
     */
    public function testABadHelperIsAnExceptionAndNothingElse(string $body, string $message): void
    {
        $engine = $this->engine($body);
        $started = microtime(true);
        try {
            $this->prepare($engine, ['packages' => []]);
            self::fail('taken');
        } catch (EngineException $e) {
            self::assertStringContainsString($message, $e->getMessage());
        }
        self::assertLessThan(2.0, microtime(true) - $started);
    }

    public function testAHelperThatTakesNothingOfALongRequest(): void
    {
        $engine = $this->engine('fclose(STDIN); exit;');
        $this->expectException(EngineException::class);
        $this->prepare($engine, ['text' => str_repeat('x', 1 << 20)]);
    }

    public function testANewHelperIsStartedAfterADeadOne(): void
    {
        touch($this->dir.'/first');
        $engine = $this->engine('if (@unlink(__DIR__."/first")) { exit; } while (true) { say(ready(request()["id"])); }');
        try {
            $this->prepare($engine);
            self::fail('taken');
        } catch (EngineException $e) {
            self::assertStringContainsString('ended', $e->getMessage());
        }
        self::assertSame([], $this->prepare($engine)['packages']);
    }

    public function testAHelperThatIsNoProgram(): void
    {
        file_put_contents($this->dir.'/helper', "\0\0\0\0");
        chmod($this->dir.'/helper', 0755);
        foreach ([$this->dir.'/helper', $this->dir.'/none'] as $path) {
            try {
                $this->prepare(new HelperEngine($path));
                self::fail('taken');
            } catch (EngineException $e) {
                self::assertStringContainsString('helper', $e->getMessage());
            }
        }
    }

    public function testASlowHelperIsWaitedFor(): void
    {
        $engine = $this->engine(<<<'PHP'
            $line = json_encode(['id' => request()['id'], 'events' => [['event' => 'settled', 'id' => 5]]])."\n".json_encode(ready(1))."\n";
            foreach (str_split($line) as $byte) { fwrite(STDOUT, $byte); usleep(3000); }
            request();
            PHP);
        $started = microtime(true);
        self::assertSame([], $this->prepare($engine)['packages']);
        self::assertGreaterThan(0.2, microtime(true) - $started);
        self::assertSame([['event' => 'settled', 'id' => 5]], $this->events);
    }

    public function testSignsOfLifeKeepASlowHelperAlive(): void
    {
        $engine = $this->engine('$id = request()["id"]; for ($i = 0; $i < 6; ++$i) { usleep(200_000); say(["id" => $id, "events" => []]); } say(ready($id)); request();', 0.6);
        self::assertSame([], $this->prepare($engine)['packages']);
    }

    /**
     * @return iterable<string, array{string, int}>
     */
    public function hangingHelpers(): iterable
    {
        yield 'silence' => ['request(); sleep(600);', 0];
        yield 'stopped' => ['request(); posix_kill(getmypid(), SIGSTOP);', 0];
        yield 'stopped before it takes a long request' => ['posix_kill(getmypid(), SIGSTOP);', 1 << 20];
        yield 'stopped in the middle of an answer' => ['request(); fwrite(STDOUT, "{"); posix_kill(getmypid(), SIGSTOP);', 0];
    }

    /**
     * @dataProvider hangingHelpers
     */
    public function testAHelperThatHangsIsGivenUpForTheRun(string $body, int $length): void
    {
        $calls = [
            fn (HelperEngine $engine): array => $this->prepare($engine, ['text' => str_repeat('x', $length)]),
            static fn (HelperEngine $engine): array => $engine->remove([str_repeat('x', $length)]),
        ];
        foreach ($calls as $call) {
            $engine = $this->engine('touch(__DIR__."/".uniqid("started-", true)); '.$body, 1.5);
            for ($time = 0; $time < 2; ++$time) {
                try {
                    $call($engine);
                    self::fail('taken');
                } catch (EngineException $e) {
                    self::assertStringContainsString('has made no progress', $e->getMessage());
                }
                self::assertSame([], self::children());
            }
            self::assertCount(1, glob($this->dir.'/started-*'), 'no other one is started');
            array_map('unlink', glob($this->dir.'/started-*'));
        }
    }

    public function testAHugeAnswerAndManyInOneWrite(): void
    {
        $engine = $this->engine(<<<'PHP'
            $answer = ready(request()['id']);
            $answer['answer']['notices'] = [str_repeat("\u{2603}x", 5_000_000)];
            fwrite(STDOUT, str_repeat(json_encode(['id' => 1, 'events' => [['event' => 'settled', 'id' => 1]]])."\n", 10_000).json_encode($answer)."\n");
            request();
            PHP);
        $started = microtime(true);
        $answer = $this->prepare($engine);
        self::assertSame(5_000_000 * 4, strlen($answer['notices'][0]));
        self::assertCount(10_000, $this->events);
        self::assertLessThan(10.0, microtime(true) - $started);
    }

    public function testAnAnswerIsNotKept(): void
    {
        $engine = $this->engine('request(); say(["id" => 1, "answer" => ["unchanged" => false, "said" => str_repeat("x", 4_000_000)]]); request();');
        $before = memory_get_usage();
        $size = strlen($engine->unchanged([])['said']);
        self::assertSame(4_000_000, $size);
        self::assertLessThan($before + 1_000_000, memory_get_usage());
    }

    public function testALongRequestArrivesWhole(): void
    {
        $engine = $this->engine('$r = request(); $a = ready(1); $a["answer"]["notices"] = [sha1($r["request"]["text"])]; say($a); request();');
        $text = str_repeat("a/b \u{2603} \n", 300_000);
        self::assertSame([sha1($text)], $this->prepare($engine, ['text' => $text])['notices']);
    }

    public function testAnInterruptionIsToldApart(): void
    {
        $engine = $this->engine('while (true) { say(["id" => request()["id"], "error" => ["kind" => "interrupted", "message" => "interrupted"]]); }');
        $this->expectException(InterruptedException::class);
        $this->prepare($engine);
    }

    public function testAnExceptionInTheCallbackLeavesNoStaleAnswer(): void
    {
        $engine = $this->engine(<<<'PHP'
            while (true) {
                $id = request()['id'];
                say(['id' => $id, 'events' => [['event' => 'settled', 'id' => $id]]]);
                say(ready($id));
            }
            PHP);
        try {
            $engine->prepare([], static function (): void {
                throw new \DomainException('mine');
            });
            self::fail('nothing came out');
        } catch (\DomainException $e) {
            self::assertSame('mine', $e->getMessage());
        }
        self::assertSame([], self::children(), 'what it worked on is of no use any more');
        self::assertSame([], $this->prepare($engine)['packages'], 'the next call gets its own answer');
    }

    /**
     * `exit` in a signal handler: shutdown functions call the engine while a call of it never ended.
     */
    public function testACallAfterOneThatNeverEnded(): void
    {
        $helper = $this->script($this->dir.'/helper', self::PREAMBLE.<<<'PHP'
            $request = request();
            if ($request['op'] === 'remove') { say(['id' => $request['id'], 'answer' => ['failures' => ['ours']]]); request(); exit; }
            say(['id' => $request['id'], 'events' => [['event' => 'settled', 'id' => 0]]]);
            say(ready($request['id']));
            request();
            PHP);
        $script = $this->script($this->dir.'/script', sprintf(
            <<<'PHP'
                require %s;
                $engine = new \Allegro\Plugin\Native\HelperEngine(%s);
                register_shutdown_function(static function () use ($engine): void { echo implode($engine->remove([])); });
                $engine->prepare([], static function (): void { exit(3); });
                PHP,
            var_export(dirname(__DIR__).'/bootstrap.php', true),
            var_export($helper, true)
        ));
        exec(escapeshellarg($script).' 2>&1', $output, $status);
        self::assertSame([['ours'], 3], [$output, $status]);
    }

    public function testTheAnswerToRemoveIsChecked(): void
    {
        $engine = $this->engine('request(); say(["id" => 1, "answer" => ["packages" => []]]); sleep(5);');
        $this->expectException(EngineException::class);
        $engine->remove(['/nowhere']);
    }

    public function testASignalHandlerMayEndTheWait(): void
    {
        if (!function_exists('pcntl_alarm')) {
            self::markTestSkipped('there is no pcntl');
        }
        $engine = $this->engine('request(); request();');
        $before = pcntl_async_signals(true);
        pcntl_signal(SIGALRM, static function (): void {
            throw new \DomainException('signal');
        });
        pcntl_alarm(1);
        $started = microtime(true);
        try {
            $this->prepare($engine);
            self::fail('taken');
        } catch (\DomainException $e) {
            self::assertLessThan(1.5, microtime(true) - $started);
        } finally {
            pcntl_signal(SIGALRM, SIG_DFL);
            pcntl_async_signals($before);
        }
    }
}
