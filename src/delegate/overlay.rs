//! A copy of the user's Composer home that has the plugin in addition.
//!
//! The copy lies in the store. Its `config.json` and `auth.json` are symbolic links to the user's,
//! and so are the directories of the user's global packages. Composer finds it through
//! `$_SERVER`, which a file sets before Composer's own script starts. Child processes of Composer
//! therefore see the user's own environment.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use allegro_composer::json::Json;

use super::home::Homes;
use super::{kept, plugin};

/// Name of the plugin's package.
pub const PACKAGE: &str = "allegro/plugin";

/// What a copy of the home is made from.
#[derive(Debug)]
pub struct Overlay<'a> {
    /// Directories of the user.
    pub homes: &'a Homes,
    /// Directory of the plugin's package.
    pub plugin: &'a Path,
    /// Text of the project's manifest, which may name directories of caches.
    pub manifest: Option<&'a str>,
    /// Path that Composer shall take for its own, where another file is started.
    pub script: Option<&'a Path>,
}

impl Overlay<'_> {
    /// Returns the file that PHP has to run before Composer's script.
    ///
    /// # Errors
    /// Fails with a reason where only the user's own home gives Composer's result.
    pub fn start_file(&self, store: &Path) -> Result<PathBuf, String> {
        let paths = [store, &self.homes.home, &self.homes.cache, &self.homes.data];
        if paths.iter().any(|path| path.to_str().is_none()) {
            return Err("a path is not UTF-8".to_owned());
        }
        let manifest = read(&self.homes.home.join("composer.json"))?;
        let config = read(&self.homes.home.join("config.json"))?;
        let texts = [Some(manifest.as_str()), Some(&config), self.manifest];
        if texts.iter().flatten().any(|text| text.contains("{$home}")) {
            return Err("the configuration names Composer's home".to_owned());
        }
        let mut root = object(&manifest, "composer.json")?;
        let vendor = self.user_vendor(&root, &object(&config, "config.json")?)?;
        let installed_text = read(&vendor.join("composer/installed.json"))?;
        let mut installed = object(&installed_text, "installed.json")?;
        adapt_root(&mut root, &object(&config, "config.json")?, &installed)?;
        let links = links(&installed, &vendor)?;
        add_plugin(&mut installed, &self.plugin_manifest()?);

        let start = self.start_text(&texts);
        let root = root.to_file_text();
        let installed = installed.to_file_text();
        let name = kept::name(&[
            self.homes.home.as_os_str().as_bytes(),
            self.plugin.as_os_str().as_bytes(),
            vendor.as_os_str().as_bytes(),
            root.as_bytes(),
            installed.as_bytes(),
            start.as_bytes(),
        ]);
        let place = kept::directory(&store.join("composer-home-v1"), &name, |place| {
            for name in ["config.json", "auth.json"] {
                symlink(self.homes.home.join(name), place.join(name))?;
            }
            fs::write(place.join("composer.json"), &root)?;
            fs::create_dir_all(place.join("vendor/composer"))?;
            fs::write(place.join("vendor/composer/installed.json"), &installed)?;
            for (name, target) in &links {
                link(&place.join("vendor").join(name), target)?;
            }
            link(&place.join("vendor").join(PACKAGE), self.plugin)?;
            // The name of the directory stands in the file, so it is written for the final place.
            let home = store.join("composer-home-v1").join(&name);
            let line = format!(
                "    $_SERVER['COMPOSER_HOME'] = {};\n",
                literal(home.as_os_str().as_bytes())
            );
            fs::write(place.join("start.php"), start.replace(HOME_MARK, &line))
        })
        .map_err(|error| format!("the store can't hold Composer's home: {error}"))?;
        // Composer would create the home as well. Without it, credentials could not be saved.
        let _ = fs::create_dir_all(&self.homes.home);
        Ok(place.join("start.php"))
    }

    /// Returns the directory of the user's global packages.
    fn user_vendor(&self, root: &Json, config: &Json) -> Result<PathBuf, String> {
        let named = |json: &Json| {
            let value = json.get("config")?.get("vendor-dir")?;
            Some(value.as_str().unwrap_or("$").to_owned())
        };
        let vendor = named(root)
            .or_else(|| named(config))
            .unwrap_or_else(|| "vendor".to_owned());
        if vendor.contains(['$', '{', '~', '%']) {
            return Err("the global vendor directory depends on variables".to_owned());
        }
        Ok(self.homes.home.join(vendor))
    }

    fn plugin_manifest(&self) -> Result<Json, String> {
        let path = self.plugin.join("composer.json");
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("the plugin has no readable composer.json: {error}"))?;
        object(&text, "the plugin's composer.json")
    }

    fn start_text(&self, texts: &[Option<&str>]) -> String {
        // A variable would beat a setting.
        let is_set = |key: &str| texts.iter().flatten().any(|text| text.contains(key));
        let mut lines = String::from(HOME_MARK);
        for (variable, key, path) in [
            ("COMPOSER_CACHE_DIR", "cache-dir", &self.homes.cache),
            ("COMPOSER_DATA_DIR", "data-dir", &self.homes.data),
        ] {
            if !is_set(key) {
                let value = literal(path.as_os_str().as_bytes());
                let _ = write!(
                    lines,
                    "    if (getenv('{variable}') === false) {{
        \
                     $_SERVER['{variable}'] = {value};
    }}
"
                );
            }
        }
        start_text(Some(&lines), self.script)
    }
}

/// Stands for the line that names the copy of the home, whose name depends on all other lines.
const HOME_MARK: &str = "    // home\n";

/// Returns the file that PHP runs before Composer's script, for a script in another place only.
pub fn start_file_of_script(store: &Path, script: &Path) -> io::Result<PathBuf> {
    let text = start_text(None, Some(script));
    let name = kept::name(&[text.as_bytes()]);
    let place = kept::directory(&store.join("composer-home-v1"), &name, |place| {
        fs::write(place.join("start.php"), &text)
    })?;
    Ok(place.join("start.php"))
}

/// Returns the text of the file that PHP runs before Composer's script.
fn start_text(home: Option<&str>, script: Option<&Path>) -> String {
    let mut text = String::from("<?php\n\n// Written by Allegro.\n");
    if let Some(lines) = home {
        // The plugin's files are no PHP for older versions.
        text.push_str("if (PHP_VERSION_ID >= 80100) {\n");
        text.push_str(lines);
        text.push_str("}\n");
    }
    if let Some(script) = script {
        let value = literal(script.as_os_str().as_bytes());
        for variable in [
            "$_SERVER['argv'][0]",
            "$argv[0]",
            "$_SERVER['PHP_SELF']",
            "$_SERVER['SCRIPT_NAME']",
            "$_SERVER['SCRIPT_FILENAME']",
            "$_SERVER['PATH_TRANSLATED']",
        ] {
            let _ = writeln!(text, "{variable} = {value};");
        }
    }
    text.push_str(OWN_START_FILE);
    text
}

/// PHP code that runs the file of the user's own setting `auto_prepend_file`, which our file has
/// replaced.
const OWN_START_FILE: &str = r"
$allegro = call_user_func(function () {
    $found = '';
    $files = explode(',', php_ini_loaded_file().','.php_ini_scanned_files());
    foreach (array_filter(array_map('trim', $files), 'is_file') as $file) {
        $text = (string) @file_get_contents($file);
        if (strpos($text, 'auto_prepend_file') !== false) {
            $values = @parse_ini_string($text);
            $found = isset($values['auto_prepend_file']) ? $values['auto_prepend_file'] : $found;
        }
    }

    return $found;
});
if ($allegro === '') {
    unset($allegro);
} else {
    require $allegro;
}
";

/// Returns a literal of PHP for a text.
fn literal(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Returns the text of a file, or the empty text if there is none.
fn read(path: &Path) -> Result<String, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(String::new())
        }
        Err(error) => Err(format!("{} can't be read: {error}", path.display())),
    }
}

fn object(text: &str, name: &str) -> Result<Json, String> {
    if text.is_empty() {
        return Ok(Json::object());
    }
    match Json::parse(text) {
        Ok(json @ Json::Object(_)) => Ok(json),
        // A list is the form of Composer 1.
        Ok(Json::Array(packages)) if name == "installed.json" => {
            let mut json = Json::object();
            json.set("packages", Json::Array(packages));
            Ok(json)
        }
        Ok(_) => Err(format!("the global {name} is no object")),
        Err(error) => Err(format!("the global {name} is no JSON: {error}")),
    }
}

/// Allows the plugin in the manifest of the home, and changes nothing for other plugins.
fn adapt_root(root: &mut Json, config: &Json, installed: &Json) -> Result<(), String> {
    let rules_of = |json: &Json| json.get("config")?.get("allow-plugins").cloned();
    let allowed = |value: bool| vec![("*".to_owned(), Json::Bool(value))];
    let mut rules = match (rules_of(root), rules_of(config)) {
        (Some(Json::Bool(value)), _) | (None, Some(Json::Bool(value))) => allowed(value),
        (Some(Json::Object(rules)), Some(Json::Object(more))) => {
            let mut rules = rules;
            let missing: Vec<_> = more
                .into_iter()
                .filter(|(name, _)| rules.iter().all(|(known, _)| known != name))
                .collect();
            rules.extend(missing);
            rules
        }
        (Some(Json::Object(rules)), _) | (None, Some(Json::Object(rules))) => rules,
        (None | Some(Json::Array(_)), None) => Vec::new(),
        _ => return Err("the global allow-plugins is odd".to_owned()),
    };
    if rules
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case(PACKAGE) && *value != Json::Bool(true))
    {
        return Err("the global allow-plugins forbids it".to_owned());
    }
    for package in installed.items_at("packages") {
        let name = package.str_at("name").unwrap_or_default();
        let is_plugin = package
            .str_at("type")
            .is_some_and(|kind| kind.starts_with("composer-"));
        let is_decided = name.eq_ignore_ascii_case(PACKAGE)
            || rules.iter().any(|(pattern, _)| is_match(pattern, name));
        if is_plugin && !is_decided {
            // Composer would ask, and write the answer into the copy.
            return Err(format!(
                "the global plugin {name} is neither allowed nor forbidden"
            ));
        }
    }
    rules.retain(|(name, _)| !name.eq_ignore_ascii_case(PACKAGE));
    rules.insert(0, (PACKAGE.to_owned(), Json::Bool(true)));
    let own = root.child("config");
    if !matches!(own, Json::Object(_)) {
        *own = Json::object();
    }
    own.set("allow-plugins", Json::Object(rules));
    own.set("vendor-dir", Json::str("vendor"));
    Ok(())
}

/// Returns whether a pattern of `allow-plugins` fits a name
/// (`BasePackage::packageNameToRegexp`, composer 2.10.2).
fn is_match(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// Returns the directories of the user's global packages, by name.
fn links(installed: &Json, vendor: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let mut links = Vec::new();
    for package in installed.items_at("packages") {
        let name = package.str_at("name").unwrap_or_default();
        let is_plain = name.split('/').count() == 2
            && Path::new(name)
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
        if !is_plain {
            return Err("the global installed.json has an odd name".to_owned());
        }
        if name.eq_ignore_ascii_case(PACKAGE) || package.str_at("type") == Some("metapackage") {
            continue;
        }
        let path = package.str_at("install-path").map_or_else(
            || vendor.join(name),
            |path| vendor.join("composer").join(path),
        );
        let target_dir = package
            .str_at("target-dir")
            .map_or(0, |path| Path::new(path).components().count());
        let path = path.ancestors().nth(target_dir).unwrap_or(&path).to_owned();
        links.push((name.to_owned(), path));
    }
    Ok(links)
}

/// Adds the plugin's package to the list of installed packages, in place of another copy.
fn add_plugin(installed: &mut Json, manifest: &Json) {
    let mut entry = manifest.clone();
    let version = manifest.str_at("version").unwrap_or(plugin::VERSION);
    let version = version.to_owned();
    entry.set("version_normalized", Json::str(format!("{version}.0")));
    entry.set("version", Json::str(version));
    entry.set("install-path", Json::str(format!("../{PACKAGE}")));
    let mut packages: Vec<Json> = installed
        .items_at("packages")
        .iter()
        .filter(|package| {
            package
                .str_at("name")
                .is_none_or(|name| !name.eq_ignore_ascii_case(PACKAGE))
        })
        .cloned()
        .collect();
    packages.push(entry);
    installed.set("packages", Json::Array(packages));
}

fn link(path: &Path, target: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    symlink(target, path)
}

#[cfg(test)]
mod tests;
