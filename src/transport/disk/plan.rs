//! What the owner of a download and the worker tell each other as plain data: the plan of a
//! download, what an earlier run left of it, and the finished file.

use std::path::PathBuf;

use super::sidecar::Validator;

/// What a download is to do.
#[derive(Clone, Default)]
pub(crate) struct FilePlan {
    /// The file. Parent folders are created. An existing file is unchanged until it is replaced
    /// atomically. A symbolic link is replaced, not followed.
    pub(crate) target: PathBuf,
    /// Received content survives a failure as `<name>.part`, with `<name>.part.json` next to it.
    pub(crate) keep_partial: bool,
    /// Continue what an earlier run kept, if it has the same `identity`.
    pub(crate) resume: bool,
    /// The length that the complete content must have.
    pub(crate) expected_size: Option<u64>,
    /// The SHA-256 that the complete content must have. Needs the feature `sha256`.
    pub(crate) sha256: Option<[u8; 32]>,
    /// A target that exists already and has this digest, and the expected size if there is one, is the result.
    pub(crate) skip_existing: bool,
    /// What identifies the content: the URL without credentials. It is written to the sidecar.
    pub(crate) identity: String,
}

/// What an earlier run kept. If nothing, `offset` is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumable {
    /// How many bytes are kept and synced: where the content may continue.
    pub(crate) offset: u64,
    /// The version of the content that they belong to. Without it, nothing tells whether further
    /// content belongs to them.
    pub(crate) validator: Option<Validator>,
    /// The complete length, if known.
    pub(crate) total: Option<u64>,
}

/// A download that became a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The absolute path.
    pub(crate) path: PathBuf,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its SHA-256, if the plan asked for one.
    pub(crate) sha256: Option<[u8; 32]>,
}
