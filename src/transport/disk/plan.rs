//! What the owner of a download and the worker tell each other as plain data: the plan of a
//! download, what an earlier run left of it, and the finished file.

use std::path::PathBuf;

use super::sidecar::Validator;

/// What is to become of a download.
#[derive(Clone, Default)]
pub(crate) struct FilePlan {
    /// The file. Parent folders are made; what is there stays whole until it is replaced in one
    /// go. A symbolic link is replaced, not followed.
    pub(crate) target: PathBuf,
    /// What has come survives a failure as `<name>.part`, with `<name>.part.json` beside it.
    pub(crate) keep_partial: bool,
    /// Go on with what an earlier run kept, if it is of the same `identity`.
    pub(crate) resume: bool,
    /// Bytes that the whole content must have.
    pub(crate) expected_size: Option<u64>,
    /// The SHA-256 that the whole content must have. Needs the feature `sha256`.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Which content it is: the URL without credentials. It is written to the sidecar.
    pub(crate) identity: String,
}

/// What an earlier run left behind. Without anything, `offset` is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumable {
    /// Bytes that are there and safe: where the content may go on.
    pub(crate) offset: u64,
    /// The version of the content that they belong to. Without one, nothing tells whether what
    /// comes next fits.
    pub(crate) validator: Option<Validator>,
    /// Bytes of the whole content, as far as known.
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
