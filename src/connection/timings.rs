//! When each step of a connection was done. Nothing is judged by it; it is what timings are made of.

use std::time::Instant;

use crate::phase::Phase;

/// Times by the clock, not active time: what really passed is what timings tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timestamps {
    /// The name was looked up. `None`: there was nothing to look up.
    pub(crate) resolved: Option<Instant>,
    /// TCP was connected.
    pub(crate) connected: Option<Instant>,
    /// TLS was agreed upon. `None`: no TLS.
    pub(crate) secured: Option<Instant>,
    /// The first byte of the request went out.
    pub(crate) sent: Option<Instant>,
    /// The first byte of the response came.
    pub(crate) first_byte: Option<Instant>,
}

impl Timestamps {
    pub(super) fn begin_exchange(&mut self) {
        self.sent = None;
        self.first_byte = None;
    }

    pub(super) fn awaits_exchange(&self) -> bool {
        self.first_byte.is_none()
    }

    pub(super) fn note_exchange(&mut self, sent: bool, received: bool, now: Instant) {
        if sent {
            self.sent.get_or_insert(now);
        }
        if received {
            self.first_byte.get_or_insert(now);
        }
    }

    pub(super) fn note_stage(&mut self, done: Phase, now: Instant) {
        match done {
            Phase::Resolve => self.resolved = Some(now),
            Phase::Connect => self.connected = Some(now),
            Phase::TlsHandshake => self.secured = Some(now),
            _ => {}
        }
    }
}
