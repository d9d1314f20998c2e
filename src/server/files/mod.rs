//! Static files: the file that a target means, and the response for it. This module sends nothing. Roots that may
//! wait for a disk are asked and read by the worker; the connection takes what was read.
//!
//! | file | holds |
//! |---|---|
//! | `path` | [`AssetPath`]: the part of a target that may reach a file system |
//! | `folder`, `embedded`, `archive` | the three roots |
//! | `site` | [`StaticFiles`], its settings, and [`FileRoots`] |
//! | `file_plan` | [`FilePlan`]: the planned response |
//! | `plan` | which file is meant, and the kind of response: the file, a redirect, a refusal |
//! | `representation` | how a file is sent: validators, ranges, fields |
//! | `lookup` | what the worker does: finds the file, opens it, reads ahead |
//! | `body` | [`AssetBody`]: the content of a response, piece by piece |
//! | `precompressed` | `.br`, `.zst` and `.gz` siblings by `Accept-Encoding` |
//! | `listing` | the page for a folder |
//!
//! `semantics` decides about ranges and preconditions.

#[cfg(feature = "archive")]
mod archive;
mod body;
mod content_type;
mod embedded;
mod file_plan;
mod folder;
mod listing;
mod lookup;
mod path;
mod plan;
mod precompressed;
mod representation;
mod root;
mod site;
#[cfg(test)]
mod tests;

#[cfg(feature = "archive")]
pub use archive::ArchiveRoot;
pub use body::AssetBody;
pub use content_type::content_type;
pub use embedded::EmbeddedRoot;
pub use file_plan::{FileBody, FilePlan};
pub use folder::{FolderRoot, Symlinks};
pub(super) use lookup::{FileFault, FileFound, FileLookup, FileReader, PlanContent};
pub(super) use path::is_plain_name;
pub use path::{AssetPath, DotFiles, PathFault};
pub use root::{Asset, AssetContent, AssetRoot, Listed, ReadSeek};
pub use site::{FileRoots, StaticFiles};
