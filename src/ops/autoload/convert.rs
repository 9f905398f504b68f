//! Converts rules and class maps between the protocol and the class-map reader. Values move, so
//! that a large class map is not copied.

use crate::protocol::scan::{Dialect, Rejected, Rule, RuleKind, Traits};
use allegro_vendor::classmap::{self, scan};

impl From<Dialect> for classmap::Dialect {
    fn from(dialect: Dialect) -> Self {
        Self {
            php: dialect.php,
            short_open_tag: dialect.short_open_tag,
            backslash_guards: dialect.backslash_guards,
        }
    }
}

impl From<Traits> for classmap::Traits {
    fn from(traits: Traits) -> Self {
        Self {
            psr4_prefix: traits.psr4_prefix,
            psr0_prefix: traits.psr0_prefix,
        }
    }
}

impl From<Rule> for classmap::ScanRule {
    fn from(rule: Rule) -> Self {
        Self {
            path: rule.path,
            kind: match rule.kind {
                RuleKind::Classmap => classmap::ScanKind::Classmap,
                RuleKind::Psr0 => classmap::ScanKind::Psr0,
                RuleKind::Psr4 => classmap::ScanKind::Psr4,
            },
            namespace: rule.namespace,
            excluded: rule.excluded,
        }
    }
}

impl From<scan::Rejected> for Rejected {
    fn from(rejected: scan::Rejected) -> Self {
        Self {
            rule: rejected.rule,
            path: rejected.path,
            classes: rejected.classes,
        }
    }
}

impl From<&classmap::ScanRule> for Rule {
    fn from(rule: &classmap::ScanRule) -> Self {
        Self {
            path: rule.path.clone(),
            kind: match rule.kind {
                classmap::ScanKind::Classmap => RuleKind::Classmap,
                classmap::ScanKind::Psr0 => RuleKind::Psr0,
                classmap::ScanKind::Psr4 => RuleKind::Psr4,
            },
            namespace: rule.namespace.clone(),
            excluded: rule.excluded.clone(),
        }
    }
}
