//! [`HttpDownload`]: the response's content goes to a file.

use std::path::{Path, PathBuf};

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use httpoll::{Download, Request};

/// Writes the response's content to a file. [`HttpResponse::saved`](crate::HttpResponse::saved) then has
/// its path and size.
///
/// Parent folders are created. The file appears completely or not at all: content goes to a temporary file
/// next to it first. A worker thread writes, never the frame. Any status other than 2xx is an
/// [`HttpError`](crate::HttpError). Errors name the absolute path of the file.
///
/// When the disk is full, the download fails and leaves nothing, even with [`resume`](Self::resume), so that its part
/// does not take the last space from other files. If a larger download is under way, that one fails first, and
/// the smaller ones go on.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[component(immutable)]
pub struct HttpDownload {
    path: PathBuf,
    resume: bool,
    keep_partial: bool,
    expected_size: Option<u64>,
    sha256: Option<String>,
    skip_existing: bool,
    max_size: Option<u64>,
}

impl HttpDownload {
    /// To this path.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            resume: false,
            keep_partial: false,
            expected_size: None,
            sha256: None,
            skip_existing: false,
            max_size: None,
        }
    }

    /// Continues where an earlier download of the same URL stopped, if the server supports ranges, and keeps
    /// what has arrived for the next time. Default `false`.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Keeps what has arrived as `<name>.part` if the download fails or is cancelled. Default `false`.
    #[must_use]
    pub fn keep_partial(mut self, keep: bool) -> Self {
        self.keep_partial = keep;
        self
    }

    /// The size in bytes that the file must have.
    #[must_use]
    pub fn expected_size(mut self, bytes: u64) -> Self {
        self.expected_size = Some(bytes);
        self
    }

    /// The SHA-256 digest that the file must have. Needs the feature `sha256`; without it the request fails.
    #[must_use]
    pub fn sha256(self, digest: [u8; 32]) -> Self {
        let hex = digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        self.sha256_hex(hex)
    }

    /// As [`sha256`](Self::sha256), with the digest as 64 hexadecimal digits. The request fails if they are
    /// not.
    #[must_use]
    pub fn sha256_hex(mut self, digest: impl Into<String>) -> Self {
        self.sha256 = Some(digest.into());
        self
    }

    /// Requests nothing if the file exists already with the [digest](Self::sha256_hex), and with the
    /// [size](Self::expected_size) if that is set. A worker thread computes the digest. The
    /// [`HttpResponse`](crate::HttpResponse) then has status 200, and its
    /// [`saved`](crate::HttpResponse::saved) file says
    /// [`is_unchanged`](httpoll::agent::SavedFile::is_unchanged). No effect without a digest. Default `false`.
    #[must_use]
    pub fn skip_existing(mut self, skip: bool) -> Self {
        self.skip_existing = skip;
        self
    }

    /// The most bytes to accept. Default 1 GiB; 0 means no limit.
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn apply(&self, request: Request) -> Request {
        let mut download = Download::to(&self.path)
            .keep_partial(self.keep_partial)
            .skip_existing(self.skip_existing);
        if self.resume {
            download = download.resume(true);
        }
        if let Some(bytes) = self.expected_size {
            download = download.expected_size(bytes);
        }
        if let Some(digest) = &self.sha256 {
            download = download.sha256_hex(digest);
        }
        if let Some(bytes) = self.max_size {
            download = download.max_size(bytes);
        }
        request.download_to(download)
    }
}
