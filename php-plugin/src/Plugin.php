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
 * Entry of the plugin: decides whether to take part and hands the events on.
 *
 * Kept small on purpose: when the plugin is updated in a run, Composer evaluates this class anew from the new
 * source while all other classes stay the old ones.
 */
final class Plugin implements PluginInterface, EventSubscriberInterface, Capable
{
    /** @var Session|null */
    private $session;

    public function activate(Composer $composer, IOInterface $io): void
    {
        $watch = Guard::watch(static fn (\Throwable $fault, bool $isTold) => $isTold || (new Report($io))->fault($fault));
        Guard::attempt(function () use ($composer, $io): void {
            // Composer subscribes us, whether we take part or not.
            Subscription::withoutAutoloader($composer->getEventDispatcher(), $this, array_column(self::getSubscribedEvents(), 0));
            if (Session::wanted($composer)) {
                $this->session = Session::open($composer, $io);
            }
        });
        Guard::forget($watch);
    }

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
     * What Allegro has in this Composer instance; null where it doesn't take part.
     */
    public function session(): ?Session
    {
        return $this->session;
    }

    /**
     * @return array<class-string, class-string>
     */
    public function getCapabilities(): array
    {
        return [CommandProvider::class => Commands::class];
    }

    /**
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

    public function onOperationsDone(): void
    {
        $session = $this->session;
        if ($session !== null) {
            Guard::attempt(static fn () => $session->summarize());
        }
    }
}
