//! Defines the link methods, the strategies that the user can choose, and the reasons against hard
//! links.

use std::fmt;
use std::str::FromStr;

use allegro_base::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A link strategy, as the user chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Takes the first of reflink, hard link and copy that works.
    Auto,
    /// Makes reflinks, or fails.
    Reflink,
    /// Makes hard links, or fails where the file system has none.
    Hardlink,
    /// Makes copies.
    Copy,
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word.trim() {
            "auto" => Ok(Self::Auto),
            "reflink" => Ok(Self::Reflink),
            "hardlink" => Ok(Self::Hardlink),
            "copy" => Ok(Self::Copy),
            other => Err(Error::Input(format!(
                "{} must be auto, reflink, hardlink or copy, not \"{other}\"",
                allegro_base::env::LINK_STRATEGY
            ))),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Copy => "copy",
        })
    }
}

/// The method that put a file in place.
///
/// Records hold it, so new methods come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A new inode that shares its blocks with the blob.
    Reflink,
    /// Another name of the blob's inode.
    Hardlink,
    /// A new inode with blocks of its own.
    Copy,
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Copy => "copy",
        })
    }
}

/// The reason why files are not hard-linked to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The store lies on another file system.
    OtherFileSystem,
    /// The file system has no hard links, or refuses them for this store.
    Refused,
    /// The blobs belong to another user than new files of the project.
    Owner,
    /// The blobs belong to another group than new files of the project.
    Group,
    /// New files of the project have an ACL, or the blobs have an ACL or other extended attributes.
    Acl,
    /// The store lies in a lower layer of an overlay, where each link would copy the blob to the
    /// upper layer.
    Overlay,
    /// The user can't write or lock the store.
    ReadOnly,
}

impl Refusal {
    /// Returns why files are copied, as the end of a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OtherFileSystem => "the store is on another file system",
            Self::Refused => "the file system refuses hard links to the store's files",
            Self::Owner => "the store's files belong to another user than the project's",
            Self::Group => {
                "new files of the project belong to another group than the store's files"
            }
            Self::Acl => "files of the project or of the store have ACLs or extended attributes",
            Self::Overlay => "the store lies in a lower layer of an overlay",
            Self::ReadOnly => "this user can't write or lock the store",
        }
    }

    /// Returns the advice to the user that makes installs faster.
    pub fn advice(self) -> &'static str {
        match self {
            Self::OtherFileSystem => {
                "a store on the project's file system (ALLEGRO_STORE) is faster and saves space"
            }
            Self::Refused => {
                "a store on a file system with hard links or reflinks (ALLEGRO_STORE) is faster and saves space"
            }
            Self::Owner => "give each user a store of its own (ALLEGRO_STORE)",
            Self::Group => {
                "a store whose directory has the project's group and the set-group-ID bit (ALLEGRO_STORE) is faster and saves space"
            }
            Self::Acl => "a file system with reflinks (XFS, btrfs) is faster and saves space",
            Self::Overlay => {
                "a store on a volume of its own (ALLEGRO_STORE) is faster and saves space"
            }
            Self::ReadOnly => {
                "a store that this user can write (ALLEGRO_STORE) is faster and saves space"
            }
        }
    }
}
