//! How a request stands: components to look at, written only when they change.

use std::fmt;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use httpoll::Status;

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

    /// What a connection's status means for its request; `None` when it means nothing.
    pub(crate) fn of(status: Status) -> Option<Self> {
        match status {
            Status::Resolving => Some(Self::Resolving),
            Status::Connecting => Some(Self::Connecting),
            Status::Requesting => Some(Self::Requesting),
            Status::Body => Some(Self::Receiving),
            // Connected is either about to request or done already; failures are told by themselves.
            _ => None,
        }
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

/// How far a request is, in bytes of content. Read it; the plugin alone writes it, at most once a
/// frame and only when it changes, so that `Changed<HttpProgress>` is cheap.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug, PartialEq)
)]
pub struct HttpProgress {
    /// Sent.
    pub sent: u64,
    /// To be sent in all, when known.
    pub to_send: Option<u64>,
    /// Received, before content codings were undone; with what a resumed download had already.
    pub received: u64,
    /// To be received in all, when the server said.
    pub to_receive: Option<u64>,
}

impl HttpProgress {
    /// Received part of the content, 0 to 1, when its length is known.
    pub fn fraction(&self) -> Option<f32> {
        fraction(self.received, self.to_receive)
    }

    /// Sent part of the content, 0 to 1, when its length is known.
    pub fn sent_fraction(&self) -> Option<f32> {
        fraction(self.sent, self.to_send)
    }
}

fn fraction(part: u64, whole: Option<u64>) -> Option<f32> {
    let whole = whole.filter(|whole| *whole > 0)?;
    // Precision is lost above 16 million bytes, where nobody sees it.
    #[allow(clippy::cast_precision_loss)]
    Some((part as f32 / whole as f32).min(1.0))
}

impl From<httpoll::Progress> for HttpProgress {
    fn from(progress: httpoll::Progress) -> Self {
        Self {
            sent: progress.sent,
            to_send: progress.to_send,
            received: progress.received,
            to_receive: progress.to_receive,
        }
    }
}
