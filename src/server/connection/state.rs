//! The state of a connection: its stages, what is still to come of a request and still to be sent of a
//! response, and how fast both move.

use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};

#[cfg(feature = "websocket")]
use super::open_socket::Socket;
use crate::clock::Instant;
use crate::exclusive::Exclusive;
use crate::server::content::Inbox;
use crate::server::files::{AssetBody, FileReader};
use crate::server::multipart::FormReader;
use crate::server::pipe::Pipe;
use crate::server::request::Request;
use crate::server::responder::Slot;
use crate::server::served::{Admission, Plan, Then};

#[derive(Debug)]
pub(super) enum Stage {
    Handshaking,
    /// Waiting for a request, or reading its head.
    Head,
    /// Collecting the content.
    Collecting(Box<Collecting>),
    /// The content has arrived; the worker still writes files of its form.
    Storing(Box<Storing>),
    /// The request is whole, or as whole as the handler wants it, and waits for its turn.
    Ready(Box<(Request, Plan)>),
    /// The handler has deferred its response.
    Waiting(Arc<Slot>),
    /// The worker looks for the file that is to be sent, or opens it.
    Locating(Box<Locating>),
    Responding(Source),
    /// The connection no longer speaks HTTP.
    #[cfg(feature = "websocket")]
    Socket(Box<Socket>),
    /// The response has been sent. Bytes that still arrive are dropped, so that no reset overtakes it.
    Lingering,
}

#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) request: Request,
    pub(super) admission: Admission,
    pub(super) body: Collected,
    pub(super) length: u64,
    /// No more is taken before the worker has written some of the form's files.
    pub(super) waits_for_disk: bool,
}

/// A request whose form is not on disk yet.
#[derive(Debug)]
pub(super) struct Storing {
    pub(super) request: Request,
    pub(super) plan: Plan,
    pub(super) reader: Box<FormReader>,
}

/// Content that has been collected so far.
pub(super) enum Collected {
    Bytes(Vec<u8>),
    Form(Box<FormReader>),
}

/// A response whose file the worker still has to find or open.
#[derive(Debug)]
pub(super) struct Locating {
    pub(super) reader: FileReader,
    pub(super) then: Then,
}

/// The rest of a request's content, after the request was handed to the handler.
#[derive(Debug)]
pub(super) enum Incoming {
    /// There is no content, or it has ended.
    Over,
    /// The handler reads it.
    Streaming(Arc<Inbox>),
    /// It is not wanted; this many bytes have been dropped.
    Discarding(u64),
}

/// Where the rest of a response's content comes from.
pub(super) enum Source {
    Bytes(Bytes),
    Reader {
        reader: Exclusive<Box<dyn Read + Send>>,
        left: Option<u64>,
    },
    Asset(AssetBody),
    /// A file that the worker reads.
    File(FileReader),
    Pipe(Arc<Pipe>),
    /// All of it is in the write buffer.
    Done,
    /// The content cannot be ended: the connection closes after the bytes in the write buffer.
    Broken,
}

/// What is known of the exchange under way. `on_sent` hooks, the access log and the inspector use it.
#[derive(Debug, Default)]
pub(super) struct Current {
    pub(super) method: Option<Method>,
    pub(super) path: String,
    pub(super) version: Version,
    pub(super) agent: Option<String>,
    /// The client's address, also behind trusted proxies.
    pub(super) ip: Option<IpAddr>,
    /// Fields that the guard adds to every response.
    pub(super) added: HeaderMap,
    pub(super) started: Option<Instant>,
    /// The status of the response under way, until the response is reported.
    pub(super) status: Option<StatusCode>,
    pub(super) sent: u64,
    /// Bytes received since it began.
    pub(super) received: u64,
}

/// How fast bytes move: each window of time needs a minimum of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) since: Instant,
    pub(super) moved: u64,
}

impl Pace {
    pub(super) fn start(now: Instant) -> Self {
        Self {
            since: now,
            moved: 0,
        }
    }

    /// Counts bytes that moved. Begins the next window once there were enough for this one.
    pub(super) fn note(&mut self, bytes: u64, window: Option<Duration>, rate: u32, now: Instant) {
        self.moved += bytes;
        let window = window.unwrap_or(Duration::MAX).as_secs();
        if self.moved >= window.saturating_mul(rate.into()) {
            *self = Self::start(now);
        }
    }

    /// When the window ends.
    pub(super) fn deadline(&self, window: Option<Duration>) -> Option<Instant> {
        self.since.checked_add(window?)
    }
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Form(_) => f.write_str("ReceivedForm"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Reader { left, .. } => write!(f, "Reader({left:?})"),
            Self::Asset(_) => f.write_str("Asset"),
            Self::File(reader) => write!(f, "{reader:?}"),
            Self::Pipe(pipe) => write!(f, "{pipe:?}"),
            Self::Done => f.write_str("Done"),
            Self::Broken => f.write_str("Broken"),
        }
    }
}
