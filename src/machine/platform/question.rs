//! The question whether a lock can be installed, and its answer.

use allegro_composer::json::Json;
use allegro_composer::package::{Link, Package};
use allegro_semver::version::Dialect;

use super::Ignored;
use crate::machine::PlatformPackage;

/// The packages of a lock and everything that decides whether they can be installed.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Behaviour of composer/semver.
    pub dialect: Dialect,
    /// The root package.
    pub root: Root<'a>,
    /// The lock's `packages`.
    pub packages: &'a [Package],
    /// The lock's `packages-dev`.
    pub dev_packages: &'a [Package],
    /// Whether packages for development are installed.
    pub dev: bool,
    /// The lock's `aliases`.
    pub aliases: &'a [RootAlias<'a>],
    /// The lock's `minimum-stability`.
    pub minimum_stability: &'a str,
    /// The lock's `stability-flags`: names, and the numbers of stabilities.
    pub stability_flags: &'a [(String, u8)],
    /// The lock's `platform`.
    pub platform_requires: &'a [Link],
    /// The lock's `platform-dev`.
    pub dev_platform_requires: &'a [Link],
    /// The packages of the machine.
    pub platform: &'a [PlatformPackage],
    /// The lock's `platform-overrides`, an object or `Null`.
    pub overrides: &'a Json,
    /// Requirements that are ignored.
    pub ignored: &'a Ignored,
}

/// The root package, as far as it decides.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// Name in lower case.
    pub name: &'a str,
    /// Normalized version.
    pub version: &'a str,
    /// Normalized version of the root package's branch alias.
    pub alias: Option<&'a str>,
    /// Links under `require`.
    pub requires: &'a [Link],
    /// Links under `require-dev`.
    pub dev_requires: &'a [Link],
    /// Links under `conflict`.
    pub conflicts: &'a [Link],
    /// Links under `provide`.
    pub provides: &'a [Link],
    /// Links under `replace`.
    pub replaces: &'a [Link],
}

/// A version that the root package gives to a locked package by `as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootAlias<'a> {
    /// Name of the package in lower case.
    pub package: &'a str,
    /// Normalized version that the package gets.
    pub version: &'a str,
}

/// Answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Composer would install the packages without a word.
    Met,
    /// Composer might refuse, for this reason.
    NotMet(String),
}
