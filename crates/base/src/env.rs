//! Names every environment variable that Allegro reads.

/// Directory of the store. The default is `allegro` in the platform's cache directory.
pub const STORE: &str = "ALLEGRO_STORE";
/// Method that brings files from the store into a project: `auto`, `reflink`, `hardlink` or `copy`.
pub const LINK_STRATEGY: &str = "ALLEGRO_LINK_STRATEGY";
/// Number of concurrent dist downloads, 1 to 32.
pub const WORKERS: &str = "ALLEGRO_WORKERS";
/// Switch that turns Allegro off. Any value but `0` and the empty one counts; the plugin reads it.
pub const DISABLE: &str = "ALLEGRO_DISABLE";
/// Milliseconds without a received byte after which a download is given up.
pub const IDLE_TIMEOUT_MS: &str = "ALLEGRO_IDLE_TIMEOUT_MS";
/// Milliseconds without progress after which the plugin gives the helper up. The plugin reads it.
pub const PATIENCE_MS: &str = "ALLEGRO_PATIENCE_MS";
/// Switch for verification. With `always`, each blob of the store is read and compared with its
/// name before a file is made from it.
pub const VERIFY: &str = "ALLEGRO_VERIFY";
/// Switch of the command line: no progress display.
pub const NO_PROGRESS: &str = "ALLEGRO_NO_PROGRESS";
/// Switch of the command line: no colours.
pub const NO_COLOR: &str = "ALLEGRO_NO_COLOR";
/// Switch of the command line: no packages of require-dev.
pub const NO_DEV: &str = "ALLEGRO_NO_DEV";
/// Switch of the command line: no scripts of composer.json.
pub const NO_SCRIPTS: &str = "ALLEGRO_NO_SCRIPTS";
/// Switch of the command line: errors and results only.
pub const QUIET: &str = "ALLEGRO_QUIET";
/// Switch of the command line: more messages.
pub const VERBOSE: &str = "ALLEGRO_VERBOSE";
/// Switch of the command line: do the work also where nothing seems to have changed.
pub const FORCE: &str = "ALLEGRO_FORCE";
/// Switch of the command line, off if it is `0`: make packages while Composer starts.
pub const AHEAD: &str = "ALLEGRO_AHEAD";
/// Path or name of the Composer that the command line calls.
pub const COMPOSER_PATH: &str = "ALLEGRO_COMPOSER_PATH";
/// Path or name of the PHP with which the command line starts Composer.
pub const PHP: &str = "ALLEGRO_PHP";
/// Directory of the plugin's package that the command line puts in place. The default is the copy
/// in the binary.
pub const PLUGIN_DIR: &str = "ALLEGRO_PLUGIN_DIR";
/// Names of events whose scripts the command line has played, separated by commas. It is set for a
/// Composer that finishes a run, and the plugin reads it.
pub const PLAYED_EVENTS: &str = "ALLEGRO_PLAYED_EVENTS";
