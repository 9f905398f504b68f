<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Job;
use Allegro\Plugin\Takeover\Processes;
use Allegro\Plugin\Tests\Support\TestCase;

final class ProcessesTest extends TestCase
{
    /**
     * @return iterable<string, array{list<int>, int, list<int>}>
     */
    public function queues(): iterable
    {
        yield 'one at a time' => [[3, 2, 1], 1, [0, 1, 2]];
        yield 'an update before installs' => [[3, 2, 2], 10, [1, 2, 0]];
        yield 'updates and installs in turn' => [[3, 2, 3, 1, 2], 10, [3, 1, 4, 0, 2]];
        yield 'what is short comes in when there is room' => [[3, 3, 1, 1], 2, [0, 1, 2, 3]];
        yield 'a long one does not hold up the others' => [[9, 2, 2, 2], 2, [1, 2, 3, 0]];
        yield 'all alike' => [array_fill(0, 25, 2), 10, range(0, 24)];
        yield 'none' => [[], 10, []];
        yield 'a limit that is none' => [[1, 1], 0, [0, 1]];
    }

    /**
     * @param list<int> $processes
     * @param list<int> $expected
     *
     * @dataProvider queues
     */
    public function testJobsAreOverAsTheirProcessesEnd(array $processes, int $most, array $expected): void
    {
        $jobs = array_map(static fn (int $count): Job => new Job(static fn () => null, $count), $processes);
        self::assertSame($expected, $this->places($jobs, Processes::inOrder($jobs, $most)));
    }

    public function testWhatIsLargeIsRemovedLastIfThatCounts(): void
    {
        $jobs = [];
        foreach ([1, 500, 2, 1] as $at => $files) {
            mkdir($this->dir.'/'.$at);
            for ($file = 0; $file < $files; ++$file) {
                touch($this->dir.'/'.$at.'/'.$file);
            }
            $jobs[] = new Job(static fn () => null, processes: 1, removed: $this->dir.'/'.$at, hasPrograms: $at === 1);
        }
        $jobs[] = new Job(static fn () => null, processes: 1, removed: $this->dir.'/none');
        self::assertSame([0, 2, 3, 4, 1], $this->places($jobs, Processes::inOrder($jobs, 10)));
        self::assertSame([0, 1, 2, 3, 4], $this->places($jobs, Processes::inOrder($jobs, 1)));
        // Where none or all have programs, the order makes no difference, and nothing is counted.
        unset($jobs[1]);
        self::assertSame([0, 1, 2, 3], $this->places(array_values($jobs), Processes::inOrder(array_values($jobs), 10)));
    }

    /**
     * @param list<Job> $jobs
     * @param list<Job> $order
     *
     * @return list<int>
     */
    private function places(array $jobs, array $order): array
    {
        return array_map(static fn (Job $one): int => (int) array_search($one, $jobs, true), $order);
    }
}
