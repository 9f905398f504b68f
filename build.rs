//! Embeds the plugin's PHP files into the command line, which hands work to Composer with them.

#![allow(
    clippy::disallowed_methods,
    reason = "Cargo speaks to build scripts through variables"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CLI").is_none() {
        return;
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by Cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo"));
    let version = env::var("CARGO_PKG_VERSION").expect("set by Cargo");
    let mut files = vec!["LICENSE".to_owned(), "composer.json".to_owned()];
    collect(&root, Path::new("php-plugin/src"), &mut files);
    collect(&root, Path::new("php-plugin/resources"), &mut files);
    files.sort();

    let mut digest = Sha256::new();
    let mut list = String::from("&[\n");
    for name in &files {
        println!("cargo:rerun-if-changed={name}");
        let mut source = root.join(name);
        if name == "composer.json" {
            // The copy has no tag from which Composer could take the version.
            let text = fs::read_to_string(&source).expect("composer.json is readable");
            let mark = "    \"description\":";
            assert!(text.contains(mark), "composer.json has no description");
            source = out.join("composer.json");
            let text = text.replacen(mark, &format!("    \"version\": \"{version}\",\n{mark}"), 1);
            fs::write(&source, text).expect("OUT_DIR is writable");
        }
        let bytes = fs::read(&source).expect("the file is readable");
        digest.update(name.as_bytes());
        digest.update([0]);
        digest.update(Sha256::digest(&bytes));
        let source = source.to_str().expect("paths are text");
        writeln!(list, "    ({name:?}, include_bytes!({source:?})),").expect("memory");
    }
    list.push_str("]\n");
    fs::write(out.join("plugin_files.rs"), list).expect("OUT_DIR is writable");
    let digest = digest
        .finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory");
            text
        });
    println!("cargo:rustc-env=ALLEGRO_PLUGIN_DIGEST={digest}");
}

/// Adds the names of all files below a directory.
fn collect(root: &Path, directory: &Path, files: &mut Vec<String>) {
    println!("cargo:rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(root.join(directory)).expect("the directory is readable") {
        let entry = entry.expect("the directory is readable");
        let path = directory.join(entry.file_name());
        if entry.file_type().expect("the entry has a type").is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.to_str().expect("names are text").to_owned());
        }
    }
}
