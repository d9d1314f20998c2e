//! When responses arrive: whether a poll may wait for them, and whether more connections would help.

use super::{ConnectionKey, Pool};
use crate::clock::Instant;

/// After this many responses in a row that did not arrive while a poll busy-polled, the server counts as
/// far away.
pub(super) const FAR_AWAY_AFTER: u8 = 24;

impl Pool {
    /// Whether requests wait for a server that may respond while a poll busy-polls: one on this machine or
    /// nearby.
    pub(crate) fn has_waiting_nearby(&self) -> bool {
        self.waiting > 0
            && self
                .hosts
                .iter()
                .any(|(_, host)| host.has_waiting() && host.late < FAR_AWAY_AFTER)
    }

    /// Notes whether a connection's response arrived in the poll that sent the request.
    pub(crate) fn note_response(&mut self, key: ConnectionKey, is_prompt: bool) {
        let host = self.connections.get(key.0).map(|pooled| pooled.host);
        if let Some(host) = host.and_then(|host| self.hosts.get_mut(host.0)) {
            host.late = if is_prompt {
                0
            } else {
                host.late.saturating_add(1)
            };
        }
    }

    /// A connection was sent a request.
    pub(crate) fn note_request(&mut self, key: ConnectionKey, now: Instant) {
        if let Some(pooled) = self.get_mut(key) {
            pooled.requests += 1;
            pooled.asked = Some(now);
        }
    }

    /// The head of a connection's response arrived.
    pub(crate) fn note_head(&mut self, key: ConnectionKey, now: Instant) {
        let Some(pooled) = self.get_mut(key) else {
            return;
        };
        let (asked, host) = (pooled.asked.take(), pooled.host);
        if let (Some(asked), Some(host)) = (asked, self.hosts.get_mut(host.0)) {
            let took = now.saturating_duration_since(asked);
            host.round_trip.learn(took);
        }
    }
}
