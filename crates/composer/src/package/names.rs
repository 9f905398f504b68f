//! Tells names of packages from other texts.

/// Returns whether a name is that of a platform package, such as `php` or `ext-json`
/// (`PlatformRepository::isPlatformPackage`, composer 2.10.2).
pub fn is_platform(name: &str) -> bool {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return is_platform(&name.to_ascii_lowercase());
    }
    match name {
        "php"
        | "php-64bit"
        | "php-ipv6"
        | "php-zts"
        | "php-debug"
        | "hhvm"
        | "composer"
        | "composer-plugin-api"
        | "composer-runtime-api" => true,
        _ => {
            let part = name.strip_prefix("ext-").or(name.strip_prefix("lib-"));
            part.is_some_and(|part| has_words(part, |gap| matches!(gap, "_" | "." | "-")))
        }
    }
}

/// Returns whether Composer accepts a name in lower case, leaving reserved names out of account
/// (`ValidatingArrayLoader::hasPackageNamingError`, composer 2.10.2).
pub fn is_package(name: &str) -> bool {
    let Some((vendor, package)) = name.split_once('/') else {
        return false;
    };
    has_words(vendor, |gap| matches!(gap, "_" | "." | "-"))
        && has_words(package, |gap| matches!(gap, "_" | "." | "-" | "--"))
        && !RESERVED.contains(&vendor)
        && !RESERVED.contains(&package)
        && name.strip_suffix(".json").is_none()
}

/// The names that Windows keeps for devices.
const RESERVED: [&str; 22] = [
    "nul", "con", "prn", "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Returns whether a text consists of words of small letters and digits with gaps between them.
fn has_words(text: &str, is_gap: impl Fn(&str) -> bool) -> bool {
    let is_letter = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit();
    let mut rest = text;
    loop {
        let word = rest.trim_start_matches(is_letter);
        if word.len() == rest.len() {
            return false;
        }
        if word.is_empty() {
            return true;
        }
        let end = word.find(is_letter).unwrap_or(word.len());
        if !is_gap(&word[..end]) {
            return false;
        }
        rest = &word[end..];
    }
}

#[cfg(test)]
mod tests;
