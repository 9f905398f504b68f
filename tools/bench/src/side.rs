//! Names the sides that are compared.

use clap::ValueEnum;

/// A side, which does a job in a project.
///
/// Sides run in the order of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Side {
    /// Composer without the plugin.
    Composer,
    /// Allegro's plugin with its helper process.
    Helper,
    /// Allegro's plugin with its extension in PHP.
    Extension,
    /// Allegro's plugin with its helper and an empty store.
    Archives,
    /// The `allegro` command line in Composer's place.
    Native,
    /// The `allegro` command line with an empty store.
    NativeArchives,
    /// The rival `viv` (crate `vivace`).
    Viv,
    /// The rival `vivacity`.
    Vivacity,
    /// The rival `composr`.
    Composr,
    /// No installer, but two processes that copy a vendor tree.
    Copy,
    /// No installer, but two processes of `unzip` that unpack the archives.
    Unzip,
    /// No installer, but two threads that make a vendor tree's directories and links.
    Floor,
}

impl Side {
    /// Every side in the order of the runs.
    pub const ALL: [Self; 12] = [
        Self::Composer,
        Self::Helper,
        Self::Extension,
        Self::Archives,
        Self::Native,
        Self::NativeArchives,
        Self::Viv,
        Self::Vivacity,
        Self::Composr,
        Self::Copy,
        Self::Unzip,
        Self::Floor,
    ];

    /// Returns the side's name in directories and figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Composer => "composer",
            Self::Helper => "helper",
            Self::Extension => "extension",
            Self::Archives => "archives",
            Self::Native => "native",
            Self::NativeArchives => "native-archives",
            Self::Viv => "viv",
            Self::Vivacity => "vivacity",
            Self::Composr => "composr",
            Self::Copy => "copy",
            Self::Unzip => "unzip",
            Self::Floor => "floor",
        }
    }

    /// Returns the side's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Composer => "Composer",
            Self::Helper => "Allegro, helper",
            Self::Extension => "Allegro, extension",
            Self::Archives => "Allegro, empty store",
            Self::Native => "allegro",
            Self::NativeArchives => "allegro, empty store",
            Self::Viv => "viv",
            Self::Vivacity => "vivacity",
            Self::Composr => "composr",
            Self::Copy => "plain copy, 2 processes",
            Self::Unzip => "plain unzip, 2 processes",
            Self::Floor => "floor, 2 threads",
        }
    }

    /// Returns the side whose choice on the command line includes this one.
    pub fn chosen_with(self) -> Self {
        match self {
            Self::Archives => Self::Helper,
            Self::NativeArchives => Self::Native,
            other => other,
        }
    }

    /// Returns whether Allegro's plugin is part of the side.
    pub fn is_plugin(self) -> bool {
        matches!(self, Self::Helper | Self::Extension | Self::Archives)
    }

    /// Returns whether the side is Allegro's command line.
    pub fn is_native(self) -> bool {
        matches!(self, Self::Native | Self::NativeArchives)
    }

    /// Returns whether the side is a program of others.
    pub fn is_rival(self) -> bool {
        matches!(self, Self::Viv | Self::Vivacity | Self::Composr)
    }

    /// Returns whether the side is a measure of the machine instead of an installer.
    pub fn is_yardstick(self) -> bool {
        matches!(self, Self::Copy | Self::Unzip | Self::Floor)
    }

    /// Returns whether the side is a program that this machine may lack.
    pub fn may_be_absent(self) -> bool {
        self.is_native() || self.is_rival()
    }

    /// Returns whether the benchmark goes on without the side if it fails.
    pub fn may_fail(self) -> bool {
        self.may_be_absent() || self.is_yardstick()
    }

    /// Returns whether a difference to Composer's tree is an error.
    pub fn must_equal(self) -> bool {
        !self.is_rival()
    }

    /// Returns whether the side's tree has the paths of a vendor directory.
    pub fn has_vendor(self) -> bool {
        self != Self::Unzip
    }

    /// Returns whether the side's store is removed before each run.
    pub fn has_empty_store(self) -> bool {
        matches!(self, Self::Archives | Self::NativeArchives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_in_order() {
        assert_eq!(Side::ALL.as_slice(), Side::value_variants());
        assert!(Side::ALL.is_sorted());
        let mut names = Side::ALL.map(Side::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Side::ALL.len());
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for side in Side::ALL {
            let value = side.to_possible_value().expect("a value");
            assert_eq!(value.get_name(), side.name());
        }
    }
}
