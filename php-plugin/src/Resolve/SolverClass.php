<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\DependencyResolver\Pool;

/**
 * Puts our solver where Composer's own is.
 *
 * The Installer makes its solver by itself and asks nobody for one. So before that class is loaded for the first time,
 * its source is evaluated under another name, ours is made a subclass of it, and gets the name that the Installer uses.
 * Composer loads updated plugins in this way. Whatever isn't an update of ours is solved by Composer's own code.
 */
final class SolverClass
{
    /** What the Installer asks for. */
    private const NAME = 'Composer\DependencyResolver\Solver';

    /** Composer's own class, where ours has its name. */
    private const OTHER_NAME = 'ComposerSolver';

    /**
     * @return bool whether the Installer gets ours; no if Composer's own is loaded already, or isn't of the expected kind
     */
    public static function replace(): bool
    {
        if (class_exists(self::NAME, false)) {
            return is_a(self::NAME, ChosenSolver::class, true);
        }
        $file = (new \ReflectionClass(Pool::class))->getFileName();
        $source = $file === false ? false : @file_get_contents(dirname($file).'/Solver.php');
        $source = $source === false ? null : self::renamed($source);
        if ($source === null) {
            return false;
        }
        try {
            eval($source);
        } catch (\ParseError $e) {
            return false;
        }

        return class_alias(ChosenSolver::class, self::NAME);
    }

    /**
     * The source, without its opening tag, of a class of another name; null if it isn't one class that speaks of itself
     * as `self` only. In all versions from 2.0 to 2.11 the name stands there once.
     */
    private static function renamed(string $source): ?string
    {
        $start = '<?php';
        if (!str_starts_with($source, $start) || preg_match_all('{\b(?:Solver|(?i:__DIR__|__FILE__))\b}', $source) !== 1) {
            return null;
        }
        $code = preg_replace('{^((?:final )?class )Solver$}m', '${1}'.self::OTHER_NAME, substr($source, strlen($start)), 1, $count);

        return $count === 1 ? $code : null;
    }
}
