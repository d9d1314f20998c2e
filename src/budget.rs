//! How much one poll may spend, and when the next one is wanted.
//!
//! A [`Budget`] is what the caller grants; the meter that counts it down lives in `transport`.

use std::time::{Duration, Instant};

/// What one poll may spend. A poll stops at whichever limit comes first, and the next poll goes on
/// where it stopped: nothing is lost by a small budget.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Wall time on the calling thread, counting the reads that follow the poll as well as the poll
    /// itself, and the requests that an agent was given since the poll before. `None` means unlimited.
    /// Default 1 ms, about 6 % of a frame at 60 fps.
    ///
    /// Reads become smaller towards its end, at the pace that this poll has shown. What cannot be cut, as
    /// the pieces of a TLS handshake, begins only when there is time left for what it took of late; the
    /// first piece of a poll always does, so that a budget below its cost delays but never starves.
    pub time: Option<Duration>,
    /// Bytes moved over the network in both directions. `None` means unlimited, the default: time is
    /// what a frame is short of.
    pub bytes: Option<u64>,
    /// Whether to look again when the kernel has nothing more. Default
    /// [`BusyPoll::Content`] with 20 µs.
    pub busy_poll: BusyPoll,
    /// Connections that a server accepts in one poll. `None` means as many as wait. Default 64: a
    /// burst of peers must not take the whole frame. Clients accept nothing.
    pub accepts: Option<usize>,
    /// Handlers and hooks' rounds that a server runs in one poll: one for each request that is
    /// handed on. `None`, the default, means as many as the time allows.
    pub handler_calls: Option<usize>,
}

/// When a poll looks again before it returns.
///
/// Looking once a frame starves a download: the kernel keeps the receive window as small as the
/// reader seems slow, and at 60 frames a second that is a few MB/s on a link of many Gbit/s. A poll
/// that busy-polls keeps looking, without sleeping, until nothing came for the given time or until the
/// budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusyPoll {
    /// Never: look once.
    Off,
    /// While response content is arriving. An agent also looks on, at least 500 µs, when it has just asked a
    /// server and more requests wait for the same connections, as long as that server answers so soon:
    /// one on this machine or nearby. So a queue is worked off in one frame instead of one answer a frame
    /// and connection.
    Content(Duration),
    /// While anything is due from the peer: a connection, a handshake, a head or content. A fresh
    /// TLS request can then finish in the frame that asked for it.
    Exchange(Duration),
}

impl Budget {
    /// No limit of time or bytes: for loading screens, tools and tight loops.
    pub const fn unlimited() -> Self {
        Self {
            time: None,
            bytes: None,
            busy_poll: BusyPoll::Content(Duration::from_micros(20)),
            accepts: None,
            handler_calls: None,
        }
    }

    /// At most `time` of a frame.
    pub const fn frame(time: Duration) -> Self {
        Self {
            time: Some(time),
            accepts: Some(ACCEPTS),
            ..Self::unlimited()
        }
    }

    /// The same budget with a cap on bytes.
    #[must_use]
    pub const fn with_bytes(self, bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            ..self
        }
    }

    /// The same budget with another number of connections to accept.
    #[must_use]
    pub const fn with_accepts(self, accepts: usize) -> Self {
        Self {
            accepts: Some(accepts),
            ..self
        }
    }

    /// The same budget with a cap on handler calls.
    #[must_use]
    pub const fn with_handler_calls(self, calls: usize) -> Self {
        Self {
            handler_calls: Some(calls),
            ..self
        }
    }

    /// The same budget with another rule for busy polling.
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

/// When the machine wants to be polled again. A game that polls once a frame may ignore it. A loop
/// without frames calls `wait`, which sleeps by it: of time slept elsewhere only a second counts against
/// deadlines, as of every gap between polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollAt {
    /// At once: the budget cut the work short, or content waits to be taken.
    Now,
    /// When a socket becomes ready, at the latest at this time (a deadline or a timer).
    At(Instant),
    /// When a socket becomes ready, however late.
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

    /// How long a wait may sleep from `now` on, at most `timeout`; `None` is without end.
    pub(crate) fn sleep(self, now: Instant, timeout: Option<Duration>) -> Option<Duration> {
        let due = match self {
            Self::Now => Some(Duration::ZERO),
            Self::At(at) => Some(at.saturating_duration_since(now)),
            Self::Io | Self::Idle => None,
        };
        timeout.into_iter().chain(due).min()
    }
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Whether anything moved: a transition, bytes, content to take.
    pub changed: bool,
    /// When the next poll has something to do.
    pub next: PollAt,
}
