//! Makes a file list contain everything that the package's lock entry promises: autoload targets,
//! programs, and plugin classes.

use crate::archive::Mode;
use crate::json::Json;
use crate::render::{self, PluginKind};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::spec::{FileSpec, Role};

/// Names of files with the same content in many real packages.
const SHARED: [&str; 6] = [
    "license",
    "licence",
    "copying",
    ".gitattributes",
    ".editorconfig",
    "funding.yml",
];

/// Returns the files of a recorded dist, each with its role. With a `limit`, at most about as many
/// are kept.
pub(super) fn from_shape(shape: &Shape, limit: Option<usize>) -> Vec<FileSpec> {
    let count = shape.files.len();
    let keep = limit.unwrap_or(count).min(count).max(1);
    let mut files: Vec<FileSpec> = Vec::with_capacity(keep);
    for (index, file) in shape.files.iter().enumerate() {
        // The kept files are spread evenly over the list. `promises` restores files that must
        // exist.
        if (index * keep) / count == ((index + 1) * keep) / count && !file.path.eq("composer.json")
        {
            continue;
        }
        files.push(FileSpec {
            path: file.path.clone(),
            size: file.size,
            mode: render::mode(&file.octal_mode),
            role: role(&file.path, &file.classes),
        });
    }
    files
}

/// Returns the role of a file, as far as its path tells.
pub(super) fn role(path: &str, classes: &[String]) -> Role {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    if path == "composer.json" {
        Role::Manifest
    } else if SHARED.contains(&name.as_str()) || SHARED.contains(&stem) && !stem.is_empty() {
        Role::Shared
    } else if path.ends_with(".php") || !classes.is_empty() {
        Role::Php(classes.to_vec())
    } else {
        Role::Other
    }
}

/// Returns the plugin classes that a lock entry names.
pub(super) fn plugins(entry: &Json) -> Vec<(String, PluginKind)> {
    let kind = match entry.str_at("type") {
        Some("composer-plugin") => PluginKind::Plugin,
        Some("composer-installer") => PluginKind::Installer,
        _ => return Vec::new(),
    };
    entry
        .get("extra")
        .and_then(|extra| extra.get("class"))
        .map(|class| {
            class
                .one_or_many()
                .into_iter()
                .map(|name| (name.to_owned(), kind))
                .collect()
        })
        .unwrap_or_default()
}

/// Adds or changes files until everything that the lock entry promises exists, and sorts them.
pub(super) fn promises(files: &mut Vec<FileSpec>, entry: &Json) {
    let mut rng = Rng::from_parts(&["promises", entry.str_at("name").unwrap_or_default()]);
    let mut set = Files {
        files,
        rng: &mut rng,
    };
    set.ensure("composer.json", Role::Manifest);
    if let Some(autoload) = entry.get("autoload") {
        for path in autoload
            .get("files")
            .map(Json::one_or_many)
            .unwrap_or_default()
        {
            set.function(path);
        }
        for (key, psr4) in [("psr-4", true), ("psr-0", false)] {
            for (prefix, dirs) in autoload.entries_at(key) {
                for dir in dirs.one_or_many() {
                    set.class_below(dir, prefix, psr4, entry);
                }
            }
        }
        for path in autoload
            .get("classmap")
            .map(Json::one_or_many)
            .unwrap_or_default()
        {
            set.classmap(path, entry);
        }
    }
    for path in entry
        .get("include-path")
        .map(Json::one_or_many)
        .unwrap_or_default()
    {
        set.classmap(path, entry);
    }
    for path in entry.get("bin").map(Json::one_or_many).unwrap_or_default() {
        set.program(path);
    }
    for (class, _) in plugins(entry) {
        set.plugin(&class, entry);
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files.dedup_by(|left, right| left.path == right.path);
}

struct Files<'a> {
    files: &'a mut Vec<FileSpec>,
    rng: &'a mut Rng,
}

impl Files<'_> {
    fn find(&mut self, path: &str) -> Option<&mut FileSpec> {
        self.files.iter_mut().find(|file| file.path == path)
    }

    fn ensure(&mut self, path: &str, role: Role) {
        let Some(path) = inside(path) else { return };
        let clash = self.files.iter().any(|file| {
            file.path == path
                || is_below(&file.path, &path)
                || is_below(&path, &file.path) && file.role != Role::Dir
        });
        if !clash && !path.is_empty() {
            let size = self.rng.range(500, 3000);
            self.files.push(FileSpec::new(path, size, role));
        }
    }

    fn function(&mut self, path: &str) {
        let Some(path) = inside(path) else { return };
        match self.find(&path) {
            Some(file) => {
                if let Role::Php(classes) = &mut file.role {
                    file.role = Role::Functions(std::mem::take(classes));
                } else {
                    file.role = Role::Functions(Vec::new());
                }
            }
            None => self.ensure(&path, Role::Functions(Vec::new())),
        }
    }

    fn class_below(&mut self, dir: &str, prefix: &str, psr4: bool, entry: &Json) {
        let Some(dir) = inside(dir) else { return };
        if self
            .files
            .iter()
            .any(|file| is_below(&file.path, &dir) || file.path == dir)
        {
            return;
        }
        // The class has the directory's name in its own, because several directories may share one
        // prefix.
        let class = format!(
            "{}{}Entry",
            studly(entry.str_at("name").unwrap_or_default()),
            studly(&dir)
        );
        let (path, class) = autoloaded(&dir, prefix, psr4, &class);
        self.ensure(&path, Role::Php(vec![class]));
    }

    fn classmap(&mut self, path: &str, entry: &Json) {
        let Some(path) = inside(path) else { return };
        // Wildcards are rare, and an empty match is no error for Composer.
        if path.contains('*')
            || self
                .files
                .iter()
                .any(|file| file.path == path || is_below(&file.path, &path))
        {
            return;
        }
        let owner = studly(entry.str_at("name").unwrap_or_default());
        let name = path.rsplit('/').next().unwrap_or_default();
        match name
            .strip_suffix(".php")
            .or_else(|| name.strip_suffix(".inc"))
        {
            Some(stem) => self.ensure(
                &path,
                Role::Php(vec![format!("{owner}\\Mapped\\{}", studly(stem))]),
            ),
            None => self.ensure(
                &join(&path, &format!("{owner}Mapped.php")),
                Role::Php(vec![format!("{owner}\\Mapped\\{}", studly(&path))]),
            ),
        }
    }

    fn program(&mut self, path: &str) {
        let Some(path) = inside(path) else { return };
        self.ensure(&path, Role::Bin);
        if let Some(file) = self.find(&path) {
            file.mode = Mode::Executable;
            file.role = Role::Bin;
        }
    }

    fn plugin(&mut self, class: &str, entry: &Json) {
        let declares = |file: &FileSpec| match &file.role {
            Role::Php(classes) | Role::Functions(classes) => {
                classes.iter().any(|known| known == class)
            }
            _ => false,
        };
        if self.files.iter().any(declares) {
            return;
        }
        let path = plugin_path(class, entry);
        match self.find(&path).map(|file| &mut file.role) {
            Some(Role::Php(classes) | Role::Functions(classes)) => classes.push(class.to_owned()),
            _ => self.ensure(&path, Role::Php(vec![class.to_owned()])),
        }
    }
}

/// Returns the path at which the package's autoload rules look for a class.
fn plugin_path(class: &str, entry: &Json) -> String {
    let autoload = entry.get("autoload");
    let rules = |key: &str| autoload.map_or(&[][..], |autoload| autoload.entries_at(key));
    let mut best: Option<(usize, String)> = None;
    for (prefix, dirs) in rules("psr-4") {
        if let (Some(rest), Some(dir)) = (
            class.strip_prefix(prefix.as_str()),
            dirs.one_or_many().first(),
        ) && best
            .as_ref()
            .is_none_or(|(length, _)| prefix.len() > *length)
        {
            best = Some((
                prefix.len(),
                join(dir, &format!("{}.php", rest.replace('\\', "/"))),
            ));
        }
    }
    if let Some((_, path)) = best {
        return path;
    }
    for (prefix, dirs) in rules("psr-0") {
        if let (true, Some(dir)) = (
            class.starts_with(prefix.as_str()),
            dirs.one_or_many().first(),
        ) {
            return autoloaded_psr0(dir, class);
        }
    }
    let mapped = autoload
        .and_then(|autoload| autoload.get("classmap"))
        .map(Json::one_or_many)
        .unwrap_or_default();
    match mapped.first() {
        Some(file) if file.ends_with(".php") => (*file).to_owned(),
        Some(dir) => join(dir, "ComposerPlugin.php"),
        None => "ComposerPlugin.php".to_owned(),
    }
}

/// Returns path and full name of a class below an autoload rule. `name` may have namespace parts of
/// its own.
pub(super) fn autoloaded(dir: &str, prefix: &str, psr4: bool, name: &str) -> (String, String) {
    if psr4 {
        let path = join(dir, &format!("{}.php", name.replace('\\', "/")));
        return (path, format!("{prefix}{name}"));
    }
    let class = if prefix.ends_with('\\') || prefix.ends_with('_') || prefix.is_empty() {
        format!("{prefix}{name}")
    } else if prefix.contains('\\') || !prefix.contains('_') {
        format!("{prefix}\\{name}")
    } else {
        format!("{prefix}_{}", name.replace('\\', "_"))
    };
    (autoloaded_psr0(dir, &class), class)
}

fn autoloaded_psr0(dir: &str, class: &str) -> String {
    let (namespace, name) = class.rsplit_once('\\').unwrap_or(("", class));
    let name = name.replace('_', "/");
    let path = if namespace.is_empty() {
        name
    } else {
        format!("{}/{name}", namespace.replace('\\', "/"))
    };
    join(dir, &format!("{path}.php"))
}

/// Converts `vendor/some-name` to `VendorSomeName`.
pub(super) fn studly(text: &str) -> String {
    let mut out = String::new();
    for part in text
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
    {
        let mut characters = part.chars();
        out.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(characters.as_str());
    }
    if out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, 'N');
    }
    out
}

/// Joins a rule's directory, which may be empty or end with a slash, and a path.
pub(super) fn join(dir: &str, path: &str) -> String {
    let dir = dir.trim_start_matches("./").trim_matches('/');
    if dir.is_empty() || dir == "." {
        path.to_owned()
    } else {
        format!("{dir}/{path}")
    }
}

/// Returns the path in an archive's form, or `None` if it leads out of the package.
fn inside(path: &str) -> Option<String> {
    let path = join("", path.trim_start_matches("./").trim_matches('/'));
    let path = if path == "." { String::new() } else { path };
    (!path.split('/').any(|part| part == "..")).then_some(path)
}

fn is_below(path: &str, dir: &str) -> bool {
    dir.is_empty()
        || path
            .strip_prefix(dir)
            .is_some_and(|rest| rest.starts_with('/'))
}
