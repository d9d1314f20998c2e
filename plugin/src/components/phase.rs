//! [`HttpPhase`]: what a request is doing.

use std::fmt;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::Phase;

/// What a request is doing: one of httpoll's [`Phase`]s, under the same name, or how it ended. Read only:
/// the plugin writes it, and only when it changes.
///
/// A redirect or a retry goes back to an earlier phase. On a connection that exists already,
/// [`SendHead`](Self::SendHead) follows [`Queue`](Self::Queue). `Tunnel`, `TlsHandshake`,
/// `AwaitContinue`, `SendBody` and `AwaitHead` appear only when they last longer than one poll.
///
/// ```text
///  Queue ─► Resolve ─► Connect ─► SendHead ─► AwaitHead ─► ReceiveBody ─► Done
///    ▲                                             │
///    └───────────────── AwaitRetry ◄───────────────┴────► Failed | Cancelled
/// ```
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[non_exhaustive]
#[component(clone_behavior = Ignore)]
pub enum HttpPhase {
    /// Waiting to be sent, or for a free connection.
    #[default]
    Queue,
    /// Looking the host name up.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// Asking a proxy for a tunnel.
    Tunnel,
    /// The TLS handshake.
    TlsHandshake,
    /// Sending the request head.
    SendHead,
    /// Waiting for `100 Continue` before the content is sent.
    AwaitContinue,
    /// Sending the request content.
    SendBody,
    /// Waiting for the response head.
    AwaitHead,
    /// Receiving the response content, or an open WebSocket.
    ReceiveBody,
    /// Waiting before the request is sent again, or before a WebSocket opens again.
    AwaitRetry,
    /// The response is complete.
    Done,
    /// The request failed.
    Failed,
    /// [`CancelHttp`](crate::CancelHttp) cancelled the request.
    Cancelled,
}

impl HttpPhase {
    /// Whether the request has ended: `Done`, `Failed` or `Cancelled`.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// The component's value for a phase that the agent reported; `None` for one that this version does
    /// not know.
    pub(crate) fn of(phase: Phase) -> Option<Self> {
        Some(match phase {
            Phase::Queue => Self::Queue,
            Phase::Resolve => Self::Resolve,
            Phase::Connect => Self::Connect,
            Phase::Tunnel => Self::Tunnel,
            Phase::TlsHandshake => Self::TlsHandshake,
            Phase::SendHead => Self::SendHead,
            Phase::AwaitContinue => Self::AwaitContinue,
            Phase::SendBody => Self::SendBody,
            Phase::AwaitHead => Self::AwaitHead,
            Phase::ReceiveBody => Self::ReceiveBody,
            Phase::AwaitRetry => Self::AwaitRetry,
            _ => return None,
        })
    }

    /// The phase of httpoll that this stands for; `None` for a request that has ended.
    fn phase(self) -> Option<Phase> {
        Some(match self {
            Self::Queue => Phase::Queue,
            Self::Resolve => Phase::Resolve,
            Self::Connect => Phase::Connect,
            Self::Tunnel => Phase::Tunnel,
            Self::TlsHandshake => Phase::TlsHandshake,
            Self::SendHead => Phase::SendHead,
            Self::AwaitContinue => Phase::AwaitContinue,
            Self::SendBody => Phase::SendBody,
            Self::AwaitHead => Phase::AwaitHead,
            Self::ReceiveBody => Phase::ReceiveBody,
            Self::AwaitRetry => Phase::AwaitRetry,
            Self::Done | Self::Failed | Self::Cancelled => return None,
        })
    }
}

impl fmt::Display for HttpPhase {
    /// As httpoll's [`Phase`]; `done`, `failed` or `cancelled` for a request that has ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.phase(), self) {
            (Some(phase), _) => phase.fmt(f),
            (None, Self::Failed) => f.write_str("failed"),
            (None, Self::Cancelled) => f.write_str("cancelled"),
            (None, _) => f.write_str("done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_of_httpoll_has_a_phase_of_the_same_name() {
        let phases = [
            Phase::Queue,
            Phase::Resolve,
            Phase::Connect,
            Phase::Tunnel,
            Phase::TlsHandshake,
            Phase::SendHead,
            Phase::AwaitContinue,
            Phase::SendBody,
            Phase::AwaitHead,
            Phase::ReceiveBody,
            Phase::AwaitRetry,
        ];
        for phase in phases {
            let own = HttpPhase::of(phase).unwrap_or_default();
            assert_eq!(format!("{own:?}"), format!("{phase:?}"));
            assert_eq!(own.to_string(), phase.to_string());
            assert!(!own.is_over(), "{own}");
        }
        for (own, text) in [
            (HttpPhase::Done, "done"),
            (HttpPhase::Failed, "failed"),
            (HttpPhase::Cancelled, "cancelled"),
        ] {
            assert_eq!(own.to_string(), text);
            assert!(own.is_over(), "{own}");
        }
    }
}
