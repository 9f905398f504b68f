//! `allegro dump-autoload`: writes the autoload files.

use allegro_composer::Unfamiliar;

use super::install::{common, known};
use super::{Invocation, is, text};
use crate::cli::failure::Outcome;
use crate::cli::native;
use crate::install::{self, Options, Undecided};

/// Options whose meaning only Composer knows.
const OF_COMPOSER: [&str; 2] = ["dry-run", "strict-ambiguous"];

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    native::run(invocation, |context, console, progress| {
        let options = options(invocation)?;
        install::dump_autoload(context, &options, console, progress)
    })
}

fn options(invocation: &Invocation) -> Result<Options, Undecided> {
    let matches = known(invocation, &OF_COMPOSER)?;
    let prefix = text(matches, "apcu-prefix");
    let (dev, no_dev) = (is(matches, "dev"), is(matches, "no-dev"));
    let options = Options {
        dev: (dev || no_dev).then_some(dev),
        optimize: is(matches, "optimize"),
        authoritative: is(matches, "classmap-authoritative"),
        apcu: is(matches, "apcu"),
        apcu_prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        strict_psr: is(matches, "strict-psr"),
        ..common(invocation, matches)?
    };
    let is_wrong = dev && no_dev || options.strict_psr && !options.optimize;
    if is_wrong {
        let reason = "the options don't go together".to_owned();
        return Err(Undecided::Composer(Unfamiliar(reason)));
    }
    Ok(options)
}
