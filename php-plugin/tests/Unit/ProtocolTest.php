<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Autoload\ClassMapMaker;
use Allegro\Plugin\Autoload\Dump;
use Allegro\Plugin\Autoload\DumpMethod;
use Allegro\Plugin\Autoload\Unchanged;
use Allegro\Plugin\Command\Diagnosis;
use Allegro\Plugin\Install\RefusedException;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\HelperEngine;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Resolve\Explanation;
use Allegro\Plugin\Resolve\LockDiff;
use Allegro\Plugin\Resolve\Judge;
use Allegro\Plugin\Resolve\Resolution;
use Allegro\Plugin\Takeover\IndexedLocker;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\Server;
use Allegro\Plugin\Tests\Support\Shapes;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\ClassMapGenerator\ClassMapGenerator;
use Composer\Config;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterFactory;
use Composer\Installer;
use Composer\IO\BufferIO;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\PackageInterface;
use Composer\Package\Link;
use Composer\Package\RootPackage;
use Composer\Repository\InstalledArrayRepository;
use Composer\Repository\PlatformRepository;
use Composer\Semver\Constraint\MatchAllConstraint;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Output\NullOutput;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * The plugin's side of the protocol: its shapes, the documents in `tests/protocol/`, the requests that it builds and the
 * answers that it reads.
 */
final class ProtocolTest extends TestCase
{
    /** Logs each request and gives the answer that `$answer($operation, $request)` returns, with its texts. */
    private const HELPER = <<<'PHP'
        while (($line = fgets(STDIN)) !== false) {
            file_put_contents(__DIR__.'/requests', $line, FILE_APPEND);
            $call = json_decode($line, true);
            $given = $answer($call['op'], $call['request']);
            $texts = $given['texts'] ?? [];
            unset($given['texts']);
            echo json_encode(['id' => $call['id'], 'texts' => count($texts), 'answer' => $given]), "\n";
            foreach ($texts as $text) {
                echo $text, "\n";
            }
        }
        PHP;

    private static ?Shapes $shapes = null;

    private static function shapes(): Shapes
    {
        return self::$shapes ??= new Shapes((string) file_get_contents(self::root().'/php-plugin/src/Native/Protocol.php'));
    }

    private static function assertFits(string $type, mixed $value): void
    {
        self::assertNull(self::shapes()->misfit($type, $value));
    }

    /**
     * @return list<mixed> documents of a message that are spelled out
     */
    private static function documents(string $message): array
    {
        return json_decode((string) file_get_contents(self::root().'/tests/protocol/'.$message.'.json'), true, 512, JSON_THROW_ON_ERROR)['documents'];
    }

    /**
     * @param string $answer PHP code of a function
     */
    private function engine(string $answer): HelperEngine
    {
        return new HelperEngine($this->script($this->dir.'/helper', '$answer = '.$answer.";\n".self::HELPER));
    }

    /**
     * An engine that gives one answer to all requests.
     */
    private function answering(mixed $answer): HelperEngine
    {
        return $this->engine('static fn (): array => '.var_export($answer, true));
    }

    /**
     * @return list<array{string, mixed}> operations and requests that a helper was asked for
     */
    private function requests(string $dir): array
    {
        $calls = array_map(static fn (string $line): array => json_decode($line, true), (array) file($dir.'/requests'));

        return array_map(static fn (array $call): array => [$call['op'], $call['request']], $calls);
    }

    private function assertRequestsFit(string $dir, string ...$operations): void
    {
        $requests = $this->requests($dir);
        self::assertSame($operations, array_column($requests, 0));
        foreach ($requests as [$operation, $request]) {
            self::assertFits(self::type($operation.'_request'), $request);
        }
    }

    private static function type(string $message): string
    {
        return str_replace('_', '', ucwords($message, '_'));
    }

    public function testTheNumberIsThatOfTheCore(): void
    {
        $source = (string) file_get_contents(self::root().'/src/protocol.rs');
        self::assertSame(1, preg_match('{^pub const VERSION: u32 = (\d+);$}m', $source, $match));
        self::assertSame((int) $match[1], Protocol::VERSION);
        foreach (self::documents('info_answer') as $document) {
            self::assertSame(Protocol::VERSION, $document['protocol']);
        }
    }

    /**
     * Every document has its shape, and every alternative of a shape occurs in a document: keys that may be absent once
     * present and once absent, each member of a union, each list with an element.
     */
    public function testDocumentsAndShapesAgree(): void
    {
        $shapes = self::shapes();
        $files = (array) glob(self::root().'/tests/protocol/*.json');
        self::assertGreaterThan(20, count($files));
        foreach ($files as $file) {
            $golden = json_decode((string) file_get_contents((string) $file), true, 512, JSON_THROW_ON_ERROR);
            $short = $golden['short'] ?? [];
            foreach ([...$golden['documents'], ...array_column($short, 'sent'), ...array_column($short, 'read')] as $document) {
                self::assertNull($shapes->misfit(self::type(basename((string) $file, '.json')), $document), (string) $file);
            }
        }
        // Texts follow an answer's document, which has only their number.
        self::assertFits('ResolveAnswer', ['texts' => ['{}']] + self::documents('resolve_answer')[0]);
        self::assertSame([], $shapes->unmet());
    }

    public function testTheStubRepeatsTheShapes(): void
    {
        $source = (string) file_get_contents(self::root().'/ext/allegro.stub.php');
        self::assertSame(self::shapes()->sources(), (new Shapes($source))->sources());
        preg_match_all('{/\*\*((?:(?!\*/).)*)\*/\s*function (\w+)\((array \$request)?}s', $source, $functions, PREG_SET_ORDER);
        self::assertGreaterThan(8, count($functions));
        foreach ($functions as $function) {
            [, $comment, $name] = $function;
            if ($name === 'version') {
                continue;
            }
            self::assertStringContainsString(' * @return '.self::type($name.'_answer')."\n", $comment);
            if (isset($function[3])) {
                self::assertMatchesRegularExpression('{ \* @param '.self::type($name.'_request').' +\$request\n}', $comment);
            }
        }
    }

    public function testSmallRequests(): void
    {
        $engine = $this->engine(<<<'PHP'
            static fn (string $operation): array => [
                'warm_up' => [],
                'remove' => ['failures' => []],
                'replace' => ['replaced' => true],
                'diagnose' => ['version' => '1'],
            ][$operation]
            PHP);
        $engine->warmUp(7);
        $engine->remove([$this->dir.'/a', $this->dir.'/b']);
        $engine->replace($this->dir.'/a', $this->dir.'/b');
        $engine->diagnose($this->dir.'/vendor');
        $this->assertRequestsFit($this->dir, 'warm_up', 'remove', 'replace', 'diagnose');
    }

    public function testPackagesAreRequested(): void
    {
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
        $package = $this->packageWithScript(<<<'PHP'
            $answer = static function (string $operation, array $request): array {
                if ($operation === 'remove') {
                    return ['failures' => []];
                }
                $packages = [];
                foreach ($request['packages'] as $package) {
                    $packages[] = ['id' => $package['id']] + (isset($package['fetch'])
                        ? ['outcome' => 'failed', 'kind' => 'integrity', 'code' => 'integrity', 'message' => 'torn', 'hint' => null]
                        : ['outcome' => 'missing']);
                }

                return ['packages' => $packages, 'method' => null, 'notices' => [], 'made' => [0, 0]];
            };

            PHP.self::HELPER);
        $project = (new Project($this->dir.'/project'))->useAllegro($package);
        $plain = Project::package('acme/plain', 'https://dist.example.org/plain.zip');
        $special = Project::package('acme/special', 'https://me:secret@dist.example.org/special.tar.gz');
        $special->setBinaries(['bin/special']);
        $special->setTransportOptions(['ssl' => ['cafile' => $this->dir.'/ca.pem']]);
        try {
            $project->execute([new InstallOperation($plain), new InstallOperation($special)]);
            self::fail('installed');
        } catch (RefusedException $e) {
            self::assertStringContainsString('torn', $e->getMessage());
        }
        $requests = array_column(array_filter($this->requests($package.'/native/'.self::platform()), static fn (array $call): bool => $call[0] === 'prepare'), 1);
        self::assertCount(2, $requests);
        foreach ($requests as $request) {
            self::assertFits('PrepareRequest', $request);
        }
        self::assertSame([false, true], array_map(static fn (array $package): bool => isset($package['fetch']['tls']), $requests[1]['packages']));
    }

    public function testADumpIsRequested(): void
    {
        $engine = $this->engine(<<<'PHP'
            static fn (string $operation): array => [
                'unchanged' => ['unchanged' => false, 'said' => '', 'classes' => 0],
                'scan' => [
                    'outcome' => 'scanned', 'files' => [], 'names' => [], 'at' => [], 'ambiguous' => [],
                    'rejected' => [], 'digest' => '00', 'covered' => 0, 'read' => 0,
                ],
                'dumped' => ['noted' => true],
            ][$operation]
            PHP);
        $placed = ['path' => $this->dir.'/a', 'dist' => self::documents('scan_request')[0]['placed'][0]['dist'], 'plain_modes' => false, 'made' => [1, 2]];
        $maker = self::maker($engine, $this->dir, [$placed]);
        $dump = self::dump($engine, $maker);
        $dump->check([], ['classMapAuthoritative' => false]);
        self::assertTrue($maker->make(new ClassMapGenerator(['php']), [['src'], [$this->dir.'/lib', '{x}', 'psr-4', 'App\\']]));
        $dump->done([$this->dir.'/autoload.php' => 'sum', $this->dir.'/files.php' => null], 'said', 3, ['classMapAuthoritative' => false]);
        $this->assertRequestsFit($this->dir, 'unchanged', 'scan', 'dumped');
    }

    /**
     * @param list<mixed> $placed
     */
    private static function maker(Engine $engine, string $vendorDir, array $placed = []): ClassMapMaker
    {
        return new ClassMapMaker($engine, new NullIO(), $vendorDir, static fn (): array => $placed, self::root().'/php-plugin/resources/dialect.php');
    }

    private static function dump(Engine $engine, ClassMapMaker $maker): Dump
    {
        $method = DumpMethod::read();
        self::assertNotNull($method);

        return new Dump($engine, $maker, $method, new Config(), new InstalledArrayRepository(), new RootPackage('a/a', '1', '1'), []);
    }

    public function testAResolutionIsRequested(): void
    {
        $server = new Server($this->dir.'/web');
        file_put_contents($this->dir.'/web/packages.json', '{"packages": [], "metadata-url": "/p2/%package%.json"}');
        $versions = ['packages' => ['acme/far' => [['name' => 'acme/far', 'version' => '1.0.0', 'version_normalized' => '1.0.0.0']]]];
        mkdir($this->dir.'/web/p2/acme', 0777, true);
        file_put_contents($this->dir.'/web/p2/acme/far.json', json_encode($versions, JSON_THROW_ON_ERROR));
        $inline = ['name' => 'acme/near', 'version' => 'dev-main', 'require' => ['acme/far' => '^1.0 || 3.*'], 'extra' => ['branch-alias' => ['dev-main' => '1.x-dev']]];
        $project = new Project($this->dir.'/project', [
            'require' => ['acme/near' => '1.x-dev as 2.0', 'acme/far' => '>=1,<2', 'php' => '*'],
            'require-dev' => ['acme/near' => '*'],
            'conflict' => ['acme/far' => '1.5.0'],
            'repositories' => [
                ['type' => 'package', 'package' => $inline, 'only' => ['acme/*']],
                ['type' => 'composer', 'url' => rtrim($server->url(''), '/'), 'exclude' => ['other/*'], 'canonical' => false],
                ['packagist.org' => false],
            ],
        ]);
        $composer = $project->composer;
        $composer->setLocker(new IndexedLocker(
            $project->io,
            new JsonFile($project->dir.'/composer.lock', null, $project->io),
            $composer->getInstallationManager(),
            (string) file_get_contents($project->dir.'/composer.json')
        ));
        $engine = $this->engine('static fn (): array => ["outcome" => "declined", "reason" => "of a test"]');
        $resolution = new Resolution($composer, $project->io, $engine, new Sources($composer, $project->io), new Report($project->io));
        $update = static fn (): int => Installer::create($project->io, $composer)->setUpdate(true)->setInstall(false)->setRunScripts(false)->run();
        self::assertSame(0, $resolution->run($update, new NullOutput()), $project->io->getOutput());
        $this->assertRequestsFit($this->dir, 'resolve');
        $problem = $this->requests($this->dir)[0][1]['problem'];
        self::assertEqualsCanonicalizing(['fixed', 'list', 'metadata'], array_unique(array_column($problem['repositories'], 'kind')));
    }

    public function testChangesOfALockAreRequested(): void
    {
        $engine = $this->engine('static fn (): array => ["text" => "said"]');
        $whole = [
            'name' => 'acme/far',
            'version' => '1.0.0',
            'source' => ['type' => 'git', 'url' => 'https://git.example.org/acme/far.git', 'reference' => '0123'],
            'dist' => ['type' => 'zip', 'url' => 'https://git.example.org/far.zip', 'reference' => '4567'],
        ];
        $bare = ['name' => 'acme/near', 'version' => 'dev-main'];
        $after = ['packages' => [$whole], 'packages-dev' => [$bare]];
        foreach (LockDiff::FORMATS as $format) {
            self::assertSame('said', LockDiff::describe($engine, null, $after, ['gitlab.com'], $format));
        }
        $this->assertRequestsFit($this->dir, 'lock_diff', 'lock_diff', 'lock_diff');
        $request = $this->requests($this->dir)[0][1];
        self::assertSame([], $request['before']);
        $entry = ['url' => null, 'source_reference' => null, 'dist_reference' => null];
        self::assertSame(['name' => 'acme/near', 'version' => 'dev-main', 'is_dev' => true] + $entry, $request['after'][1]);
        self::assertSame(['0123', '4567'], [$request['after'][0]['source_reference'], $request['after'][0]['dist_reference']]);
    }

    public function testExplanationsAreRequested(): void
    {
        $versions = [
            ['name' => 'acme/near', 'version' => 'dev-main', 'extra' => ['branch-alias' => ['dev-main' => '1.x-dev']]],
            ['name' => 'acme/near', 'version' => '2.0', 'require' => ['php' => '>=99', 'ext-none' => '*', 'acme/far' => '^1.0 || 3.*'], 'conflict' => ['ext-json' => '*']],
        ];
        $project = new Project($this->dir.'/project', [
            'require' => ['acme/near' => '@dev'],
            'require-dev' => ['acme/far' => '>=1,<2'],
            'conflict' => ['acme/old' => '*'],
            'minimum-stability' => 'beta',
            'repositories' => [['type' => 'package', 'package' => $versions], ['packagist.org' => false]],
        ]);
        $locked = array_filter(
            $project->composer->getRepositoryManager()->findPackages('acme/near', '*'),
            static fn (PackageInterface $package): bool => $package->isDev()
        );
        self::assertCount(2, $locked, 'a branch and its alias');
        $explanation = new Explanation($project->composer, $locked, PlatformRequirementFilterFactory::fromBoolOrList(['ext-n*']));
        $engine = $this->engine('static fn (): array => ["lines" => ["said"]]');
        self::assertSame(['said'], $explanation->of($engine, ['Acme/Near', 'acme/far']));
        $this->assertRequestsFit($this->dir, 'explain');
        $request = $this->requests($this->dir)[0][1];
        self::assertSame(['acme/near', 'acme/far'], array_column($request['subjects'], 'name'));
        self::assertSame(['dev-main', '2.0'], array_column($request['subjects'][0]['candidates'], 'pretty'));
        self::assertSame([], $request['subjects'][1]['candidates'], 'nothing is locked');
        self::assertSame(['dev-main', '1.x-dev'], [$request['locked'][0]['pretty'], $request['aliases'][0]['pretty']]);
        self::assertSame(['php', 'ext-json'], array_column($request['platform'], 'name'));
        self::assertSame(['ext-none'], $request['ignored']);
        self::assertSame([10, [['acme/near', 20]]], [$request['project']['minimum_stability'], $request['project']['stability_flags']]);
        self::assertSame(['@dev', '>=1,<2'], array_column($request['project']['requires'], 2));
    }

    public function testAnswersPassTheHelperEngine(): void
    {
        foreach (self::documents('prepare_answer') as $document) {
            self::assertSame($document, $this->answering($document)->prepare([], null));
        }
        foreach (self::documents('scan_answer') as $document) {
            self::assertSame($document, $this->answering($document)->scan([]));
        }
        foreach (self::documents('unchanged_answer') as $document) {
            self::assertSame($document, $this->answering($document)->unchanged([]));
        }
        foreach (self::documents('resolve_answer') as $document) {
            $described = array_filter(array_column($document['packages'] ?? [], 'repository'), 'is_int');
            $texts = array_fill(0, count($described) + ($document['constraints'] ?? 0), '{}');
            $document += $texts === [] ? [] : ['texts' => $texts];
            self::assertSame($document, $this->answering($document)->resolve([], null));
        }
        foreach (self::documents('lock_diff_answer') as $document) {
            self::assertSame($document['text'], $this->answering($document)->lockDiff([]));
        }
        foreach (self::documents('explain_answer') as $document) {
            self::assertSame($document['lines'], $this->answering($document)->explain([]));
        }
        foreach (self::documents('mend_answer') as $document) {
            self::assertSame($document, $this->answering($document)->mend([]));
        }
        foreach (self::documents('remove_answer') as $document) {
            self::assertSame($document['failures'], $this->answering($document)->remove([]));
        }
        foreach (self::documents('replace_answer') as $document) {
            self::assertSame($document['replaced'], $this->answering($document)->replace('', ''));
        }
    }

    public function testErrorsAreRead(): void
    {
        foreach (self::documents('error_answer') as $document) {
            $message = EngineException::fromHelper($document)->getMessage();
            self::assertStringStartsWith($document['message'], $message);
            self::assertStringEndsWith($document['hint'] ?? $document['message'], $message);
        }
    }

    public function testEventsAreRead(): void
    {
        $io = new BufferIO('', StreamOutput::VERBOSITY_VERBOSE);
        $report = new Report($io);
        $report->begin([3 => 'acme/three']);
        $events = self::documents('event');
        $report->events($events);
        $report->end(1.0);
        foreach ($events as $event) {
            foreach (array_intersect_key($event, ['reason' => 0, 'message' => 0]) as $text) {
                self::assertStringContainsString($text, $io->getOutput());
            }
        }
    }

    public function testDiagnosesAreRead(): void
    {
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
        $project = new Project($this->dir.'/project');
        foreach (self::documents('diagnose_answer') as $index => $document) {
            $package = dirname($this->script(
                $this->dir.'/package'.$index.'/native/'.self::platform().'/allegro',
                '$answer = static fn (): array => '.var_export($document, true).";\n".self::HELPER
            ), 3);
            $diagnosis = Diagnosis::of($project->composer, new EngineFinder($package, new NullIO()), true);
            $lines = implode("\n", $diagnosis->lines());
            self::assertStringContainsString($document['store']['path'], $lines);
            self::assertStringContainsString($document['problem'] ?? 'Allegro works here', $lines);
            self::assertSame($document, $diagnosis->facts()['native']);
        }
    }

    public function testClassMapsAreRead(): void
    {
        [$scanned, , $unsure, $declined] = self::documents('scan_answer');
        $engine = $this->createMock(Engine::class);
        $engine->method('scan')->willReturnOnConsecutiveCalls($scanned, $unsure, $declined);
        $maker = self::maker($engine, $this->dir);
        $generator = new ClassMapGenerator(['php']);
        self::assertTrue($maker->make($generator, [['/project/src', null, 'psr-4', 'App\\']]));
        self::assertSame($scanned['digest'], $maker->digest());
        $map = $generator->getClassMap();
        self::assertSame(['App\Foo' => '/project/src/Foo.php', 'Bar' => '/project/vendor/b/b/Bar.php', "\xff" => '/project/vendor/b/b/Bar.php'], $map->getMap());
        self::assertStringContainsString('App\Right', implode("\n", $map->getPsrViolations()));
        // The file that only PHP can read isn't there.
        self::assertFalse($maker->make(new ClassMapGenerator(['php']), []));
        self::assertFalse($maker->make(new ClassMapGenerator(['php']), []));
    }

    public function testAnUnchangedDumpIsRead(): void
    {
        foreach (self::documents('unchanged_answer') as $document) {
            $engine = $this->createMock(Engine::class);
            $engine->method('unchanged')->willReturn($document);
            try {
                self::dump($engine, self::maker($engine, $this->dir))->check([], ['classMapAuthoritative' => false]);
                self::assertFalse($document['unchanged']);
            } catch (Unchanged $e) {
                self::assertTrue($document['unchanged']);
                self::assertSame([$document['said'], $document['classes']], [$e->said, $e->classes]);
            }
        }
    }

    public function testVerdictsAreRead(): void
    {
        $composer = (new Project($this->dir.'/project'))->composer;
        $composer->getConfig()->merge(['config' => ['platform' => ['php' => '5.6.1', 'ext-none' => '1.0', 'ext-json' => false]]]);
        $composer->getPackage()->setRequires(['acme/one' => new Link('__root__', 'acme/one', new MatchAllConstraint(), Link::TYPE_REQUIRE, '<b>')]);
        $question = self::documents('resolve_request')[0];
        $machine = (new PlatformRepository())->findPackage('php', '*');
        self::assertNotNull($machine);
        $expected = $question;
        $expected['problem']['written'] = [['acme/one', '<b>']];
        $expected['problem']['overridden'] = [
            ['name' => 'php', 'real' => [$machine->getVersion(), $machine->getPrettyVersion()]],
            ['name' => 'ext-none', 'real' => null],
        ];
        foreach (self::documents('resolve_answer') as $document) {
            $engine = $this->createMock(Engine::class);
            $engine->expects(self::once())->method('resolveMeanwhile')->with($expected)->willReturn(static fn (): array => $document);
            $lines = (new Judge($composer, $engine))->meanwhile($question)();
            self::assertSame($document['lines'] ?? [], $lines);
        }
        self::assertFits('ResolveRequest', $expected);
        $engine = $this->createMock(Engine::class);
        $engine->method('resolveMeanwhile')->willReturn(static fn (): array => ['outcome' => 'unsolvable', 'lines' => ['<b>']]);
        self::assertSame([OutputFormatter::escape('<b>')], (new Judge($composer, $engine))->meanwhile($question)());
    }
}
