//! Converts the solver's verdict into the protocol's.

use crate::protocol::resolve::verdict::{Change, Claim, Lack, Verdict, What};
use allegro_resolver::verdict;

impl From<verdict::Verdict> for Verdict {
    fn from(verdict: verdict::Verdict) -> Self {
        Self {
            requires: verdict.requires,
            more: verdict.more,
            lack: verdict.lack.map(Lack::from),
            claims: verdict.claims.into_iter().map(Claim::from).collect(),
            change: verdict.change.into_iter().map(Change::from).collect(),
            tried: verdict.tried,
        }
    }
}

impl From<verdict::Claim> for Claim {
    fn from(claim: verdict::Claim) -> Self {
        Self {
            by: claim.by,
            newest: claim.newest,
            oldest: claim.oldest,
            what: claim.what.into(),
            target: claim.target,
            constraint: claim.constraint,
            via: claim.via,
            lack: claim.lack.map(Lack::from),
        }
    }
}

impl From<verdict::What> for What {
    fn from(what: verdict::What) -> Self {
        match what {
            verdict::What::Requires => Self::Requires,
            verdict::What::Conflicts => Self::Conflicts,
            verdict::What::Replaces => Self::Replaces,
            verdict::What::Provides => Self::Provides,
            verdict::What::Is => Self::Is,
        }
    }
}

impl From<verdict::Lack> for Lack {
    fn from(lack: verdict::Lack) -> Self {
        match lack {
            verdict::Lack::Name => Self::Name,
            verdict::Lack::Version { oldest, newest } => Self::Version { oldest, newest },
            verdict::Lack::Stability { version, stability } => {
                Self::Stability { version, stability }
            }
            verdict::Lack::Offered {
                by,
                version,
                constraint,
            } => Self::Offered {
                by,
                version,
                constraint,
            },
            verdict::Lack::Platform { has } => Self::Platform { has },
            verdict::Lack::Locked { version } => Self::Locked { version },
            verdict::Lack::Elsewhere => Self::Elsewhere,
        }
    }
}

impl From<verdict::Change> for Change {
    fn from(change: verdict::Change) -> Self {
        match change {
            verdict::Change::Require { name, constraint } => Self::Require { name, constraint },
            verdict::Change::Remove { name } => Self::Remove { name },
            verdict::Change::AllDependencies => Self::AllDependencies,
            verdict::Change::Everything => Self::Everything,
            verdict::Change::WithoutTemporary => Self::WithoutTemporary,
        }
    }
}
