//! Reads installed.json, and writes it for the packages in a vendor directory.

use std::collections::HashSet;

use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::json::{Json, Pretty};
use crate::package::fields::refuse;
use crate::package::{Alias, Loader, Package};
use crate::paths::shortest;
use crate::php::order::sort_by_text;

/// The indentation of a new file.
pub const INDENT: &str = "    ";

/// The usual length of an entry of installed.json.
const TYPICAL_ENTRY: usize = 2800;

/// A package that lies in a vendor directory.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// The package.
    pub package: &'a Package,
    /// The place that it was installed from, `dist` or `source`. A metapackage has none.
    pub installation_source: Option<&'a str>,
    /// Absolute path of its directory. A metapackage has none.
    pub path: Option<&'a str>,
}

/// A member of the repository of installed packages.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// A package.
    Package(Present<'a>),
    /// Another version of a package that is a member too.
    Alias(&'a Package, &'a Alias),
}

/// The packages in a vendor directory.
#[derive(Debug, Clone, Copy)]
pub struct Vendor<'a> {
    /// Real path of vendor/composer.
    pub directory: &'a str,
    /// The members in the order of Composer's repository, which is that in which they got there.
    pub members: &'a [Member<'a>],
    /// Names of the packages that only development needs, whether they are installed or not.
    pub dev_names: &'a [String],
    /// Whether the packages for development were installed.
    pub is_dev: bool,
    /// The version of Composer to follow.
    pub dialect: Dialect,
}

impl<'a> Vendor<'a> {
    /// Returns the text of installed.json (`FilesystemRepository::write`, composer 2.10.2).
    ///
    /// `old` is the text of the file as it was last read, because newer versions of Composer keep
    /// its indentation.
    pub fn installed_json(&self, old: Option<&str>) -> Result<String, Unfamiliar> {
        let mut present: Vec<Present<'_>> = self.present().collect();
        let mut names = HashSet::new();
        if !present
            .iter()
            .all(|one| names.insert(one.package.name.as_str()))
        {
            return refuse("a package is installed twice");
        }
        present.sort_by(|left, right| left.package.pretty_name.cmp(&right.package.pretty_name));
        let indent = match old {
            Some(old) if self.dialect.keeps_indentation => indentation(old),
            _ => INDENT,
        };
        let is_present = |name: &&String| names.contains(name.as_str());
        let mut dev_names: Vec<&String> = self.dev_names.iter().filter(is_present).collect();
        sort_by_text(&mut dev_names, |name| name)?;
        dev_names.dedup();

        let mut pretty = Pretty::new(indent, present.len() * TYPICAL_ENTRY);
        pretty.object(
            0,
            ["packages", "dev", "dev-package-names"],
            |pretty, key| {
                pretty.key(key);
                match key {
                    "packages" => pretty.list(1, &present, |pretty, one| {
                        let path = one.path.map(|path| self.relative(path));
                        let source = one.installation_source;
                        let path = path.as_deref();
                        one.package
                            .write_installed(pretty, 2, self.dialect, source, path);
                    }),
                    "dev" => pretty.word(if self.is_dev { "true" } else { "false" }),
                    _ => pretty.list(1, &dev_names, |pretty, name| pretty.string(name)),
                }
            },
        );
        Ok(pretty.into_file_text())
    }

    /// Returns the packages without the aliases.
    pub(crate) fn present(&self) -> impl Iterator<Item = Present<'a>> + use<'a> {
        self.members.iter().filter_map(|member| match member {
            Member::Package(present) => Some(*present),
            Member::Alias(..) => None,
        })
    }

    /// Returns the path from vendor/composer to a directory.
    pub(crate) fn relative(&self, path: &str) -> String {
        shortest(self.dialect, self.directory, path)
    }
}

/// Returns the indentation of a JSON text: the blanks before the first quoted text that begins a
/// line (`JsonFile::detectIndenting`, composer 2.10.2).
pub fn indentation(text: &str) -> &str {
    let blanks = |line: &'_ str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut lines = text.split('\n');
    let found = lines.find(|line| blanks(line) > 0 && line[blanks(line)..].starts_with('"'));
    found.map_or(INDENT, |line| &line[..blanks(line)])
}

/// The content of an installed.json.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    /// The packages in the order of the text.
    pub packages: Vec<Record>,
    /// Whether the packages for development were installed, if the file says so.
    pub is_dev: Option<bool>,
    /// Names of the installed packages that only development needs.
    pub dev_names: Vec<String>,
    /// The indentation of the text.
    pub indent: String,
}

/// A package of an installed.json.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The package.
    pub package: Package,
    /// The place that it was installed from, `dist` or `source`.
    pub installation_source: Option<String>,
    /// Path of its directory, relative to vendor/composer.
    pub install_path: Option<String>,
}

impl Installed {
    /// Reads the text of an installed.json (`FilesystemRepository::initialize`, composer 2.10.2).
    /// A file of Composer 1, which is a bare list, is unfamiliar.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, Unfamiliar> {
        let mut json = Json::read("installed.json", text)?;
        let odd = |key: &str| Unfamiliar(format!("the {key} of installed.json"));
        let Some(Json::Array(packages)) = json.remove("packages") else {
            return Err(odd("packages"));
        };
        let is_dev = match json.get("dev") {
            None | Some(Json::Null) => None,
            Some(Json::Bool(is_dev)) => Some(*is_dev),
            Some(_) => return Err(odd("dev")),
        };
        let dev_names = match json.get("dev-package-names") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(names)) => {
                let names = names.iter().map(|name| name.as_str().map(str::to_owned));
                names
                    .collect::<Option<_>>()
                    .ok_or_else(|| odd("dev-package-names"))?
            }
            Some(_) => return Err(odd("dev-package-names")),
        };
        let mut loader = Loader::new(dialect);
        let packages = packages.into_iter().map(|entry| {
            let text = |key| match entry.get(key) {
                None | Some(Json::Null) => Ok(None),
                Some(Json::Str(text)) => Ok(Some(text.clone())),
                Some(_) => Err(odd(key)),
            };
            Ok(Record {
                installation_source: text("installation-source")?,
                install_path: text("install-path")?,
                package: loader.load(entry)?,
            })
        });
        Ok(Self {
            packages: packages.collect::<Result<_, Unfamiliar>>()?,
            is_dev,
            dev_names,
            indent: indentation(text).to_owned(),
        })
    }
}
