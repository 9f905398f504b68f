<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\DependencyResolver\Pool;

/**
 * Replaces Composer's solver class by ours.
 *
 * Composer's Installer creates its solver itself, so no interface allows another one. This class
 * therefore acts before Composer's class is loaded. It evaluates the source of that class under
 * another name. Our subclass of it then gets the name that the Installer uses.
 *
 * Composer itself loads updated plugins by this technique. Every run that is not an update of ours
 * is solved by Composer's own code.
 */
final class SolverClass
{
    /** The class name that the Installer uses. */
    private const NAME = 'Composer\DependencyResolver\Solver';

    /** The new short name of Composer's own class. */
    private const OTHER_NAME = 'ComposerSolver';

    /**
     * Replaces the class unless it is loaded already.
     *
     * @return bool whether the Installer gets our solver; false if Composer's own class is loaded
     *              already, or has an unexpected form
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
     * Returns the source of the class under another name, without its opening tag. Returns null
     * unless the source is one class that refers to itself as `self` only.
     *
     * In all versions from 2.0 to 2.11 the name occurs once.
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
