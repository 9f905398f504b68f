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
/// PHP's program. The default is the one that Composer's own script starts.
pub const PHP: &str = "ALLEGRO_PHP";
/// Composer's file. The default is `composer` in `PATH`, else `composer.phar` in the working
/// directory.
pub const COMPOSER_PATH: &str = "ALLEGRO_COMPOSER_PATH";
