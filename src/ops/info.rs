//! Describes this native part: its version, its protocol and its settings.

use crate::protocol::VERSION;
use crate::protocol::info::InfoAnswer;
use crate::protocol::settings::Overrides;
use crate::settings::{Environment, Settings};
use allegro_base::env;

/// Returns the description. The function never fails, and leaves out settings that can't be
/// resolved.
pub fn info(environment: &Environment) -> InfoAnswer {
    InfoAnswer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: VERSION,
        store: Settings::resolve(&Overrides::default(), environment)
            .ok()
            .map(|settings| settings.store),
        strategy: environment
            .text(env::LINK_STRATEGY)
            .unwrap_or_else(|| "auto".to_owned()),
    }
}
