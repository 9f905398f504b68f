//! Registers the exceptions that PHP sees. All implement `Allegro\Exception\AllegroException`.
//!
//! The exceptions are plain subclasses of `\Exception`, not classes made with `#[php_class]`. Such
//! a class makes its objects in its own way. So its exceptions would know neither file, line nor
//! trace, and PHP code could neither make nor extend them.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use allegro_base::error::ErrorKind;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::zend::{ClassEntry, ce};

/// A class of this extension, which is set once the module has started.
struct Class(AtomicPtr<ClassEntry>);

impl Class {
    const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    fn set(&self, entry: &'static mut ClassEntry) {
        self.0.store(entry, Ordering::Release);
    }

    fn entry(&self) -> &'static ClassEntry {
        // SAFETY: the pointer is null, or the engine gave it to us for an internal class. Such a
        // class lives as long as the module.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }.unwrap_or_else(|| ce::exception())
    }
}

/// The interface that marks every exception of this extension.
static MARKER: Class = Class::new();
const MARKER_NAME: &str = "Allegro\\Exception\\AllegroException";

macro_rules! exceptions {
    ($($(#[$meta:meta])* $class:ident = $php:literal;)*) => {
        $(
            $(#[$meta])*
            static $class: Class = Class::new();
        )*

        fn register_all() -> ext_php_rs::error::Result<()> {
            ClassBuilder::new(MARKER_NAME)
                .flags(ClassFlags::Interface)
                .registration(|entry, _| MARKER.set(entry))
                .register()?;
            $(
                ClassBuilder::new($php)
                    .extends((ce::exception, "\\Exception"))
                    .implements((|| MARKER.entry(), MARKER_NAME))
                    .registration(|entry, _| $class.set(entry))
                    .register()?;
            )*
            Ok(())
        }
    };
}

exceptions! {
    /// The exception for a request that makes no sense: settings are wrong, or plugin and extension
    /// don't match.
    INPUT = "Allegro\\Exception\\InputException";
    /// The exception for a dist that couldn't be downloaded.
    NETWORK = "Allegro\\Exception\\NetworkException";
    /// The exception for bytes that aren't what they claim to be.
    INTEGRITY = "Allegro\\Exception\\IntegrityException";
    /// The exception for an operation that the file system refused.
    FILESYSTEM = "Allegro\\Exception\\FilesystemException";
    /// The exception after a signal has arrived and its handler has run.
    INTERRUPTED = "Allegro\\Exception\\InterruptedException";
    /// The exception for a bug of Allegro.
    INTERNAL = "Allegro\\Exception\\InternalException";
}

/// Registers interface and classes when the module starts.
pub fn register(module: ModuleBuilder) -> ModuleBuilder {
    module.startup_function(startup)
}

unsafe extern "C" fn startup(_type: i32, _module: i32) -> i32 {
    // These numbers are the engine's `SUCCESS` and `FAILURE`.
    if register_all().is_ok() { 0 } else { -1 }
}

/// Returns the exception of a class of errors.
pub fn exception(kind: ErrorKind, message: String) -> PhpException {
    let class = match kind {
        ErrorKind::Declined | ErrorKind::Input => &INPUT,
        ErrorKind::Network => &NETWORK,
        ErrorKind::Integrity => &INTEGRITY,
        ErrorKind::Filesystem => &FILESYSTEM,
        ErrorKind::Interrupted => &INTERRUPTED,
        ErrorKind::Internal => &INTERNAL,
    };
    // A message with a NUL byte, which a path of a request can hold, can't be thrown.
    PhpException::new(message.replace('\0', "\\0"), 0, class.entry())
}
