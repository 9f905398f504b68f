//! Invents the file list of a package without a recorded shape.

use super::fit::{autoloaded, join, studly};
use crate::json::Json;
use crate::rng::Rng;
use crate::spec::{FileSpec, Role};

/// Numbers of files per package, at ten equal steps. With them, koel's packages without a recorded
/// shape reach the measured total.
const FILES: &[usize] = &[5, 7, 9, 12, 16, 20, 25, 32, 42, 60, 130];
/// Numbers of files per package for Spryker's many small modules, at ten equal steps.
const MODULE_FILES: &[usize] = &[14, 20, 25, 29, 33, 36, 39, 43, 48, 56, 82];
/// Sizes of PHP files in 299 real dists, at twenty equal steps. The last one is cut.
pub(super) const SIZES: &[usize] = &[
    60, 180, 267, 400, 544, 690, 836, 1040, 1254, 1500, 1758, 2100, 2477, 3000, 3673, 4600, 5846,
    8000, 12_629, 20_000, 45_000,
];
const MODULE_SIZES: &[usize] = &[
    200, 500, 700, 900, 1100, 1400, 1800, 2400, 3500, 6000, 20_000,
];

const DIRS: &[&str] = &[
    "Exception",
    "Contract",
    "Model",
    "Event",
    "Command",
    "Util",
    "Internal",
    "Http",
    "Provider",
    "Console",
    "Factory",
    "Handler",
    "Formatter",
    "Loader",
    "Adapter",
    "Cache",
    "Node",
    "Parser",
    "Type",
    "Query",
    "Storage",
    "Transport",
    "Validator",
    "View",
];
const LAYERS: &[&str] = &["Zed", "Zed", "Zed", "Client", "Glue", "Shared", "Yves"];
const MODULE_DIRS: &[&str] = &[
    "Business",
    "Dependency",
    "Persistence",
    "Communication",
    "Plugin",
    "Controller",
];
const WORDS: &[&str] = &[
    "Item",
    "Order",
    "Product",
    "Customer",
    "Value",
    "Request",
    "Response",
    "Config",
    "Query",
    "Event",
    "Message",
    "Token",
    "Node",
    "Path",
    "File",
    "Result",
    "Price",
    "Store",
    "Locale",
    "Quote",
    "Payment",
    "Address",
    "Category",
    "Attribute",
    "Image",
    "Template",
    "Page",
    "Form",
    "Field",
    "Rule",
    "Schema",
    "Table",
    "Index",
    "Record",
    "Stream",
    "Buffer",
    "Cache",
    "Queue",
    "Job",
    "Task",
    "Input",
    "Output",
    "Style",
    "Session",
    "User",
    "Role",
    "Policy",
    "Header",
    "Route",
    "Service",
    "Module",
    "Bundle",
];
const ROLES: &[&str] = &[
    "Reader",
    "Writer",
    "Factory",
    "Facade",
    "Handler",
    "Mapper",
    "Builder",
    "Provider",
    "Resolver",
    "Validator",
    "Manager",
    "Collection",
    "Expander",
    "Repository",
    "Interface",
    "Plugin",
    "Transfer",
    "Client",
    "Trait",
    "Filter",
];

/// The wanted size of an invented package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) files: usize,
    /// Number of directories below the package's root, as near as its autoload rules allow.
    pub(super) dirs: usize,
    pub(super) sizes: &'static [usize],
}

/// Returns the size of the package of this lock entry, derived from its name alone.
pub(super) fn wanted(entry: &Json) -> Wanted {
    let mut rng = Rng::from_parts(&["wanted", entry.str_at("name").unwrap_or_default()]);
    if is_module(entry) {
        let files = rng.quantile(MODULE_FILES);
        return Wanted {
            files,
            dirs: 4 + files / 24,
            sizes: MODULE_SIZES,
        };
    }
    let files = rng.quantile(FILES);
    Wanted {
        files,
        dirs: 1 + files / 8,
        sizes: SIZES,
    }
}

/// Returns whether the package is one of a vendor's many small modules below one namespace, like
/// Spryker's `"Spryker\\": "src/Spryker/"`.
fn is_module(entry: &Json) -> bool {
    let rules = entry
        .get("autoload")
        .map_or(&[][..], |autoload| autoload.entries_at("psr-4"));
    rules.iter().any(|(prefix, dirs)| {
        let name = prefix.trim_end_matches('\\');
        !name.is_empty()
            && dirs.one_or_many().iter().any(|dir| {
                dir.trim_matches('/')
                    .rsplit_once('/')
                    .is_some_and(|(_, last)| last == name)
            })
    })
}

/// Returns the files of a package. `fit::promises` adds the other files that its entry promises.
pub(super) fn invent(entry: &Json, wanted: Wanted) -> Vec<FileSpec> {
    let name = entry.str_at("name").unwrap_or_default();
    let mut rng = Rng::from_parts(&["layout", name]);
    let mut files = about(name, is_module(entry), wanted, &mut rng);
    let roots = roots(entry);
    let classes = wanted.files.saturating_sub(files.len()).max(1);
    // Directories that the roots themselves need come first.
    let mut taken: std::collections::HashSet<&str> = std::collections::HashSet::new();
    for root in &roots {
        let mut dir = root.dir.trim_matches('/');
        while !dir.is_empty() {
            taken.insert(dir);
            dir = dir.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
    let spare = wanted.dirs.saturating_sub(taken.len());
    let leaves = leaves(name, is_module(entry), &roots, spare, &mut rng);
    let mut known = std::collections::HashSet::new();
    for number in 0..classes {
        let leaf = if number < leaves.len() {
            &leaves[number]
        } else {
            rng.skewed(&leaves)
        };
        let mut class = class_name(&leaf.inside, &mut rng);
        while !known.insert((leaf.root, leaf.inside.clone(), class.clone())) {
            class = format!("{}{class}", rng.pick(WORDS));
        }
        let below = if leaf.inside.is_empty() {
            class
        } else {
            format!("{}\\{class}", leaf.inside)
        };
        let root = &roots[leaf.root];
        let (path, class) = autoloaded(&root.dir, &root.prefix, root.psr4, &below);
        files.push(FileSpec::new(
            path,
            rng.quantile(wanted.sizes),
            Role::Php(vec![class]),
        ));
    }
    files
}

/// Returns the files beside the code.
fn about(name: &str, is_module: bool, wanted: Wanted, rng: &mut Rng) -> Vec<FileSpec> {
    let licence = *rng.skewed(&[1065_usize, 1063, 1529, 1070, 11_358]);
    let mut files = vec![
        FileSpec::new("LICENSE", licence, Role::Shared),
        FileSpec::new("composer.json", 0, Role::Manifest),
        FileSpec::new("README.md", rng.range(400, 9000), Role::Other),
    ];
    if rng.percent(60) {
        files.push(FileSpec::new(
            "CHANGELOG.md",
            rng.range(500, 20_000),
            Role::Other,
        ));
    }
    if rng.percent(30) {
        files.push(FileSpec::new(
            "phpunit.xml.dist",
            rng.range(700, 1200),
            Role::Other,
        ));
    }
    if rng.percent(40) {
        files.push(FileSpec::new(
            ".gitattributes",
            *rng.pick(&[173, 206, 95]),
            Role::Shared,
        ));
    }
    if !is_module && wanted.files > 12 && rng.percent(25) {
        let owner = studly(name);
        for number in 0..wanted.files / 8 {
            let class = format!("{owner}{}Test", rng.pick(WORDS));
            let class = if number == 0 {
                class
            } else {
                format!("Case{number}{class}")
            };
            let path = format!("tests/{class}.php");
            files.push(FileSpec::new(
                path,
                rng.quantile(SIZES),
                Role::Php(vec![format!("{owner}\\Tests\\{class}")]),
            ));
        }
    }
    files
}

struct Root {
    dir: String,
    prefix: String,
    psr4: bool,
}

/// Returns the autoload rules for classes.
fn roots(entry: &Json) -> Vec<Root> {
    let autoload = entry.get("autoload");
    let mut roots = Vec::new();
    for (key, psr4) in [("psr-4", true), ("psr-0", false)] {
        for (prefix, dirs) in autoload.map_or(&[][..], |autoload| autoload.entries_at(key)) {
            for dir in dirs.one_or_many() {
                if !dir.contains("..") && !dir.ends_with(".php") {
                    roots.push(Root {
                        dir: join(dir, ""),
                        prefix: prefix.clone(),
                        psr4,
                    });
                }
            }
        }
    }
    if roots.is_empty() {
        let mapped = autoload
            .and_then(|autoload| autoload.get("classmap"))
            .map(Json::one_or_many)
            .unwrap_or_default();
        let dir = mapped
            .into_iter()
            .find(|path| !path.ends_with(".php") && !path.contains('*'));
        roots.push(Root {
            dir: join(dir.unwrap_or("src/"), ""),
            prefix: format!("{}\\", studly(entry.str_at("name").unwrap_or_default())),
            psr4: true,
        });
    }
    roots
}

struct Leaf {
    root: usize,
    /// Namespace below the root's one.
    inside: String,
}

/// Returns places for classes, which together need about `dirs` directories below the roots.
fn leaves(name: &str, is_module: bool, roots: &[Root], dirs: usize, rng: &mut Rng) -> Vec<Leaf> {
    let mut leaves: Vec<Leaf> = Vec::new();
    let (mut base, mut spent) = (String::new(), 0);
    if is_module {
        // All of a vendor's modules share one namespace, so the module's name keeps them apart.
        let module = studly(name.rsplit('/').next().unwrap_or(name));
        base = format!("{}\\{module}", rng.pick(LAYERS));
        spent = 2;
    } else {
        leaves.extend((0..roots.len()).map(|root| Leaf {
            root,
            inside: String::new(),
        }));
    }
    let names = if is_module { MODULE_DIRS } else { DIRS };
    let mut number = 0;
    while spent < dirs || leaves.is_empty() {
        spent += 1;
        // The first root has most of the code. In real packages the others have helpers and test
        // support.
        let root = if number % 5 == 4 {
            rng.below(roots.len())
        } else {
            0
        };
        let word = names[number % names.len()];
        let parents: Vec<&Leaf> = leaves
            .iter()
            .filter(|leaf| leaf.root == root && leaf.inside != base)
            .collect();
        let deeper =
            number >= 3 && !parents.is_empty() && (rng.percent(40) || number >= names.len());
        let parent = if deeper {
            rng.pick(&parents).inside.clone()
        } else {
            base.clone()
        };
        let word = if number < names.len() {
            word.to_owned()
        } else {
            format!("{}{word}", WORDS[number % WORDS.len()])
        };
        let inside = if parent.is_empty() {
            word
        } else {
            format!("{parent}\\{word}")
        };
        if leaves
            .iter()
            .any(|leaf| leaf.root == root && leaf.inside == inside)
        {
            let inside = format!("{inside}{number}");
            leaves.push(Leaf { root, inside });
        } else {
            leaves.push(Leaf { root, inside });
        }
        number += 1;
    }
    leaves
}

fn class_name(inside: &str, rng: &mut Rng) -> String {
    let dir = inside.rsplit('\\').next().unwrap_or_default();
    let role = match dir {
        "Exception" => "Exception",
        "Contract" => "Interface",
        _ => rng.skewed(ROLES),
    };
    format!("{}{}{role}", rng.skewed(WORDS), rng.pick(WORDS))
}
