//! What may stand beside an [`HttpRequest`](crate::HttpRequest): components that are looked at when
//! the request is sent.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
#[cfg(feature = "multipart")]
use httpoll::Bytes;
use httpoll::{Download, Priority, Request, RetryPolicy};

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

/// Sends files as the request's content, streamed from disk and never held whole in memory.
///
/// The request must not have content of its own.
#[derive(Component, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Clone, Debug)
)]
#[component(immutable)]
pub struct HttpUpload(Upload);

#[derive(Clone, PartialEq, Eq)]
enum Upload {
    File(PathBuf),
    #[cfg(feature = "multipart")]
    Form(Vec<(String, Part)>),
}

#[cfg(feature = "multipart")]
#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    File(PathBuf),
    Bytes(String, Bytes),
}

impl HttpUpload {
    /// This file as it is. `Content-Type` is `application/octet-stream` unless the request has one.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Upload::File(path.into()))
    }

    /// A form, `multipart/form-data` (RFC 7578), without parts.
    #[cfg(feature = "multipart")]
    pub fn form() -> Self {
        Self(Upload::Form(Vec::new()))
    }

    /// Adds a field to the form.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name.into(), Part::Text(value.into()))
    }

    /// Adds a file to the form.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_file(self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.part(name.into(), Part::File(path.into()))
    }

    /// Adds bytes to the form, as a file of this name.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_bytes(
        self,
        name: impl Into<String>,
        filename: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        let part = Part::Bytes(filename.into(), content.into());
        self.part(name.into(), part)
    }

    /// A single file that is joined by form parts becomes the form's part `file`.
    #[cfg(feature = "multipart")]
    fn part(self, name: String, part: Part) -> Self {
        let mut parts = match self.0 {
            Upload::File(path) => vec![("file".to_owned(), Part::File(path))],
            Upload::Form(parts) => parts,
        };
        parts.push((name, part));
        Self(Upload::Form(parts))
    }

    pub(crate) fn apply(&self, request: Request) -> Request {
        match &self.0 {
            Upload::File(path) => request.file(path.clone()),
            #[cfg(feature = "multipart")]
            Upload::Form(parts) => {
                let form = parts.iter().cloned().fold(
                    httpoll::Form::new(),
                    |form, (name, part)| match part {
                        Part::Text(value) => form.text(name, value),
                        Part::File(path) => form.file(name, path),
                        Part::Bytes(filename, content) => form.bytes(name, filename, content),
                    },
                );
                request.multipart(form)
            }
        }
    }
}

impl fmt::Debug for HttpUpload {
    /// Shows the kind, and no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Upload::File(path) => f.debug_tuple("HttpUpload").field(path).finish(),
            #[cfg(feature = "multipart")]
            Upload::Form(parts) => write!(f, "HttpUpload(form of {} parts)", parts.len()),
        }
    }
}

/// Hands the response over while it comes, instead of collecting it.
///
/// The head comes first, as [`HttpHead`](crate::HttpHead); the end is
/// [`HttpResponse`](crate::HttpResponse) with an empty body, or
/// [`HttpError`](crate::HttpError).
#[derive(Component, Clone, Debug, Default)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
#[component(immutable)]
#[non_exhaustive]
pub enum HttpStream {
    /// Piece by piece, as [`HttpChunk`](crate::HttpChunk). The default. On an entity with
    /// [`HttpClientNode`](crate::HttpClientNode), too.
    #[default]
    Chunks,
    /// As server-sent events (WHATWG HTML §9.2),
    /// [`HttpServerSentEvent`](crate::HttpServerSentEvent). It reconnects by itself, with
    /// `Last-Event-ID`, until it is cancelled.
    ServerSentEvents,
    /// As a WebSocket (RFC 6455): [`HttpWebSocketOpened`](crate::HttpWebSocketOpened), then
    /// [`HttpWebSocketMessage`](crate::HttpWebSocketMessage). Send by
    /// [`SendWebSocketMessage`](crate::SendWebSocketMessage). The URL may begin with `ws` or `wss`.
    #[cfg(feature = "websocket")]
    WebSocket(httpoll::WebSocketOptions),
}

impl HttpStream {
    pub(crate) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Chunks => request.stream(),
            Self::ServerSentEvents => request.event_stream(),
            #[cfg(feature = "websocket")]
            Self::WebSocket(options) => request.web_socket(options.clone()),
        }
    }

    /// Whether it goes on until somebody ends it.
    pub(crate) fn is_endless(&self) -> bool {
        !matches!(self, Self::Chunks)
    }
}

/// Sends the request again and again: a polling loop.
///
/// Each round ends with an [`HttpResponse`](crate::HttpResponse) or
/// [`HttpError`](crate::HttpError) of its own. A round begins [`every`](Self::every) after the round
/// before it began, by real time, and never while that one is still under way: rounds that were
/// missed are not made up. Failures, and statuses 429 and 5xx, double the time up to
/// [`longest`](Self::longest); the first success restores it.
///
/// The entity stays until it is despawned, this component is removed, or
/// [`CancelHttp`](crate::CancelHttp).
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug)
)]
pub struct HttpRepeat {
    /// From the beginning of one round to that of the next. Default 5 s.
    pub every: Duration,
    /// The part of the time, 0 to 1, by which rounds come earlier or later at random, so that all
    /// players do not ask at the same moment. Default 0.1.
    pub jitter: f32,
    /// The longest time between rounds after failures. Default 5 min. Less than `every` means that
    /// failures change nothing.
    pub longest: Duration,
    /// Begins no new round while this is set. Default `false`.
    pub paused: bool,
}

impl HttpRepeat {
    /// A round every so often, otherwise the defaults.
    pub fn every(every: Duration) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    /// How long after the beginning of a round the next one begins. `random` is 0 to 1.
    pub(crate) fn pause(&self, failures: u32, random: f32) -> Duration {
        let longest = self.longest.max(self.every);
        let pause = self
            .every
            .saturating_mul(2_u32.saturating_pow(failures.min(31)))
            .min(longest);
        let jitter = if self.jitter.is_finite() {
            self.jitter.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let scale = 1.0 + jitter * (2.0 * random - 1.0);
        Duration::try_from_secs_f32(pause.as_secs_f32() * scale).unwrap_or(pause)
    }
}

impl Default for HttpRepeat {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5),
            jitter: 0.1,
            longest: Duration::from_secs(300),
            paused: false,
        }
    }
}

/// Sends the request again when it fails in a way that may pass. Without it nothing is sent twice.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
#[component(immutable)]
pub struct HttpRetry(pub RetryPolicy);

impl HttpRetry {
    /// At most so many retries, otherwise [`RetryPolicy::default`].
    pub fn times(retries: u32) -> Self {
        let mut policy = RetryPolicy::default();
        policy.retries = retries;
        Self(policy)
    }
}

impl Default for HttpRetry {
    /// [`RetryPolicy::standard`]: three retries.
    fn default() -> Self {
        Self(RetryPolicy::standard())
    }
}

/// Whose turn comes first when connections are short. May be changed while the request waits or
/// runs. Default [`Priority::Interface`].
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
pub struct HttpPriority(pub Priority);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_back_off_after_failures_and_never_beyond_the_longest() {
        let repeat = HttpRepeat {
            every: Duration::from_secs(2),
            jitter: 0.5,
            longest: Duration::from_secs(10),
            paused: false,
        };
        for (failures, random, seconds) in [
            (0, 0.5, 2.0),
            (1, 0.5, 4.0),
            (2, 0.5, 8.0),
            (3, 0.5, 10.0),
            (u32::MAX, 0.5, 10.0),
            (0, 0.0, 1.0),
            (0, 1.0, 3.0),
        ] {
            let pause = repeat.pause(failures, random).as_secs_f32();
            assert!((pause - seconds).abs() < 1e-3, "{failures} {random}");
        }
    }

    #[test]
    fn odd_figures_do_no_harm() {
        for (every, jitter) in [
            (Duration::MAX, 0.1),
            (Duration::MAX, f32::NAN),
            (Duration::ZERO, f32::INFINITY),
            (Duration::from_secs(1), -7.0),
        ] {
            let repeat = HttpRepeat {
                every,
                jitter,
                ..HttpRepeat::default()
            };
            let _ = repeat.pause(40, 1.0);
        }
    }
}
