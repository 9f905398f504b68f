<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Allegro\Plugin\Command\Commands;
use Allegro\Plugin\Io\Report;
use Composer\Composer;
use Composer\EventDispatcher\EventSubscriberInterface;
use Composer\Installer\InstallerEvent;
use Composer\Installer\InstallerEvents;
use Composer\IO\IOInterface;
use Composer\Plugin\Capability\CommandProvider;
use Composer\Plugin\Capable;
use Composer\Plugin\PluginEvents;
use Composer\Plugin\PluginInterface;
use Composer\Script\ScriptEvents;

/**
 * Enters Allegro into Composer: decides whether to take part in a run, and passes events on.
 *
 * This class is small on purpose. When a run updates the plugin, Composer evaluates this class anew
 * from the new source. All other classes stay the old ones.
 */
final class Plugin implements PluginInterface, EventSubscriberInterface, Capable
{
    /** @var Session|null */
    private $session;

    /**
     * Opens a session if Allegro takes part in runs of this Composer instance.
     */
    public function activate(Composer $composer, IOInterface $io): void
    {
        $watch = Guard::watch(static function (\Throwable $fault, bool $isTold) use ($io): void {
            if (!$isTold) {
                (new Report($io))->fault($fault);
            }
        });
        Guard::attempt(function () use ($composer, $io): void {
            /** @var list<string> $methods */
            $methods = array_column(self::getSubscribedEvents(), 0);
            // Composer subscribes this plugin to its events, even if Allegro takes no part.
            Subscription::withoutAutoloader($composer->getEventDispatcher(), $this, $methods);
            if (getenv('ALLEGRO_PLAYED_EVENTS') !== false) {
                PlayedEvents::leaveOut($composer);
            }
            if (Session::wanted($composer)) {
                $this->session = Session::open($composer, $io);
            }
        });
        Guard::forget($watch);
    }

    /**
     * Closes the session.
     */
    public function deactivate(Composer $composer, IOInterface $io): void
    {
        $session = $this->session;
        $this->session = null;
        if ($session !== null) {
            Guard::attempt(static fn () => $session->close());
        }
    }

    public function uninstall(Composer $composer, IOInterface $io): void
    {
    }

    /**
     * Returns Allegro's session in this Composer instance, or null if Allegro takes no part.
     */
    public function session(): ?Session
    {
        return $this->session;
    }

    /**
     * Returns the provider of Allegro's commands.
     *
     * @return array<class-string, class-string>
     */
    public function getCapabilities(): array
    {
        return [CommandProvider::class => Commands::class];
    }

    /**
     * Returns the methods that listen to Composer's events, with their priorities.
     *
     * @return array<string, array{string, int}>
     */
    public static function getSubscribedEvents(): array
    {
        return [
            PluginEvents::COMMAND => ['onCommand', 0],
            InstallerEvents::PRE_OPERATIONS_EXEC => ['onOperations', PHP_INT_MAX],
            ScriptEvents::PRE_AUTOLOAD_DUMP => ['onOperationsDone', PHP_INT_MAX],
            ScriptEvents::POST_INSTALL_CMD => ['onOperationsDone', PHP_INT_MAX],
            ScriptEvents::POST_UPDATE_CMD => ['onOperationsDone', PHP_INT_MAX],
        ];
    }

    /**
     * Prepares Allegro for a command that begins.
     *
     * @param \Composer\Plugin\CommandEvent $event
     */
    public function onCommand($event): void
    {
        $session = $this->session;
        if ($session !== null) {
            Guard::attempt(static fn () => $session->beginCommand($event->getCommandName(), $event->getInput()));
        }
    }

    /**
     * Prepares Allegro for operations that Composer is about to execute.
     *
     * @param InstallerEvent $event
     */
    public function onOperations($event): void
    {
        $session = $this->session;
        $transaction = $event->getTransaction();
        if ($session !== null && $transaction !== null) {
            Guard::attempt(static fn () => $session->beginOperations($transaction->getOperations()));
        }
    }

    /**
     * Prints the summary of the packages that Allegro has installed.
     */
    public function onOperationsDone(): void
    {
        $session = $this->session;
        if ($session !== null) {
            Guard::attempt(static fn () => $session->summarize());
        }
    }
}
