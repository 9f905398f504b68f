<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Names the states of a package between Composer's calls of download() and cleanup().
 */
enum TicketState
{
    /** The native part has not answered for the package yet. */
    case Waiting;

    /** The package is complete in the staging directory. */
    case Ready;

    /** Allegro has failed with the package, and Composer installs it when its turn comes. */
    case GivenUp;

    /** Composer downloads and installs the package by its own code. */
    case Declined;

    /** The package is at its install path. */
    case Placed;

    /** The run was aborted before the package was at its install path. */
    case Abandoned;
}
