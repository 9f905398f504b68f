//! Writes the text of the generated files.

mod maps;
mod real;

use allegro_composer::Unfamiliar;
use rayon::prelude::*;

use super::paths::PathCode;
use super::{DumpPlan, Rendered, said};
use crate::classmap::Scan;

/// The class that Composer adds to each class map.
const ADDED: &str = r"Composer\InstalledVersions";

/// The classes of a dump in their order, with their paths.
pub struct ClassMap<'s> {
    /// Names and the numbers of their paths.
    classes: Vec<(&'s str, usize)>,
    paths: Vec<PathCode>,
}

impl<'s> ClassMap<'s> {
    /// Returns the classes of a scan with the one that Composer adds.
    ///
    /// # Errors
    /// Fails for names and paths that need more than a plain literal.
    fn of(scan: &'s Scan, plan: &DumpPlan) -> Result<Self, Unfamiliar> {
        let mut paths = scan
            .files
            .par_iter()
            .map(|path| plan.bases.code(path))
            .collect::<Result<Vec<_>, _>>()?;
        let mut classes = Vec::with_capacity(scan.names.len() + 1);
        for (name, at) in scan.names.iter().zip(&scan.at) {
            if name.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(Unfamiliar("the name of a class isn't UTF-8".to_owned()));
            }
            if name != ADDED {
                classes.push((name.as_str(), *at as usize));
            }
        }
        let added = format!("{}/composer/InstalledVersions.php", plan.bases.vendor);
        classes.push((ADDED, paths.len()));
        paths.push(plan.bases.code(&added)?);
        classes.par_sort_unstable();
        Ok(Self { classes, paths })
    }

    /// Returns the classes with their paths.
    fn iter(&self) -> impl Iterator<Item = (&'s str, &PathCode)> {
        self.classes
            .iter()
            .map(|(name, at)| (*name, &self.paths[*at]))
    }

    /// Returns the number of classes.
    fn len(&self) -> usize {
        self.classes.len()
    }
}

/// Writes all files of a dump.
pub fn render(plan: &DumpPlan, scan: &Scan) -> Result<Rendered, Unfamiliar> {
    let classes = ClassMap::of(scan, plan)?;
    let (mut messages, violations) = said::of_scan(plan, scan)?;
    let codes = Codes::of(plan)?;
    messages.extend(said::of_files(plan, &codes));
    let head = |name| maps::head(name, plan);
    let (classmap, statics) = rayon::join(
        || maps::classmap(head("autoload_classmap"), &classes),
        || maps::statics(plan, &codes, &classes),
    );
    let files = vec![
        (
            "composer/autoload_namespaces.php",
            Some(maps::namespaces(head("autoload_namespaces"), &codes.psr0)),
        ),
        (
            "composer/autoload_psr4.php",
            Some(maps::namespaces(head("autoload_psr4"), &codes.psr4)),
        ),
        ("composer/autoload_classmap.php", Some(classmap)),
        (
            "composer/include_paths.php",
            maps::include_paths(head("include_paths"), &codes.include_paths),
        ),
        (
            "composer/autoload_files.php",
            maps::files(head("autoload_files"), &codes.files),
        ),
        ("composer/autoload_static.php", Some(statics)),
        ("composer/platform_check.php", plan.platform_check.clone()),
        ("autoload.php", Some(real::autoload(plan))),
        (
            "composer/autoload_real.php",
            Some(real::autoload_real(plan, &codes, classes.len())),
        ),
    ];
    Ok(Rendered {
        files,
        messages,
        violations,
        classes: classes.len(),
    })
}

/// A list of directories by namespace.
type Namespaces<'p> = Vec<(&'p str, Vec<PathCode>)>;

/// The paths of a dump's rules as code.
pub struct Codes<'p> {
    psr0: Namespaces<'p>,
    psr4: Namespaces<'p>,
    /// Paths by identifier.
    pub files: Vec<(&'p str, PathCode)>,
    include_paths: Vec<PathCode>,
}

impl<'p> Codes<'p> {
    fn of(plan: &'p DumpPlan) -> Result<Self, Unfamiliar> {
        let code = |path: &String| plan.bases.code(path);
        let namespaces = |rules: &'p indexmap::IndexMap<String, Vec<String>>| {
            rules
                .iter()
                .map(|(namespace, paths)| {
                    let codes = paths.iter().map(code).collect::<Result<_, _>>()?;
                    Ok((namespace.as_str(), codes))
                })
                .collect::<Result<Namespaces, Unfamiliar>>()
        };
        Ok(Self {
            psr0: namespaces(&plan.autoloads.psr0)?,
            psr4: namespaces(&plan.autoloads.psr4)?,
            files: plan
                .autoloads
                .files
                .iter()
                .map(|(identifier, path)| Ok((identifier.as_str(), code(path)?)))
                .collect::<Result<_, Unfamiliar>>()?,
            include_paths: plan
                .include_paths
                .iter()
                .map(code)
                .collect::<Result<_, _>>()?,
        })
    }
}
