//! What this native part is and where it works.

use crate::protocol::VERSION;
use crate::protocol::info::InfoAnswer;
use crate::protocol::settings::Overrides;
use crate::settings::{Environment, Settings};
use allegro_base::env;

/// Never fails: settings that can't be resolved are left out.
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
