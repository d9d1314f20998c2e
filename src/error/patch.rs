//! [`PatchFault`]: why a set of files was not brought up to date, and [`ManifestFault`]: what is wrong with
//! the list of them.

use std::error::Error as StdError;
use std::fmt;

/// Why a patch stopped. Nothing of the new set is visible then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchFault {
    /// The manifest cannot be used.
    InvalidManifest(Box<ManifestFault>),
    /// The disk has too little free space. Nothing was downloaded.
    NotEnoughSpace {
        /// The bytes that the patch needs.
        needed: u64,
        /// The bytes that are free; `None` if the system does not tell.
        available: Option<u64>,
    },
    /// Another patch, here or in another process, works on the same folder.
    AlreadyRunning,
    /// `current.json`, which names the visible set, is damaged or was written by a later version.
    /// [`Error::path`](crate::Error::path) names it. Remove it to start with no files.
    InvalidGenerationFile,
    /// A folder of the patcher is a symbolic link or a file. [`Error::path`](crate::Error::path) names it.
    NotAFolder,
    /// The patch was cancelled.
    Cancelled,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestFault {
    /// The position of the file in the list, from 0; `None` if the fault is not about one file.
    pub file: Option<usize>,
    /// The path of the file as in the manifest, shortened.
    pub path: Option<String>,
    /// The rule that is broken.
    pub rule: ManifestRule,
}

/// The rules of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ManifestRule {
    /// The manifest is a JSON object with `version` 1 and the list `files`.
    NotAManifest,
    /// Each field has the documented type. Holds the name of the field.
    InvalidField(&'static str),
    /// A path is not empty.
    EmptyPath,
    /// A path is relative: it does not begin with `/`.
    AbsolutePath,
    /// A path has no empty segment, as in `a//b`.
    EmptySegment,
    /// A path has no segment `.` or `..`.
    DotSegment,
    /// A path has no control characters, no invisible or combining characters, and none of `\ : * ? " < > |`.
    ForbiddenCharacter,
    /// No segment begins or ends with a space or ends with a dot: Windows removes them.
    SpaceOrDotAtEnd,
    /// No segment is the name of a device on Windows, such as `CON` or `nul.txt`.
    ReservedName,
    /// A path has at most 1,024 bytes and 32 segments, a segment at most 200 bytes.
    PathTooLong,
    /// No two paths are equal, also if upper and lower case are the same, and no file is a folder of another.
    Collision,
    /// The block hashes fit the size of the file.
    InvalidBlocks,
    /// The manifest has not more bytes of JSON than
    /// [`ManifestLimits::json_bytes`](crate::patch::ManifestLimits).
    TooLong,
    /// The manifest has not more files than [`ManifestLimits::files`](crate::patch::ManifestLimits).
    TooManyFiles,
    /// No file is larger than [`ManifestLimits::file_bytes`](crate::patch::ManifestLimits), and all together
    /// are not larger than [`ManifestLimits::total_bytes`](crate::patch::ManifestLimits).
    TooLarge,
}

impl ManifestFault {
    pub(crate) fn new(rule: ManifestRule) -> Self {
        Self {
            file: None,
            path: None,
            rule,
        }
    }

    /// Names the file that breaks the rule.
    pub(crate) fn about(mut self, file: usize, path: Option<&str>) -> Self {
        const LONGEST: usize = 120;
        self.file = Some(file);
        self.path = path.map(|path| path.chars().take(LONGEST).collect());
        self
    }
}

impl fmt::Display for PatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidManifest(fault) => fault.fmt(f),
            Self::NotEnoughSpace {
                needed,
                available: Some(available),
            } => write!(
                f,
                "the patch needs {needed} bytes on the disk, and {available} are free; free some space"
            ),
            Self::NotEnoughSpace {
                needed,
                available: None,
            } => write!(
                f,
                "the patch needs {needed} bytes on the disk, and fewer are free; free some space"
            ),
            Self::AlreadyRunning => f.write_str(
                "another patch works on this folder; wait until it ends, or stop the other program",
            ),
            Self::InvalidGenerationFile => f.write_str(
                "the file that names the visible set is damaged; remove it to start with no files",
            ),
            Self::NotAFolder => f.write_str(
                "a folder is needed here, not a file and not a symbolic link; remove it",
            ),
            Self::Cancelled => f.write_str("the patch was cancelled"),
        }
    }
}

impl StdError for PatchFault {}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file, &self.path) {
            (Some(file), Some(path)) => write!(f, "file {file} of the manifest, {path:?}: ")?,
            (Some(file), None) => write!(f, "file {file} of the manifest: ")?,
            _ => f.write_str("the manifest: ")?,
        }
        self.rule.fmt(f)
    }
}

impl StdError for ManifestFault {}

impl fmt::Display for ManifestRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAManifest => "it must be a JSON object with `version` 1 and a list `files`",
            Self::InvalidField(name) => return write!(f, "the field `{name}` is missing or invalid"),
            Self::EmptyPath => "the path must not be empty",
            Self::AbsolutePath => "the path must be relative, without `/` at its start",
            Self::EmptySegment => "the path must not have an empty segment, as in `a//b`",
            Self::DotSegment => "the path must not have a segment `.` or `..`",
            Self::ForbiddenCharacter => "the path has a character that is not allowed",
            Self::SpaceOrDotAtEnd => {
                "a segment of the path must not begin or end with a space, or end with a dot"
            }
            Self::ReservedName => "a segment of the path is the name of a device on Windows",
            Self::PathTooLong => {
                "the path must have at most 1,024 bytes and 32 segments, each at most 200 bytes"
            }
            Self::Collision => {
                "another path is the same, apart from upper and lower case, or is a folder of this name"
            }
            Self::InvalidBlocks => "the block hashes do not fit the size of the file",
            Self::TooLong => "it is longer than ManifestLimits::json_bytes",
            Self::TooManyFiles => "it has more files than ManifestLimits::files",
            Self::TooLarge => {
                "the size is over ManifestLimits::file_bytes, or that of all files over total_bytes"
            }
        })
    }
}
