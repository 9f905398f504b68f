<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Io\Retold;
use Allegro\Plugin\Plugin;
use Allegro\Plugin\Resolve\DifferentChoice;
use Allegro\Plugin\Resolve\Explanation;
use Allegro\Plugin\Resolve\LockDiff;
use Allegro\Plugin\Resolve\SolverClass;
use Composer\Command\UpdateCommand;
use Composer\Composer;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterFactory;
use Composer\Installer;
use Seld\JsonLint\ParsingException;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `composer update --no-install`, whose versions the native part chooses. Options are those of the running Composer's
 * update; the lock is written by its Locker.
 */
final class ResolveCommand extends UpdateCommand
{
    /**
     * @param Plugin $plugin
     */
    public function __construct(private readonly object $plugin)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        parent::configure();
        $this->setName('resolve')
            ->setAliases([])
            ->setDescription('Updates composer.lock like `composer update`, in the time of an install; installs nothing')
            ->addOption('install', null, InputOption::VALUE_NONE, 'Goes on with the installation, as `composer update` does.')
            ->addOption('diff', null, InputOption::VALUE_OPTIONAL, 'Prints what changes in the lock: text (default), md or json.', false)
            ->addOption('explain', null, InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'Says why a package has its version, and what speaks against newer ones.')
            ->setHelp(
                "<info>resolve</info> writes the composer.lock that <info>composer update</info> would write, and takes its options.\n"
                ."Packages are neither downloaded nor installed, unless <info>--install</info> is given.\n\n"
                ."Where it is not certain that the result is Composer's (a plugin that changes the pool, an unusual kind of\n"
                .'repository), Composer resolves by itself; <info>-v</info> says why.'
            );
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        if ($input->getOption('install') !== true) {
            $input->setOption('no-install', true);
        }
        $diff = $this->format($input);
        $names = $input->getOption('explain');
        // Loaded before a package changes, so that an update of the plugin mixes no versions.
        $names === [] || class_exists(Explanation::class);
        $composer = method_exists($this, 'requireComposer') ? $this->requireComposer() : $this->getComposer(true);
        $locker = $composer->getLocker();
        $before = null;
        try {
            $before = $diff !== null && $locker->isLocked() ? $locker->getLockData() : null;
        } catch (ParsingException $e) {
            // Composer writes another.
        }
        $exit = $this->resolve($composer, $input, $output);
        if ($exit !== 0 || !$locker->isLocked()) {
            return $exit;
        }
        if ($diff !== null) {
            $changes = LockDiff::between($before, $locker->getLockData(), $composer->getConfig()->get('gitlab-domains'));
            $output->writeln($changes->render($diff), OutputInterface::OUTPUT_RAW);
        }
        if ($names !== []) {
            $ignored = $input->getOption('ignore-platform-reqs') === true ?: ($input->getOption('ignore-platform-req') ?: false);
            $explanation = new Explanation(
                $composer,
                $locker->getLockedRepository(isset($locker->getLockData()['packages-dev']))->getPackages(),
                PlatformRequirementFilterFactory::fromBoolOrList($ignored)
            );
            foreach ($names as $name) {
                $output->writeln($explanation->of($name), OutputInterface::OUTPUT_RAW);
            }
        }

        return $exit;
    }

    /**
     * How the difference is to be shown, if it is.
     */
    private function format(InputInterface $input): ?string
    {
        $diff = $input->getOption('diff');
        if ($diff === false && !$input->hasParameterOption('--diff')) {
            return null;
        }
        // Without a value it is null, or with the consoles of older Composers what it is by default.
        $diff = is_string($diff) ? $diff : LockDiff::FORMATS[0];
        if (!in_array($diff, LockDiff::FORMATS, true)) {
            throw new \InvalidArgumentException('--diff='.$diff.' is not known; say --diff, --diff=md or --diff=json');
        }
        if ($diff !== LockDiff::FORMATS[0]) {
            if ($input->getOption('explain') !== []) {
                throw new \InvalidArgumentException('--explain is text: it can not be had together with --diff='.$diff);
            }
            // New Composers tell the result of the audit on standard output, where a program reads ours.
            $input->hasOption('no-audit') && $input->setOption('no-audit', true);
        }

        return $diff;
    }

    private function resolve(Composer $composer, InputInterface $input, OutputInterface $output): int
    {
        $session = $this->plugin->session();
        $resolution = $session === null ? null : $session->resolution($composer);
        if ($resolution === null) {
            return (int) parent::execute($input, $output);
        }
        SolverClass::replace();
        $resolution->takeOver();

        return Retold::during($output, function (callable $again) use ($resolution, $input, $output): int {
            try {
                $exit = (int) parent::execute($input, $output);
                if ($exit !== Installer::ERROR_DEPENDENCY_RESOLUTION_FAILED || !$resolution->wasUsed()) {
                    return $exit;
                }
                $reason = 'with the chosen versions there is no solution';
            } catch (DifferentChoice $e) {
                $reason = $e->getMessage();
            }
            $again();
            $resolution->retire($reason);

            return (int) parent::execute($input, $output);
        });
    }
}
