//! The `allegro` binary: the command line, and the plugin's helper process.

use std::io::{BufReader, BufWriter, Write as _, stdin, stdout};
use std::process::ExitCode;

use allegro::settings::Environment;
use allegro_base::ballast::Allocator;

#[cfg(not(feature = "cli"))]
mod plain;

/// The allocator of a command line, whose memory the system gets back when it ends.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: Allocator<mimalloc::MiMalloc> = Allocator(mimalloc::MiMalloc);

/// The allocator of a helper, which gives memory back while it waits.
#[cfg(not(feature = "cli"))]
#[global_allocator]
static ALLOCATOR: Allocator<std::alloc::System> = Allocator(std::alloc::System);

/// The option `mi_option_purge_delay` of mimalloc, by its number in `mimalloc.h` (2.x and 3.x).
#[cfg(feature = "cli")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Lets mimalloc return freed memory at once. It costs no time, and a fifth of the memory less.
#[cfg(feature = "cli")]
fn spare_memory() {
    // SAFETY: the function only stores a number, and there is one thread yet.
    #[allow(unsafe_code, reason = "there is no other way to say it")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "cli")]
    spare_memory();
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() == 2 && arguments[1] == "helper" {
        return helper();
    }
    #[cfg(feature = "cli")]
    if arguments.len() == 3
        && arguments[1] == allegro::delegate::ahead::COMMAND
        && let Some(order) = arguments[2].to_str()
    {
        return allegro::delegate::ahead::work(order, &Environment::PROCESS);
    }
    #[cfg(feature = "cli")]
    return ExitCode::from(allegro::cli::run(arguments, &Environment::PROCESS));
    #[cfg(not(feature = "cli"))]
    return plain::run(&arguments[1..]);
}

/// The capacity of the pipe to the plugin, in bytes.
#[cfg(target_os = "linux")]
const PIPE: usize = 1 << 18;

fn helper() -> ExitCode {
    // Composer decides on the meaning of Ctrl-C. It ends the helper by closing its input. The
    // helper gets a process group of its own, because the terminal signals only the foreground
    // group.
    let _ = rustix::process::setpgid(None, None);
    allegro::parting::watch();
    // Answers of large projects have megabytes. The plugin and the helper go on working while one
    // is on its way.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(stdout(), PIPE);
    // Standard output's own buffer would be emptied for each kilobyte.
    let mut output = BufWriter::with_capacity(1 << 16, stdout());
    let mut input = BufReader::with_capacity(1 << 16, stdin());
    let served = allegro::helper::serve(
        &mut input,
        &mut output,
        &Environment::PROCESS,
        &allegro::parting::is_over,
    );
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "allegro: {error}");
            ExitCode::FAILURE
        }
    }
}
