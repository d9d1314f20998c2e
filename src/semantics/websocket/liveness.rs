//! When to ping, and when a peer counts as gone (RFC 6455 §5.5.2: a ping may serve as a keepalive
//! or as a check that the peer still responds). Sending the ping belongs to `machine`.
//!
//! Any received byte is a sign of life, not only a pong. While a ping waits behind other outgoing
//! bytes, the peer cannot have seen it. As long as those bytes move, the peer counts as alive.

use std::time::Duration;

use crate::clock::Instant;

/// Decides when to ping the peer and when to give up.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Option<Duration>,
    timeout: Duration,
    probe: Probe,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    /// When bytes last arrived.
    Heard { at: Instant },
    /// A ping waits to be sent. The time is when bytes were last sent.
    Queued { moved: Instant, sent_at: u64 },
    /// When the ping was sent.
    Asked { at: Instant },
}

/// The next action.
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

    /// Records that bytes arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.probe = Probe::Heard { at: now };
    }

    /// Records that a ping was queued. It counts as sent once the total of sent bytes reaches
    /// `sent_at`.
    pub(super) fn pinged(&mut self, sent_at: u64, now: Instant) {
        self.probe = Probe::Queued {
            moved: now,
            sent_at,
        };
    }

    /// Records the total of bytes sent so far.
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

    /// The time of the next action. A time that overflows the clock never comes.
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
    fn a_silent_peer_is_pinged_and_then_fails() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Some(20 * SECOND), 10 * SECOND, start);
        assert_eq!(liveness.due(), Some(start + 20 * SECOND));
        assert_eq!(liveness.advise(start + 19 * SECOND), KeepAliveAction::Wait);
        assert_eq!(liveness.advise(start + 20 * SECOND), KeepAliveAction::Ping);
        liveness.pinged(6, start + 20 * SECOND);
        liveness.sent(6, start + 21 * SECOND);
        assert_eq!(liveness.due(), Some(start + 31 * SECOND));
        // Progress of sending says nothing about the peer now.
        liveness.sent(600, start + 30 * SECOND);
        assert_eq!(liveness.advise(start + 30 * SECOND), KeepAliveAction::Wait);
        assert_eq!(liveness.advise(start + 31 * SECOND), KeepAliveAction::Fail);
        liveness.heard(start + 31 * SECOND);
        assert_eq!(liveness.advise(start + 50 * SECOND), KeepAliveAction::Wait);
    }

    #[test]
    fn a_queued_ping_times_out_only_when_the_queue_does_not_move() {
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
