//! Unpacks Composer's phar, because PHP keeps no compiled code of files in a phar.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_base::fs::write_atomically;
use allegro_base::hex::hex;
use sha2::{Digest as _, Sha256};

use super::kept;

/// The script of Composer in its phar.
const SCRIPT: &str = "bin/composer";

/// PHP code that unpacks its first argument into its second.
const UNPACK: &str = "(new Phar($argv[1]))->extractTo($argv[2]);";

/// Words of a phar whose start does more than run the script.
const ODD: &str = "COMPOSER_DEV_WARNING_TIME";

/// The greatest length of the start of a phar that is searched for [`ODD`].
const START: usize = 1 << 14;

/// Returns the script of the phar at `path`, unpacked into the store.
///
/// # Errors
/// Fails where the phar must run as it is.
pub fn script(store: &Path, path: &Path, php: &Path) -> io::Result<PathBuf> {
    let phars = store.join("composers-v1");
    let note = phars.join(format!("{}.sha256", kept::name(&[&kept::identity(path)?])));
    let known = fs::read_to_string(&note)
        .ok()
        .filter(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let digest = if let Some(digest) = known {
        digest
    } else {
        let mut hasher = Sha256::new();
        io::copy(&mut File::open(path)?, &mut Writer(&mut hasher))?;
        let digest = hex(&hasher.finalize());
        fs::create_dir_all(&phars)?;
        write_atomically(&note, digest.as_bytes())?;
        digest
    };
    let name = kept::name(&[digest.as_bytes()]);
    let place = kept::directory(&phars, &name, |place| {
        let mut start = fs::read(path)?;
        start.truncate(START);
        if start
            .windows(ODD.len())
            .any(|window| window == ODD.as_bytes())
        {
            return Err(io::Error::other("the phar is a development build"));
        }
        let status = Command::new(php)
            .args(["-d", "auto_prepend_file=", "-d", "display_errors=0"])
            .args(["-r", UNPACK, "--"])
            .arg(path)
            .arg(place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() || !place.join(SCRIPT).is_file() {
            return Err(io::Error::other("the phar can't be unpacked"));
        }
        Ok(())
    })?;
    Ok(place.join(SCRIPT))
}

/// A writer into a digest.
struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
