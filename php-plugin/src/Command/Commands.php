<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Plugin;
use Composer\Plugin\Capability\CommandProvider;

/**
 * Our commands, asked for only when somebody types one or wants a list.
 */
final class Commands implements CommandProvider
{
    /** @var Plugin no type: when the plugin is updated in a run, its class is evaluated anew under another name */
    private readonly object $plugin;

    /**
     * @param array{plugin: Plugin} $arguments what Composer gives each capability
     */
    public function __construct(array $arguments)
    {
        $this->plugin = $arguments['plugin'];
    }

    /**
     * {@inheritDoc}
     */
    public function getCommands(): array
    {
        return Guard::run(fn (): array => [new DoctorCommand(), new ResolveCommand($this->plugin)], static fn (): array => []);
    }
}
