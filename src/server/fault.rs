//! Faults of a server that do not end it, as reported to `on_error` hooks; and the errors of handlers.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// The error of a handler. The client gets `400` for a [`BadRequest`], `415` for a [`NotAForm`] and `500` for any
/// other error, with a plain text that contains no details.
pub type HandlerError = Box<dyn StdError + Send + Sync>;

/// The request is invalid: the client gets `400`.
#[derive(Debug)]
pub struct BadRequest(Option<HandlerError>);

impl BadRequest {
    /// With a reason, which is reported to `on_error` hooks and not to the client.
    pub fn because(reason: impl Into<HandlerError>) -> Self {
        Self(Some(reason.into()))
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request is invalid")
    }
}

impl StdError for BadRequest {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.as_deref().map(|reason| reason as _)
    }
}

/// The content is not a form: the client gets `415` (RFC 9110 §15.5.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAForm(String);

impl NotAForm {
    pub(super) fn of(media_type: &str) -> Self {
        Self(media_type.to_owned())
    }

    /// The media type of the content, in lower case and without parameters; empty without a `Content-Type` field.
    pub fn media_type(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NotAForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("the content has no Content-Type"),
            found => write!(f, "the content is {found}"),
        }?;
        f.write_str(", and a form is application/x-www-form-urlencoded or multipart/form-data")
    }
}

impl StdError for NotAForm {}

/// What went wrong. The server continues.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerFault {
    /// No connection could be accepted: the system is out of sockets or memory. The server tries again.
    Accept(Error),
    /// A client broke the protocol, exceeded a limit or was too slow. It got a response, if possible, and
    /// its connection is closed.
    Request(Error),
    /// A client or a handler was too slow.
    TimedOut(TimeoutKind),
    /// The connection failed, or its TLS did.
    Connection(Error),
    /// A handler returned an error; the client got a `500`, `415` or `400`.
    Handler(HandlerError),
    /// A handler panicked; the client got a `500`.
    Panicked(String),
    /// A response could not be sent: its fields or its content are not what HTTP allows, or its
    /// content could not be read. The client got a `500`, or the connection was cut.
    Response(HandlerError),
    /// A handler took longer than the [threshold](crate::server::ServerBuilder::slow_handler).
    SlowHandler {
        /// The request's path.
        path: String,
        /// How long it took.
        took: Duration,
    },
}

/// The deadline of [`ServerTimeouts`](crate::server::ServerTimeouts) that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// The client was too slow in its TLS handshake (`tls_handshake`). The connection was closed.
    Handshake,
    /// The client was too slow to send a request's head (`head`). It got `408`.
    Head,
    /// The client was too slow to send a request's content (`stall`). It got `408`, if possible.
    Content,
    /// The client was too slow to read a response (`send_stall`). The connection was closed.
    Reading,
    /// The holder of a responder took too long (`respond`). The client got `504`.
    Answer,
    /// The disk with the file of a response, or for the files of a form, took too long (`respond`). The client got
    /// `504`, or the connection was closed if the response had begun.
    Disk,
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the client's TLS handshake took too long",
            Self::Head => "the head of a request took too long",
            Self::Content => "the content of a request came too slowly",
            Self::Reading => "the client reads too slowly",
            Self::Answer => "a deferred response took too long",
            Self::Disk => "the disk took too long to read or write a file",
        })
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(error) => write!(f, "cannot accept: {error}"),
            Self::Request(error) => write!(f, "a bad request: {error}"),
            Self::TimedOut(slowness) => slowness.fmt(f),
            Self::Connection(error) => write!(f, "a connection failed: {error}"),
            Self::Handler(error) => write!(f, "a handler failed: {error}"),
            Self::Panicked(text) => write!(f, "a handler panicked: {text}"),
            Self::Response(error) => write!(f, "a response cannot be sent: {error}"),
            Self::SlowHandler { path, took } => write!(f, "the handler of {path} took {took:?}"),
        }
    }
}

/// The text of a panic.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no text)".to_owned())
}
