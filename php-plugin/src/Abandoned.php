<?php

declare(strict_types=1);

namespace Allegro\Plugin;

/**
 * Leaves code of Composer in which something of ours has failed: Composer does the whole once more by itself.
 */
final class Abandoned extends \Exception implements Deliberate
{
    public function __construct()
    {
        parent::__construct('abandoned');
    }
}
