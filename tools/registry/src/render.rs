//! Turns specifications into bytes.

mod php;
mod words;

use crate::archive::{Builder, Content, Format, Mode};
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::spec::{FileSpec, PackageSpec, Role};

pub use php::PluginKind;

/// Extensions of files that don't compress.
const BINARY: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "ico", "webp", "woff", "woff2", "ttf", "otf", "eot", "so", "dll",
    "exe", "dylib", "z", "gz", "bz2", "xz", "zip", "phar", "pdf", "mp3", "mp4", "wasm", "mo", "db",
    "sqlite", "bin", "dat",
];

/// Returns the archive of a package.
pub fn archive(spec: &PackageSpec, format: Format) -> Result<Vec<u8>> {
    let comment = if spec.reference.len() == 40 {
        &spec.reference
    } else {
        ""
    };
    let mut builder = Builder::new(format, &spec.top(), comment, spec.times());
    for file in &spec.files {
        builder.add(&file.path, &content(spec, file)?);
    }
    Ok(builder.finish())
}

/// Returns the content of one file of a package.
pub fn content(spec: &PackageSpec, file: &FileSpec) -> Result<Content> {
    let bytes = match &file.role {
        Role::Symlink(target) => return Ok(Content::Symlink(target.clone())),
        Role::Dir => return Ok(Content::Dir),
        Role::Bytes(bytes) => bytes.clone(),
        Role::Disk(path, _) => std::fs::read(path).map_err(Error::io(path))?,
        Role::Manifest => spec.manifest.clone().into_bytes(),
        Role::Shared => {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let size = file.size.to_string();
            text(
                name,
                file.size,
                &mut Rng::from_parts(&["shared", name, &size]),
            )
        }
        Role::Bin => program(spec, file, &mut rng(spec, file)),
        Role::Php(classes) => php_file(spec, file, classes, None),
        Role::Functions(classes) => php_file(
            spec,
            file,
            classes,
            Some(function_name(&spec.name, &file.path)),
        ),
        Role::Other => text(&file.path, file.size, &mut rng(spec, file)),
    };
    Ok(Content::File(bytes, file.mode))
}

/// Returns the name of the function that the `autoload.files` entry `path` of `package` defines.
/// The function returns `package version`.
pub fn function_name(package: &str, path: &str) -> String {
    let word: String = format!("{package} {}", path.trim_end_matches(".php"))
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("loaded_{word}")
}

fn rng(spec: &PackageSpec, file: &FileSpec) -> Rng {
    Rng::from_parts(&[&spec.name, &spec.version, &spec.reference, &file.path])
}

fn php_file(
    spec: &PackageSpec,
    file: &FileSpec,
    classes: &[String],
    function: Option<String>,
) -> Vec<u8> {
    let wanted = php::PhpFile {
        package: &spec.name,
        version: &spec.version,
        reference: &spec.reference,
        classes,
        plugins: &spec.plugins,
        function,
        size: file.size,
    };
    php::render(&wanted, &mut rng(spec, file)).into_bytes()
}

/// Returns a program that prints its package and version.
fn program(spec: &PackageSpec, file: &FileSpec, rng: &mut Rng) -> Vec<u8> {
    let line = format!("{} {}", spec.name, spec.version);
    let extension = extension(&file.path);
    let mut out = match extension {
        "sh" | "bash" => format!("#!/bin/sh\necho '{line}'\nexit 0\n"),
        "bat" | "cmd" => format!("@echo off\r\necho {line}\r\nexit /b 0\r\n"),
        _ => format!("#!/usr/bin/env php\n<?php\necho '{line}', PHP_EOL;\n__halt_compiler();\n"),
    }
    .into_bytes();
    let rest = file.size.saturating_sub(out.len());
    if extension == "phar" {
        binary(&mut out, rest, rng);
    } else {
        out.append(&mut text("rest", rest, rng));
    }
    out
}

fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Returns bytes of about the kind that the extension suggests. There are exactly `size` of them if
/// that kind allows it.
fn text(path: &str, size: usize, rng: &mut Rng) -> Vec<u8> {
    let extension = extension(path).to_ascii_lowercase();
    let mut out = Vec::with_capacity(size + 64);
    if BINARY.contains(&extension.as_str()) {
        binary(&mut out, size, rng);
        return out;
    }
    let (open, close, start, end) = match extension.as_str() {
        "json" | "map" if size > 40 => ("{\n    \"text\": \"", "\"\n}\n", "", " "),
        "xml" | "xlf" | "svg" | "xsd" | "html" if size > 60 => {
            ("<text>\n", "</text>\n", "    <p>", "</p>\n")
        }
        "css" | "scss" | "js" | "jsx" | "ts" if size > 20 => ("/*\n", "*/\n", " * ", "\n"),
        "md" | "rst" | "txt" => ("", "\n", "", "\n"),
        _ => ("", "\n", "# ", "\n"),
    };
    out.extend_from_slice(open.as_bytes());
    let room = size.saturating_sub(close.len());
    let mut line = String::new();
    while out.len() + 200 < room {
        line.clear();
        line.push_str(start);
        php::sentence(&mut line, 10, rng);
        line.push_str(end);
        out.extend_from_slice(line.as_bytes());
    }
    out.resize(out.len().max(room), b' ');
    out.extend_from_slice(close.as_bytes());
    if open.is_empty() {
        out.truncate(size);
    }
    out
}

/// Adds bytes without a pattern.
fn binary(out: &mut Vec<u8>, size: usize, rng: &mut Rng) {
    let end = out.len() + size;
    while out.len() < end {
        out.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    out.truncate(end);
}

/// Returns the permissions for an octal mode of a recorded file list.
pub(crate) fn mode(octal: &str) -> Mode {
    let bits = u32::from_str_radix(octal, 8).unwrap_or(0o100_644);
    match bits {
        0o100_644 => Mode::Plain,
        0o100_755 => Mode::Executable,
        _ => Mode::Bits(bits),
    }
}
