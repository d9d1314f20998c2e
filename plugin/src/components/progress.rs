//! [`HttpProgress`]: how many bytes of content a request has moved.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;

/// How many bytes of content a request has sent and received. Read only: the plugin writes it, at most
/// once per frame and only when it changes, so `Changed<HttpProgress>` is cheap.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[component(clone_behavior = Ignore)]
pub struct HttpProgress {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes to send in total, when known.
    pub to_send: Option<u64>,
    /// Bytes received, before content decoding. Includes what a resumed download already had.
    pub received: u64,
    /// Bytes to receive in total, when the server reported it.
    pub to_receive: Option<u64>,
}

impl HttpProgress {
    /// The received fraction of the content, from 0 to 1, when its length is known.
    pub fn fraction(&self) -> Option<f32> {
        fraction(self.received, self.to_receive)
    }

    /// The sent fraction of the content, from 0 to 1, when its length is known.
    pub fn sent_fraction(&self) -> Option<f32> {
        fraction(self.sent, self.to_send)
    }
}

fn fraction(part: u64, whole: Option<u64>) -> Option<f32> {
    let whole = whole.filter(|whole| *whole > 0)?;
    // Above 16 million bytes the rounding is invisible in a progress bar.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_known_with_the_length_and_at_most_1() {
        for (part, whole, expected) in [
            (5, None, None),
            (0, Some(0), None),
            (0, Some(10), Some(0.0)),
            (5, Some(10), Some(0.5)),
            (10, Some(10), Some(1.0)),
            (11, Some(10), Some(1.0)),
        ] {
            assert_eq!(fraction(part, whole), expected, "{part} of {whole:?}");
        }
    }
}
