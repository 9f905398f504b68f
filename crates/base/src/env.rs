//! Every environment variable that Allegro reads.

/// Where the store is; default: `allegro` in the platform's cache directory.
pub const STORE: &str = "ALLEGRO_STORE";
/// How files get from the store into a project: `auto`, `reflink`, `hardlink` or `copy`.
pub const LINK_STRATEGY: &str = "ALLEGRO_LINK_STRATEGY";
/// How many dists are downloaded at once, 1 to 32.
pub const WORKERS: &str = "ALLEGRO_WORKERS";
/// Any value but `0` and the empty one turns Allegro off (read by the plugin).
pub const DISABLE: &str = "ALLEGRO_DISABLE";
/// Milliseconds without a byte after which a download is given up.
pub const IDLE_TIMEOUT_MS: &str = "ALLEGRO_IDLE_TIMEOUT_MS";
/// Milliseconds without progress after which the plugin gives the helper up (read by the plugin).
pub const PATIENCE_MS: &str = "ALLEGRO_PATIENCE_MS";
/// `always`: each blob of the store is read and compared with its name before a file is made from it.
pub const VERIFY: &str = "ALLEGRO_VERIFY";
