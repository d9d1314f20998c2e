//! [`HttpPhase`]: what a request is doing.

use std::fmt;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use httpoll::Phase;

/// What a request is doing. Read it; the plugin alone writes it, and only when it changes.
///
/// Redirects and retries go back to an earlier phase. A connection that is there already is not
/// connected again: then `Requesting` follows `Queued`.
///
/// ```text
///  Queued ─► Resolving ─► Connecting ─► Requesting ─► Receiving ─► Done
///    ▲                                                      │
///    └──────────────── Retrying ◄───────────────────────────┴────► Failed | Cancelled
/// ```
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug, PartialEq)
)]
#[non_exhaustive]
pub enum HttpPhase {
    /// It waits for the next frame's budget, or for a free connection.
    #[default]
    Queued,
    /// The host's name is looked up.
    Resolving,
    /// TCP, a proxy's tunnel and TLS, as far as they are needed.
    Connecting,
    /// The request is sent, or its response awaited.
    Requesting,
    /// The response's content arrives.
    Receiving,
    /// It failed in a way that may pass, and will be sent again.
    Retrying,
    /// The response was whole.
    Done,
    /// It failed.
    Failed,
    /// It was cancelled by [`CancelHttp`](crate::CancelHttp).
    Cancelled,
}

impl HttpPhase {
    /// Whether nothing more happens, unless it is sent again.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// The component's value for a phase that the agent reported.
    pub(crate) fn of(phase: Phase) -> Option<Self> {
        Some(match phase {
            Phase::Queue => Self::Queued,
            Phase::Resolve => Self::Resolving,
            Phase::Connect | Phase::Tunnel | Phase::TlsHandshake => Self::Connecting,
            Phase::SendHead | Phase::AwaitContinue | Phase::SendBody | Phase::AwaitHead => {
                Self::Requesting
            }
            Phase::ReceiveBody => Self::Receiving,
            Phase::AwaitRetry => Self::Retrying,
            _ => return None,
        })
    }
}

impl fmt::Display for HttpPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Resolving => "resolving",
            Self::Connecting => "connecting",
            Self::Requesting => "requesting",
            Self::Receiving => "receiving",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}
