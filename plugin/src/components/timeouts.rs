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
