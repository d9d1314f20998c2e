//! When to ping, and when a peer counts as gone (RFC 6455 §5.5.2: a ping serves as a keepalive and as
//! a question whether the peer is still there).
//!
//! Whatever arrives is a sign of life, not the pong alone. A ping that still waits behind other bytes
//! to be sent was not asked yet: as long as these move, the peer is there.

use std::time::{Duration, Instant};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Option<Duration>,
    timeout: Duration,
    probe: Probe,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    /// Something came then.
    Heard { at: Instant },
    /// A ping is on its way out; bytes were last sent then.
    Queued { moved: Instant, sent_at: u64 },
    /// It went out then.
    Asked { at: Instant },
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepAliveAction {
    Wait,
    Ping,
    Fail,
}

impl Liveness {
    pub(super) fn new(interval: Option<Duration>, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            probe: Probe::Heard { at: now },
        }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.probe = Probe::Heard { at: now };
    }

    /// A ping was queued; it is out when so many bytes have been sent.
    pub(super) fn pinged(&mut self, sent_at: u64, now: Instant) {
        self.probe = Probe::Queued {
            moved: now,
            sent_at,
        };
    }

    /// So many bytes have been sent by now.
    pub(super) fn sent(&mut self, sent: u64, now: Instant) {
        if let Probe::Queued { sent_at, .. } = self.probe {
            self.probe = if sent >= sent_at {
                Probe::Asked { at: now }
            } else {
                Probe::Queued {
                    moved: now,
                    sent_at,
                }
            };
        }
    }

    pub(super) fn advise(&self, now: Instant) -> KeepAliveAction {
        match (self.due(), self.probe) {
            (Some(due), Probe::Heard { .. }) if now >= due => KeepAliveAction::Ping,
            (Some(due), _) if now >= due => KeepAliveAction::Fail,
            _ => KeepAliveAction::Wait,
        }
    }

    /// When there is something to do. What lies beyond the end of time is never due.
    pub(super) fn due(&self) -> Option<Instant> {
        let interval = self.interval?;
        match self.probe {
            Probe::Heard { at } => at.checked_add(interval),
            Probe::Queued { moved: at, .. } | Probe::Asked { at } => at.checked_add(self.timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_asked_about_and_then_given_up() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Some(20 * SECOND), 10 * SECOND, start);
        assert_eq!(liveness.due(), Some(start + 20 * SECOND));
        assert_eq!(liveness.advise(start + 19 * SECOND), KeepAliveAction::Wait);
        assert_eq!(liveness.advise(start + 20 * SECOND), KeepAliveAction::Ping);
        liveness.pinged(6, start + 20 * SECOND);
        liveness.sent(6, start + 21 * SECOND);
        assert_eq!(liveness.due(), Some(start + 31 * SECOND));
        // Sending goes on, but says nothing about the peer now.
        liveness.sent(600, start + 30 * SECOND);
        assert_eq!(liveness.advise(start + 30 * SECOND), KeepAliveAction::Wait);
        assert_eq!(liveness.advise(start + 31 * SECOND), KeepAliveAction::Fail);
        liveness.heard(start + 31 * SECOND);
        assert_eq!(liveness.advise(start + 50 * SECOND), KeepAliveAction::Wait);
    }

    #[test]
    fn a_ping_in_the_queue_is_given_up_only_when_the_queue_stands_still() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Some(SECOND), 10 * SECOND, start);
        liveness.pinged(100, start);
        liveness.sent(50, start + 9 * SECOND);
        assert_eq!(liveness.advise(start + 18 * SECOND), KeepAliveAction::Wait);
        assert_eq!(liveness.advise(start + 19 * SECOND), KeepAliveAction::Fail);
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let start = Instant::now();
        let liveness = Liveness::new(None, SECOND, start);
        assert_eq!(liveness.due(), None);
        assert_eq!(
            liveness.advise(start + 9999 * SECOND),
            KeepAliveAction::Wait
        );
        let liveness = Liveness::new(Some(Duration::MAX), SECOND, start);
        assert_eq!(liveness.due(), None);
    }
}
