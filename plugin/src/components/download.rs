//! [`HttpDownload`]: the response's content goes to a file.

use std::path::{Path, PathBuf};

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use httpoll::{Download, Request};

/// Writes the response's content to a file. [`HttpResponse::saved`](crate::HttpResponse::saved) says
/// where it is.
///
/// Parent folders are made. The file appears whole or not at all: content goes to a temporary file
/// beside it first. A worker thread writes, never the frame. Any status but 2xx is an
/// [`HttpError`](crate::HttpError).
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Clone, Debug)
)]
#[component(immutable)]
pub struct HttpDownload(Download);

impl HttpDownload {
    /// To this path.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self(Download::to(path))
    }

    /// Goes on where an earlier download of the same URL stopped, when the server can, and keeps
    /// what has come for the next time. Default no.
    #[must_use]
    pub fn resume(self, resume: bool) -> Self {
        Self(self.0.resume(resume))
    }

    /// Keeps what has come when the download fails or is cancelled, as `<name>.part`. Default no.
    #[must_use]
    pub fn keep_partial(self, keep: bool) -> Self {
        Self(self.0.keep_partial(keep))
    }

    /// The size in bytes that the file must have.
    #[must_use]
    pub fn expected_size(self, bytes: u64) -> Self {
        Self(self.0.expected_size(bytes))
    }

    /// The SHA-256 that the file must have. Needs the feature `sha256`; without it the request fails.
    #[must_use]
    pub fn sha256(self, digest: [u8; 32]) -> Self {
        Self(self.0.sha256(digest))
    }

    /// The most bytes to take. Default 1 GiB; 0 is no limit.
    #[must_use]
    pub fn max_size(self, bytes: u64) -> Self {
        Self(self.0.max_size(bytes))
    }

    /// Where to.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn apply(&self, request: Request) -> Request {
        request.download_to(self.0.clone())
    }
}

impl From<Download> for HttpDownload {
    fn from(download: Download) -> Self {
        Self(download)
    }
}
