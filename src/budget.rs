//! How much one poll may spend, and when the next poll is due.
//!
//! The caller grants a [`Budget`]. [`FrameBudget`] adapts one to the load of the frames. The meter that
//! counts a budget down is in `transport`.

mod frame;
#[cfg(any(feature = "agent", feature = "server"))]
mod history;

pub use frame::{FrameBudget, FramePace};
#[cfg(any(feature = "agent", feature = "server"))]
pub use history::PollSecond;
#[cfg(any(feature = "agent", feature = "server"))]
pub(crate) use history::{PollHistory, milliseconds};

use std::time::Duration;

use crate::clock::Instant;

/// What one poll may spend. A poll stops at the first limit that it reaches, and the next poll continues
/// there: a small budget delays work but loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Time on the calling thread. It pays for the poll, for reads of content after the poll, and for the
    /// calls of `send` before it. `None` means unlimited. Default 1 ms, about 6 % of a frame at 60 fps.
    ///
    /// Towards the end of the budget, reads become smaller, at the pace that this poll has measured. A step
    /// that cannot be cut, such as a piece of a TLS handshake, starts only if the time that it recently took
    /// is left. The first step of a poll always starts, so that a budget smaller than one step delays work
    /// but never stops it.
    pub time: Option<Duration>,
    /// Bytes moved over the network in both directions. `None`, the default, means unlimited, because a
    /// frame is short of time and not of bytes.
    pub bytes: Option<u64>,
    /// Whether the poll asks the operating system again when nothing more is ready. Default
    /// [`BusyPoll::Content`] with 20 µs. Calls that wait sleep instead, whatever this says.
    pub busy_poll: BusyPoll,
    /// Connections that a server accepts in one poll. `None` means all that wait. Default 64, so that a
    /// burst of clients does not take the whole frame. It has no effect on clients.
    pub accepts: Option<usize>,
    /// Requests that a server passes to its hooks and handlers in one poll. `None`, the default, means as
    /// many as the time allows.
    pub handler_calls: Option<usize>,
}

/// When a poll asks the operating system again before it returns.
///
/// Asking once per frame makes downloads slow: the kernel takes the reader for a slow one and keeps the
/// receive window small, which at 60 frames per second means a few MB/s on a link of many Gbit/s. A poll
/// that busy-polls asks again, without sleeping, until nothing arrived for the given time or the budget is
/// spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusyPoll {
    /// Never: the poll asks once.
    Off,
    /// While response content is arriving. An agent also busy-polls, until nothing arrived for 500 µs (or the
    /// given time, if that is longer), when it has just sent a request and more requests wait for the same
    /// connections, as long as that server responds within that time: a server on this machine or nearby. So
    /// one frame can serve a whole queue, with its last responses, instead of one request per frame and
    /// connection. A request that was not part of a queue is not waited for.
    Content(Duration),
    /// While anything is expected from the peer: a connection, a handshake, a head or content. A request
    /// over a new TLS connection can then finish in the frame that sent it.
    Exchange(Duration),
}

impl Budget {
    /// No limit on time or bytes: for loading screens and tools.
    pub const fn unlimited() -> Self {
        Self {
            time: None,
            bytes: None,
            busy_poll: BusyPoll::Content(Duration::from_micros(20)),
            accepts: None,
            handler_calls: None,
        }
    }

    /// At most this time of a frame.
    pub const fn frame(time: Duration) -> Self {
        Self {
            time: Some(time),
            accepts: Some(ACCEPTS),
            ..Self::unlimited()
        }
    }

    /// Returns the budget with this limit on bytes.
    #[must_use]
    pub const fn with_bytes(self, bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            ..self
        }
    }

    /// Returns the budget with this limit on accepted connections.
    #[must_use]
    pub const fn with_accepts(self, accepts: usize) -> Self {
        Self {
            accepts: Some(accepts),
            ..self
        }
    }

    /// Returns the budget with this limit on handler calls.
    #[must_use]
    pub const fn with_handler_calls(self, calls: usize) -> Self {
        Self {
            handler_calls: Some(calls),
            ..self
        }
    }

    /// Returns the budget with this rule for busy polling.
    #[must_use]
    pub const fn with_busy_poll(self, busy_poll: BusyPoll) -> Self {
        Self { busy_poll, ..self }
    }
}

/// See [`Budget::accepts`].
const ACCEPTS: usize = 64;

impl Default for Budget {
    fn default() -> Self {
        Self::frame(Duration::from_millis(1))
    }
}

/// When the next poll is due. A game that polls once per frame may ignore it. A loop without frames calls
/// `wait`, which sleeps until then. Do not sleep elsewhere: of a gap between two polls, only one second
/// counts towards deadlines. A loop that cannot call `wait`, such as winit's, uses
/// [`on_event`](crate::PollGroup::on_event).
///
/// The variants are all that a loop can wait for; there will be no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollAt {
    /// At once: the budget cut work short, or content waits for the caller.
    Now,
    /// When a socket becomes ready, and at this time (a deadline or a timer) at the latest.
    At(Instant),
    /// When a socket becomes ready, however long that takes.
    Io,
    /// Never: nothing is under way.
    Idle,
}

impl PollAt {
    /// The one of two that comes first.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            (Self::Io, _) | (_, Self::Io) => Self::Io,
            (Self::Idle, Self::Idle) => Self::Idle,
        }
    }

    /// How long a wait may sleep from `now` on, and at most `timeout`; `None` means without limit.
    pub(crate) fn sleep(self, now: Instant, timeout: Option<Duration>) -> Option<Duration> {
        let due = match self {
            Self::Now => Some(Duration::ZERO),
            Self::At(at) => Some(at.saturating_duration_since(now)),
            Self::Io | Self::Idle => None,
        };
        timeout.into_iter().chain(due).min()
    }
}

/// The result of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Whether anything happened: a transition, bytes moved, content to take.
    pub changed: bool,
    /// When the next poll is due.
    pub next: PollAt,
}
