<?php

declare(strict_types=1);

namespace Allegro\Plugin;

/**
 * Unwinds a method of Composer in which Allegro's code has failed. The catcher has Composer repeat
 * the whole work by itself.
 */
final class AbandonedException extends \Exception implements Deliberate
{
    public function __construct()
    {
        parent::__construct('abandoned');
    }

    /**
     * Throws the exception, where a callable is wanted.
     *
     * @throws self
     */
    public static function abandon(): never
    {
        throw new self();
    }
}
