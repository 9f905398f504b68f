//! The choice among several candidates: Composer's `DefaultPolicy`.

use super::package::Package;
use super::pool::{Number, Pool};
use super::usort::usort;
use allegro_base::tables::HashMap;
use allegro_semver::constraint::{NameId, Op, VersionId};
use allegro_semver::version::Stability;

/// Preferences of the run (fields of `DefaultPolicy`).
#[derive(Debug, Default)]
pub(super) struct Policy {
    pub prefer_stable: bool,
    pub prefer_lowest: bool,
    pub dev_over_prerelease: bool,
    pub preferred: HashMap<NameId, VersionId>,
}

impl Policy {
    /// Returns whether `a` stands in the relation `op` to `b`, stability first if stable versions
    /// are preferred (`DefaultPolicy::versionCompare`, Composer 2.5.5).
    fn compares(&self, pool: &Pool<'_>, a: &Package, b: &Package, op: Op) -> bool {
        if self.prefer_stable && a.stability != b.stability {
            let (mut left, mut right) = (a.stability, b.stability);
            let stable = Stability::Stable;
            if self.prefer_lowest && self.dev_over_prerelease && left != stable && right != stable {
                let raised = |one| if one == Stability::Dev { stable } else { one };
                (left, right) = (raised(left), raised(right));
            }
            return left < right;
        }
        pool.terms.ranks(a.version, op, b.version)
    }

    /// Returns the best candidates of each name, the most preferred first
    /// (`DefaultPolicy::selectPreferredPackages`, Composer 2.5.5).
    pub fn select(
        &self,
        pool: &Pool<'_>,
        candidates: &[Number],
        required: Option<NameId>,
    ) -> Vec<Number> {
        let mut candidates = candidates.to_vec();
        candidates.sort_unstable();
        let mut groups: Vec<(NameId, Vec<Number>)> = Vec::new();
        let mut places: HashMap<NameId, usize> = HashMap::default();
        for number in candidates {
            let name = pool.package(number).name;
            let place = *places.entry(name).or_insert_with(|| {
                groups.push((name, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(number);
        }
        let vendor = required
            .and_then(|name| pool.terms.name_text(name).split_once('/'))
            .map(|(vendor, _)| vendor);
        let mut selected = Vec::new();
        for (name, group) in &mut groups {
            // Composer compares with `$ignoreReplace` here: aliases first, then numbers.
            group.sort_by_key(|number| (pool.package(*number).alias_of.is_none(), *number));
            selected.extend(without_remote_aliases(pool, self.best(pool, *name, group)));
        }
        usort(&mut selected, &|a, b| !is_before(pool, a, b, vendor));
        selected
    }

    /// Returns the preferred or the best version of one name (`DefaultPolicy::pruneToBestVersion`,
    /// Composer 2.5.5).
    fn best(&self, pool: &Pool<'_>, name: NameId, group: &[Number]) -> Vec<Number> {
        if let Some(version) = self.preferred.get(&name) {
            let kept: Vec<Number> = group
                .iter()
                .copied()
                .filter(|number| pool.package(*number).version == *version)
                .collect();
            if !kept.is_empty() {
                return kept;
            }
        }
        let op = if self.prefer_lowest { Op::Lt } else { Op::Gt };
        let mut best = vec![group[0]];
        let mut leader = pool.package(group[0]);
        for number in &group[1..] {
            let package = pool.package(*number);
            if self.compares(pool, package, leader, op) {
                leader = package;
                best = vec![*number];
            } else if self.compares(pool, package, leader, Op::Eq) {
                best.push(*number);
            }
        }
        best
    }
}

/// Leaves only root aliases, if there are any (`DefaultPolicy::pruneRemoteAliases`, Composer
/// 2.5.5).
fn without_remote_aliases(pool: &Pool<'_>, group: Vec<Number>) -> Vec<Number> {
    let own: Vec<Number> = group
        .iter()
        .copied()
        .filter(|number| pool.package(*number).root_alias)
        .collect();
    if own.is_empty() { group } else { own }
}

/// Returns whether `a` precedes `b` (`DefaultPolicy::compareByPriority`, Composer 2.5.5).
///
/// The order is: aliases of the same name, a replaced package before its replacer, packages of the
/// required vendor, numbers. Of two packages that replace each other, neither precedes the other.
fn is_before(pool: &Pool<'_>, a: Number, b: Number, vendor: Option<&str>) -> bool {
    let (left, right) = (pool.package(a), pool.package(b));
    if left.name == right.name && left.alias_of.is_some() != right.alias_of.is_some() {
        return left.alias_of.is_some();
    }
    let replaces = |one: &Package, other: &Package| {
        one.links
            .replaces
            .iter()
            .any(|link| link.target == other.name)
    };
    if replaces(left, right) {
        return false;
    }
    if replaces(right, left) {
        return true;
    }
    if let Some(vendor) = vendor {
        let of_vendor = |package: &Package| pool.terms.name_text(package.name).starts_with(vendor);
        if of_vendor(left) != of_vendor(right) {
            return of_vendor(left);
        }
    }
    a < b
}
