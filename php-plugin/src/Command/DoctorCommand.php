<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Session;
use Composer\Command\BaseCommand;
use Composer\Factory;
use Composer\IO\NullIO;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Implements `composer allegro:doctor`: explains the parts that Allegro uses here, and suggests
 * faster ones.
 */
final class DoctorCommand extends BaseCommand
{
    /**
     * Declares the name, options and help of the command.
     */
    protected function configure(): void
    {
        $this->setName('allegro:doctor')
            ->setDescription('Says what Allegro uses here and why, and what would be faster')
            ->setDefinition([new InputOption('json', null, InputOption::VALUE_NONE, 'The same as JSON')])
            ->setHelp(
                "Tries out what an install in this project would use: the native part, the store and the way in\n"
                ."which files get into vendor. Nothing that it makes is left behind. Without a composer.json it tries out\n"
                ."what a project in this directory would use.\n\n"
                .'The exit code is 1 if Allegro can not work here; Composer then installs by itself.'
            );
    }

    /**
     * Prints the diagnosis, or the description of a fault.
     */
    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        return Guard::run(fn (): int => $this->diagnose($input, $output), static function (\Throwable $fault) use ($output): int {
            // The fault itself is the finding of the command.
            $output->writeln(array_merge(['Allegro has made a mistake:'], Guard::describe($fault)), OutputInterface::OUTPUT_RAW);

            return 1;
        });
    }

    /**
     * Prints the diagnosis, and returns the exit code.
     */
    private function diagnose(InputInterface $input, OutputInterface $output): int
    {
        // @mago-expect analysis:deprecated-method tryComposer() exists since Composer 2.3.
        $composer = method_exists($this, 'tryComposer') ? $this->tryComposer() : $this->getComposer(false);
        // Without a composer.json the command examines the configuration of a new project in this
        // directory.
        $composer ??= Factory::create($this->getIO(), []);
        $diagnosis = Diagnosis::of(
            $composer,
            new EngineFinder(dirname(__DIR__, 3), new NullIO()),
            Session::wanted($composer)
        );
        if ($input->getOption('json')) {
            $output->writeln(
                json_encode($diagnosis->facts(), JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR),
                OutputInterface::OUTPUT_RAW
            );
        } else {
            $output->writeln($diagnosis->lines());
        }

        return $diagnosis->works() ? 0 : 1;
    }
}
