//! Keeps the extension in memory until its process ends.
//!
//! PHP closes its extensions at its end. A look-up of a name that the system still waits for returns into the code of
//! the extension, and nobody can wait for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // On macOS, code with variables of threads is never taken away.
    if target != "macos" && target != "windows" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
