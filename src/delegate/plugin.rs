//! The plugin's PHP files in this binary, and their copy in the store.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::kept;
use crate::machine::find::own_binary;

/// The files of the plugin's package, with paths relative to it.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/plugin_files.rs"));

/// Digest of all files.
const DIGEST: &str = env!("ALLEGRO_PLUGIN_DIGEST");

/// Version of the plugin, which is that of this binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns the directory of the plugin's package, and unpacks it into the store where needed.
///
/// The native part of the package is a symbolic link to this binary. So each place of the binary
/// has a copy of its own.
pub fn directory(store: &Path) -> io::Result<PathBuf> {
    let binary = fs::canonicalize(own_binary()?)?;
    let name = kept::name(&[DIGEST.as_bytes(), binary.as_os_str().as_bytes()]);
    kept::directory(&store.join("plugin-v1"), &name, |place| {
        for (path, bytes) in FILES {
            let path = place.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        let native = place.join("native").join(platform());
        fs::create_dir_all(&native)?;
        std::os::unix::fs::symlink(&binary, native.join("allegro"))
    })
}

/// Returns the name of this platform as the plugin's `EngineFinder::platform` has it.
fn platform() -> String {
    let family = match std::env::consts::OS {
        "macos" => "darwin",
        "freebsd" | "netbsd" | "openbsd" | "dragonfly" => "bsd",
        other => other,
    };
    let machine = rustix::system::uname();
    format!("{family}-{}", machine.machine().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_a_package_with_a_version_and_a_native_part() {
        let store = tempfile::tempdir().expect("it works");
        let place = directory(store.path()).expect("it works");
        let manifest = fs::read_to_string(place.join("composer.json")).expect("it works");
        assert!(manifest.contains(&format!("\"version\": \"{VERSION}\"")));
        assert!(place.join("php-plugin/src/Plugin.php").is_file());
        assert!(place.join("php-plugin/resources/dialect.php").is_file());
        assert!(
            place
                .join("native")
                .join(platform())
                .join("allegro")
                .is_file()
        );
        assert_eq!(directory(store.path()).expect("it works"), place);
    }
}
