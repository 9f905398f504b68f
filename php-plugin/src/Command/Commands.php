<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Composer\Plugin\Capability\CommandProvider;

/**
 * Our commands, asked for only when somebody types one or wants a list.
 */
final class Commands implements CommandProvider
{
    /**
     * {@inheritDoc}
     */
    public function getCommands(): array
    {
        return [new DoctorCommand(), new ResolveCommand()];
    }
}
