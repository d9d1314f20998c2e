//! What the owner of a download and the worker tell each other as plain data: the plan of a
//! download, what an earlier run left of it, and the finished file.

use std::path::PathBuf;

use super::sidecar::{Sidecar, Validator};
use crate::error::DiskFault;

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

impl FilePlan {
    /// What can be resumed of an earlier run, whose part file has this `length`.
    ///
    /// Bytes after those that the sidecar counts as synced are ignored: after a power failure they
    /// may be anything, and nothing tells what stopped the earlier run. If bytes are missing that it
    /// counts, another program cut them off; the bytes before them are valid.
    pub(super) fn resumable(&self, sidecar: Sidecar, length: u64) -> Option<Resumable> {
        let offset = sidecar.safe.min(length);
        let expected = self.expected_size;
        let fits = self.resume
            && sidecar.identity == self.identity
            && expected.is_none_or(|expected| offset <= expected)
            && (expected.is_none() || sidecar.total.is_none() || expected == sidecar.total);
        (fits && offset > 0).then_some(Resumable {
            offset,
            validator: Some(sidecar.validator).filter(|v| *v != Validator::default()),
            total: sidecar.total,
        })
    }

    /// Checks complete content: its length, also against the `announced` one, and its digest.
    pub(super) fn check(
        &self,
        announced: Option<u64>,
        found: u64,
        sha256: Option<[u8; 32]>,
    ) -> Result<(), DiskFault> {
        for expected in [self.expected_size, announced].into_iter().flatten() {
            if expected != found {
                return Err(DiskFault::SizeMismatch { expected, found });
            }
        }
        match (self.sha256, sha256) {
            (Some(expected), Some(found)) if expected != found => {
                Err(DiskFault::HashMismatch { expected, found })
            }
            _ => Ok(()),
        }
    }
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
