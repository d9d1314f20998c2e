//! [`HttpProgress`]: how many bytes of content a request has moved.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;

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

impl From<httpoll::agent::Progress> for HttpProgress {
    fn from(progress: httpoll::agent::Progress) -> Self {
        Self {
            sent: progress.sent,
            to_send: progress.to_send,
            received: progress.received,
            to_receive: progress.to_receive,
        }
    }
}
