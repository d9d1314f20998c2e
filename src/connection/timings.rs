//! When each step was completed, and the deadline of the current one. This file only keeps times.

use crate::clock::Instant;
use crate::phase::Phase;

/// When each step of a connection and of its latest exchange was completed. These are times of the clock
/// and not active time, because timings report the time that really passed.
#[cfg(feature = "agent")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timestamps {
    /// The name was looked up. `None` if no lookup was needed.
    pub(crate) resolved: Option<Instant>,
    /// TCP was connected.
    pub(crate) connected: Option<Instant>,
    /// TLS was established. `None` without TLS.
    pub(crate) secured: Option<Instant>,
    /// The first byte of the request was sent.
    pub(crate) sent: Option<Instant>,
    /// The first byte of the response was received.
    pub(crate) first_byte: Option<Instant>,
}

/// When each step of a connection was completed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionTimes {
    resolved: Option<Instant>,
    connected: Option<Instant>,
    secured: Option<Instant>,
}

/// When each step of one exchange was completed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExchangeTimes {
    sent: Option<Instant>,
    first_byte: Option<Instant>,
}

/// The deadline of a phase, in active time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) phase: Phase,
    pub(super) at: Instant,
}

impl ConnectionTimes {
    pub(super) fn note(&mut self, done: Phase, now: Instant) {
        match done {
            Phase::Resolve => self.resolved = Some(now),
            Phase::Connect => self.connected = Some(now),
            Phase::TlsHandshake => self.secured = Some(now),
            _ => {}
        }
    }

    /// Combines both parts.
    #[cfg(feature = "agent")]
    pub(super) fn with(self, exchange: ExchangeTimes) -> Timestamps {
        Timestamps {
            resolved: self.resolved,
            connected: self.connected,
            secured: self.secured,
            sent: exchange.sent,
            first_byte: exchange.first_byte,
        }
    }
}

impl ExchangeTimes {
    /// Notes when something was sent and received first. The clock is read only if that is new.
    pub(super) fn note(&mut self, sent: bool, received: bool, now: impl FnOnce() -> Instant) {
        let is_first_sent = sent && self.sent.is_none();
        let is_first_received = received && self.first_byte.is_none();
        if is_first_sent || is_first_received {
            let now = now();
            self.sent = self.sent.or(sent.then_some(now));
            self.first_byte = self.first_byte.or(received.then_some(now));
        }
    }
}
