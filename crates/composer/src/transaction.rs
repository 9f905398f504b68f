//! The operations that turn the installed packages into the locked ones (`LocalRepoTransaction`,
//! composer 2.10.2), or the packages of a lock into those of another one (`LockTransaction`).

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::json::Json;
use crate::package::{Alias, Package, is_platform};

/// A step of an installation. Numbers are places in the lists that the transaction was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A locked package is installed.
    Install(usize),
    /// An installed package is replaced.
    Update {
        /// The installed package.
        from: usize,
        /// The locked package.
        to: usize,
    },
    /// An installed package is removed.
    Uninstall(usize),
    /// An alias of a locked package comes into effect. Nothing happens on disk.
    MarkAliasInstalled(usize),
    /// An alias of an installed package loses its effect. Nothing happens on disk.
    MarkAliasUninstalled(usize),
}

impl Operation {
    /// Returns whether the operation changes files.
    pub fn touches_files(self) -> bool {
        !matches!(
            self,
            Self::MarkAliasInstalled(_) | Self::MarkAliasUninstalled(_)
        )
    }
}

/// A package and the aliases under which it is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The package.
    pub package: &'a Package,
    /// Aliases that the root package makes.
    pub root_aliases: &'a [Alias],
}

impl<'a> Known<'a> {
    /// Joins packages with the aliases that the root package makes for them, by their names.
    pub fn all(
        packages: &[&'a Package],
        root_aliases: &'a HashMap<String, Vec<Alias>>,
    ) -> Vec<Self> {
        packages
            .iter()
            .map(|package| Self {
                package,
                root_aliases: root_aliases
                    .get(&package.name)
                    .map_or(&[][..], Vec::as_slice),
            })
            .collect()
    }

    fn aliases(&self) -> impl Iterator<Item = &'a Alias> + use<'a> {
        self.package.alias.iter().chain(self.root_aliases)
    }
}

/// A package or an alias of one, as the solver's result has them side by side.
#[derive(Clone, Copy)]
struct Node<'a> {
    /// Place of the package in the list of locked packages.
    at: usize,
    package: &'a Package,
    alias: Option<&'a Alias>,
}

impl Node<'_> {
    fn version(&self) -> &str {
        self.alias
            .map_or(&self.package.version, |alias| &alias.version)
    }

    /// Compares as `Transaction::setResultPackageMaps` sorts: names downward, aliases before their
    /// package.
    fn order(&self, other: &Self) -> Ordering {
        other
            .package
            .name
            .cmp(&self.package.name)
            .then_with(|| self.alias.is_none().cmp(&other.alias.is_none()))
            .then_with(|| other.version().cmp(self.version()))
    }
}

/// Returns the operations in the order in which Composer carries them out.
///
/// `compares_abandoned` tells whether a package that became abandoned is updated, as Composer does
/// since 2.9.
pub fn operations(
    installed: &[&Package],
    locked: &[Known<'_>],
    compares_abandoned: bool,
) -> Vec<Operation> {
    let installed: Vec<Known<'_>> = installed
        .iter()
        .map(|package| Known {
            package,
            root_aliases: &[],
        })
        .collect();
    lock_operations(&installed, locked, compares_abandoned)
}

/// Returns the operations that turn the packages of a lock into those of another one. Numbers of
/// old packages are places in the old lock.
pub fn lock_operations(
    old: &[Known<'_>],
    locked: &[Known<'_>],
    compares_abandoned: bool,
) -> Vec<Operation> {
    let nodes = sorted_nodes(locked);
    let providers = providers(&nodes);
    let mut operations = ordered(&nodes, &providers, &Present::of(old), compares_abandoned);
    operations = plugins_first(operations, locked);
    let (mut first, rest): (Vec<_>, Vec<_>) = operations.into_iter().partition(|operation| {
        matches!(
            operation,
            Operation::Uninstall(_) | Operation::MarkAliasUninstalled(_)
        )
    });
    first.extend(rest);
    first
}

fn sorted_nodes<'a>(locked: &[Known<'a>]) -> Vec<Node<'a>> {
    let mut nodes: Vec<Node<'a>> = Vec::with_capacity(locked.len() + locked.len() / 4);
    for (at, known) in locked.iter().enumerate() {
        let package = known.package;
        nodes.push(Node {
            at,
            package,
            alias: None,
        });
        nodes.extend(known.aliases().map(|alias| Node {
            at,
            package,
            alias: Some(alias),
        }));
    }
    nodes.sort_by(Node::order);
    nodes
}

/// Returns the places of the nodes that have a name, in the order of the nodes.
fn providers<'a>(nodes: &[Node<'a>]) -> HashMap<&'a str, Vec<usize>> {
    let mut providers: HashMap<&str, Vec<usize>> = HashMap::with_capacity(nodes.len());
    for (place, node) in nodes.iter().enumerate() {
        for name in names(node.package) {
            let list = providers.entry(name).or_default();
            // A package may replace and provide one name.
            if list.last() != Some(&place) {
                list.push(place);
            }
        }
    }
    providers
}

/// Returns all names of a package (`BasePackage::getNames`).
fn names(package: &Package) -> impl Iterator<Item = &str> {
    std::iter::once(package.name.as_str()).chain(
        package
            .provides
            .iter()
            .chain(&package.replaces)
            .map(|link| link.target.as_str()),
    )
}

/// The installed packages by name, and their aliases by name and version.
struct Present<'a> {
    known: Vec<Known<'a>>,
    by_name: HashMap<&'a str, usize>,
    /// The alias that is met last has the place.
    aliases: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Present<'a> {
    fn of(known: &[Known<'a>]) -> Self {
        let places = || known.iter().enumerate();
        let by_name = places()
            .map(|(at, known)| (known.package.name.as_str(), at))
            .collect();
        let aliases = places()
            .flat_map(|(at, known)| {
                let name = known.package.name.as_str();
                known
                    .aliases()
                    .map(move |alias| ((name, alias.version.as_str()), at))
            })
            .collect();
        Self {
            known: known.to_vec(),
            by_name,
            aliases,
        }
    }
}

fn ordered(
    nodes: &[Node<'_>],
    providers: &HashMap<&str, Vec<usize>>,
    present: &Present<'_>,
    compares_abandoned: bool,
) -> Vec<Operation> {
    let base_of: HashMap<usize, usize> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.alias.is_none())
        .map(|(place, node)| (node.at, place))
        .collect();
    let mut operations = Vec::with_capacity(nodes.len());
    let mut kept = HashSet::new();
    let mut kept_aliases = HashSet::new();
    let mut is_visited = vec![false; nodes.len()];
    let mut is_processed = vec![false; nodes.len()];
    let mut stack = roots(nodes, providers);
    while let Some(place) = stack.pop() {
        if is_processed[place] {
            continue;
        }
        let node = &nodes[place];
        if !is_visited[place] {
            is_visited[place] = true;
            stack.push(place);
            if node.alias.is_some() {
                stack.extend(base_of.get(&node.at));
            } else {
                for link in &node.package.requires {
                    stack.extend(providers.get(link.target.as_str()).into_iter().flatten());
                }
            }
            continue;
        }
        is_processed[place] = true;
        let name = node.package.name.as_str();
        if let Some(alias) = node.alias {
            let key = (name, alias.version.as_str());
            if present.aliases.contains_key(&key) {
                kept_aliases.insert(key);
            } else {
                operations.push(Operation::MarkAliasInstalled(node.at));
            }
        } else if let Some(&from) = present.by_name.get(name) {
            kept.insert(from);
            if differs(
                present.known[from].package,
                node.package,
                compares_abandoned,
            ) {
                operations.push(Operation::Update { from, to: node.at });
            }
        } else {
            operations.push(Operation::Install(node.at));
        }
    }
    let removed = (0..present.known.len())
        .rev()
        .filter(|at| !kept.contains(at))
        .map(Operation::Uninstall);
    let mut all: Vec<Operation> = removed.collect();
    all.append(&mut operations);
    for (at, known) in present.known.iter().enumerate() {
        for alias in known.aliases() {
            let key = (known.package.name.as_str(), alias.version.as_str());
            // A second alias of the same version is the same to Composer.
            if kept_aliases.insert(key) {
                all.push(Operation::MarkAliasUninstalled(at));
            }
        }
    }
    all
}

/// Returns the nodes that no other one requires (`Transaction::getRootPackages`).
fn roots(nodes: &[Node<'_>], providers: &HashMap<&str, Vec<usize>>) -> Vec<usize> {
    let mut is_root = vec![true; nodes.len()];
    for place in 0..nodes.len() {
        if !is_root[place] {
            continue;
        }
        for link in &nodes[place].package.requires {
            for &required in providers.get(link.target.as_str()).into_iter().flatten() {
                if required != place {
                    is_root[required] = false;
                }
            }
        }
    }
    (0..nodes.len()).filter(|place| is_root[*place]).collect()
}

fn differs(from: &Package, to: &Package, compares_abandoned: bool) -> bool {
    let reference = |place: &Option<crate::package::Place>| {
        place.as_ref().and_then(|place| place.reference.clone())
    };
    from.version != to.version
        || reference(&from.dist) != reference(&to.dist)
        || reference(&from.source) != reference(&to.source)
        || (compares_abandoned && from.abandoned != to.abandoned)
}

/// Moves plugins and what they require to the front (`Transaction::movePluginsToFront`).
fn plugins_first(operations: Vec<Operation>, locked: &[Known<'_>]) -> Vec<Operation> {
    /// The operations that are moved for one kind of plugin, and the names that they require.
    #[derive(Default)]
    struct Front<'a> {
        without_requirements: Vec<Operation>,
        with_requirements: Vec<Operation>,
        required: HashSet<&'a str>,
    }

    impl<'a> Front<'a> {
        /// Takes the operation if it belongs to this front.
        fn takes(&mut self, operation: Operation, package: &'a Package, is_plugin: bool) -> bool {
            if !is_plugin && !names(package).any(|name| self.required.contains(name)) {
                return false;
            }
            let mut requires = package
                .requires
                .iter()
                .map(|link| link.target.as_str())
                .filter(|target| !is_platform(target))
                .peekable();
            if is_plugin && requires.peek().is_none() {
                self.without_requirements.push(operation);
            } else {
                self.required.extend(requires);
                self.with_requirements.push(operation);
            }
            true
        }
    }

    let (mut downloads, mut others) = (Front::default(), Front::default());
    let mut rest = Vec::with_capacity(operations.len());
    for operation in operations.into_iter().rev() {
        let (Operation::Install(to) | Operation::Update { to, .. }) = operation else {
            rest.push(operation);
            continue;
        };
        let package = locked[to].package;
        let is_plugin = package.kind == "composer-plugin";
        let changes_downloads = is_plugin
            && package
                .entry
                .get("extra")
                .and_then(|extra| extra.get("plugin-modifies-downloads"))
                == Some(&Json::Bool(true));
        if !downloads.takes(operation, package, changes_downloads)
            && !others.takes(operation, package, package.is_plugin())
        {
            rest.push(operation);
        }
    }
    let mut all = Vec::with_capacity(rest.len());
    for list in [
        downloads.without_requirements,
        downloads.with_requirements,
        others.without_requirements,
        others.with_requirements,
        rest,
    ] {
        all.extend(list.into_iter().rev());
    }
    all
}
