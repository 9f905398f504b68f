//! Makes package names that look like names on Packagist but belong to nobody.

use std::collections::HashSet;

use crate::rng::Rng;

const VENDORS: &[&str] = &[
    "bluecedar",
    "northgate",
    "tinwhistle",
    "marlowe",
    "quietsea",
    "harborlight",
    "ironleaf",
    "papercrane",
    "oakmill",
    "silverpine",
    "copperfox",
    "driftwood",
    "lanternlabs",
    "maplebay",
    "redkite",
    "stonebridge",
];
const WORDS: &[&str] = &[
    "http",
    "cache",
    "console",
    "event",
    "filesystem",
    "form",
    "mailer",
    "routing",
    "security",
    "translation",
    "validator",
    "yaml",
    "database",
    "queue",
    "log",
    "config",
    "container",
    "template",
    "image",
    "pdf",
    "search",
    "session",
    "cookie",
    "token",
    "oauth",
    "money",
    "calendar",
    "geo",
    "markdown",
    "html",
    "css",
    "xml",
    "json",
    "csv",
    "socket",
    "stream",
    "process",
    "promise",
    "process",
    "clock",
    "uuid",
    "string",
    "collection",
    "math",
];
const KINDS: &[&str] = &[
    "client",
    "bundle",
    "bridge",
    "contracts",
    "component",
    "adapter",
    "toolkit",
    "server",
    "parser",
    "dumper",
    "utils",
    "sdk",
    "middleware",
    "extension",
    "polyfill",
    "factory",
];
const MODULES: &[&str] = &[
    "product",
    "customer",
    "order",
    "cart",
    "checkout",
    "payment",
    "shipment",
    "price",
    "stock",
    "category",
    "discount",
    "wishlist",
    "company",
    "merchant",
    "offer",
    "invoice",
    "return",
    "gift-card",
    "review",
    "search",
    "store",
    "tax",
    "currency",
    "locale",
    "glossary",
    "cms",
    "navigation",
    "newsletter",
    "session",
    "user",
    "acl",
    "queue",
    "event",
    "publisher",
    "storage",
    "sales",
    "quote",
    "comment",
    "label",
    "option",
    "set",
    "bundle",
    "alternative",
    "availability",
    "content",
    "file-manager",
    "mail",
    "oauth",
    "permission",
    "redirect",
    "scheduler",
    "sequence",
    "setup",
    "state-machine",
    "touch",
    "twig",
    "url",
    "util",
    "zed",
    "catalog",
];
const PARTS: &[&str] = &[
    "",
    "-extension",
    "-gui",
    "-storage",
    "-search",
    "-rest-api",
    "-page",
    "-widget",
    "-connector",
    "-data-import",
    "-backend-api",
    "-page-extension",
    "-category-filter",
    "-merchant",
    "-label",
    "-price",
];

/// Gives out names, each of them once.
pub(super) struct Names {
    rng: Rng,
    used: HashSet<String>,
}

impl Names {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            used: HashSet::new(),
        }
    }

    /// Returns the name of a library of any vendor.
    pub(super) fn library(&mut self) -> String {
        self.unused(|rng| {
            format!(
                "{}/{}-{}",
                rng.skewed(VENDORS),
                rng.pick(WORDS),
                rng.pick(KINDS)
            )
        })
    }

    /// Returns the name of one of the many modules of one vendor.
    pub(super) fn module(&mut self) -> String {
        self.unused(|rng| {
            let vendor = if rng.percent(75) {
                "spindle"
            } else {
                "spindle-shop"
            };
            format!("{vendor}/{}{}", rng.pick(MODULES), rng.pick(PARTS))
        })
    }

    fn unused(&mut self, make: impl Fn(&mut Rng) -> String) -> String {
        let mut name = make(&mut self.rng);
        // The lists are enough for some thousand names. Larger projects get numbered ones.
        let mut tries = 0;
        while !self.used.insert(name.clone()) {
            tries += 1;
            name = make(&mut self.rng);
            if tries > 20 {
                name = format!("{name}-{}", self.used.len());
            }
        }
        name
    }
}
