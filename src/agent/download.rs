//! [`Download`]: a file that a response becomes, as the caller describes it. What happens to it meanwhile is in
//! `downloading`.

use std::path::{Path, PathBuf};

use crate::transport::disk::FilePlan;

/// A file to write a response's content to.
///
/// Missing parent folders are created. The content goes to a temporary file next to the target. When the
/// content is whole and was checked, the file is flushed to disk and renamed, so that half a file never
/// has the target's name, and an older target stays until then. A failed download leaves nothing behind,
/// unless [`keep_partial`](Self::keep_partial) is set. A status other than 2xx is a failure.
///
/// When the disk is full, the download fails and leaves nothing, whatever it was to keep, so that it does not take the
/// last space from everything else. If the agent has a larger download under way, that one fails first, and the
/// smaller ones go on.
///
/// ```
/// use httpoll::{Download, Request};
///
/// let request = Request::get("https://cdn.example/levels.pak")
///     .download_to(Download::to("assets/levels.pak").resume(true));
/// # let _ = request;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    path: PathBuf,
    keep_partial: bool,
    resume: bool,
    expected_size: Option<u64>,
    sha256: Option<[u8; 32]>,
    is_digest_invalid: bool,
    skip_existing: bool,
    max_size: u64,
}

impl Download {
    /// A download to this path.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keep_partial: false,
            resume: false,
            expected_size: None,
            sha256: None,
            is_digest_invalid: false,
            skip_existing: false,
            max_size: 1024 * 1024 * 1024,
        }
    }

    /// Keeps what arrived when the download fails or is cancelled, as `<name>.part`, with what is needed
    /// to continue in `<name>.part.json`. Default `false`.
    #[must_use]
    pub fn keep_partial(mut self, keep: bool) -> Self {
        self.keep_partial = keep;
        self
    }

    /// Continues where an earlier download of the same URL stopped, by `Range` and `If-Range` (RFC 9110
    /// §14.2, §13.1.5), and keeps what arrived for the next time. When the content has changed on the
    /// server, or the server does not support ranges, the download starts over. Default `false`.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self.keep_partial |= resume;
        self
    }

    /// The size in bytes that the file must have.
    #[must_use]
    pub fn expected_size(mut self, bytes: u64) -> Self {
        self.expected_size = Some(bytes);
        self
    }

    /// The SHA-256 that the file must have. Needs the feature `sha256`; without it the request
    /// fails.
    #[must_use]
    pub fn sha256(mut self, digest: [u8; 32]) -> Self {
        self.sha256 = Some(digest);
        self
    }

    /// As [`sha256`](Self::sha256), with the digest as 64 hexadecimal digits, upper or lower case. If they
    /// are not, the request fails with [`Misuse::InvalidDigest`](crate::error::Misuse::InvalidDigest).
    #[must_use]
    pub fn sha256_hex(mut self, digest: &str) -> Self {
        match from_hex(digest) {
            Some(digest) => self.sha256(digest),
            None => {
                self.is_digest_invalid = true;
                self
            }
        }
    }

    /// Whether [`sha256_hex`](Self::sha256_hex) was given something else than a digest.
    pub(super) fn is_digest_invalid(&self) -> bool {
        self.is_digest_invalid
    }

    /// Requests nothing if the target exists already and is what the download would bring: it has the
    /// [digest](Self::sha256), and the [size](Self::expected_size) if that is set. The worker thread computes the
    /// digest. The response then has status 200 and no headers, and
    /// [`SavedFile::is_unchanged`](crate::agent::SavedFile::is_unchanged) is set. Without a digest this has no
    /// effect, because a size does not tell two versions apart. Default `false`.
    #[must_use]
    pub fn skip_existing(mut self, skip: bool) -> Self {
        self.skip_existing = skip;
        self
    }

    /// The most bytes to take. Default 1 GiB; 0 is no limit.
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Whether what arrived stays when the download fails.
    pub(super) fn keeps_partial(&self) -> bool {
        self.keep_partial
    }

    /// The most bytes that the file may have. `None`: no limit.
    pub(super) fn size_limit(&self) -> Option<u64> {
        Some(self.max_size).filter(|&most| most > 0)
    }

    /// The file as the disk's worker writes it. `identity` is the request's URL: a part of
    /// another URL is not continued.
    pub(super) fn file(&self, identity: String) -> FilePlan {
        FilePlan {
            target: self.path.clone(),
            keep_partial: self.keep_partial,
            resume: self.resume,
            expected_size: self.expected_size,
            sha256: self.sha256,
            skip_existing: self.skip_existing,
            identity,
        }
    }

    /// The path of the target.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A digest of 64 hexadecimal digits.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(digest)
}

impl<P: Into<PathBuf>> From<P> for Download {
    fn from(path: P) -> Self {
        Self::to(path)
    }
}
