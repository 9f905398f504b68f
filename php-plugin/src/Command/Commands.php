<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Plugin;
use Composer\Plugin\Capability\CommandProvider;

/**
 * Provides Allegro's commands. Composer asks for them only when a user types one of them or wants a
 * list.
 */
final class Commands implements CommandProvider
{
    /**
     * The plugin. The property doesn't have the type Plugin, because Composer evaluates the class
     * of an updated plugin under another name.
     *
     * @var Plugin
     */
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
