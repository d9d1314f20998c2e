//! [`PhaseTimeouts`]: httpoll's `Timeouts` as data that scenes can save.

use std::time::Duration;

use httpoll::Timeouts;

/// See [`Timeouts`], whose fields these are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    type_path = "bevy_httpoll"
)]
pub(crate) struct PhaseTimeouts {
    resolve: Option<Duration>,
    connect: Option<Duration>,
    tunnel: Option<Duration>,
    tls_handshake: Option<Duration>,
    continue_wait: Option<Duration>,
    head: Option<Duration>,
    stall: Option<Duration>,
}

impl From<Timeouts> for PhaseTimeouts {
    fn from(timeouts: Timeouts) -> Self {
        Self {
            resolve: timeouts.resolve,
            connect: timeouts.connect,
            tunnel: timeouts.tunnel,
            tls_handshake: timeouts.tls_handshake,
            continue_wait: timeouts.continue_wait,
            head: timeouts.head,
            stall: timeouts.stall,
        }
    }
}

impl From<PhaseTimeouts> for Timeouts {
    fn from(saved: PhaseTimeouts) -> Self {
        Self::with(|timeouts| {
            timeouts.resolve = saved.resolve;
            timeouts.connect = saved.connect;
            timeouts.tunnel = saved.tunnel;
            timeouts.tls_handshake = saved.tls_handshake;
            timeouts.continue_wait = saved.continue_wait;
            timeouts.head = saved.head;
            timeouts.stall = saved.stall;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_keeps_its_timeout() {
        let second = Duration::from_secs(1);
        let timeouts = Timeouts::with(|timeouts| {
            timeouts.resolve = Some(second);
            timeouts.connect = Some(2 * second);
            timeouts.tunnel = Some(3 * second);
            timeouts.tls_handshake = Some(4 * second);
            timeouts.continue_wait = Some(5 * second);
            timeouts.head = Some(6 * second);
            timeouts.stall = Some(7 * second);
        });
        let saved = PhaseTimeouts::from(timeouts.clone());
        assert_eq!(Timeouts::from(saved), timeouts);
    }
}
