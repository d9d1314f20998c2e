//! [`HttpReconnect`]: a WebSocket opens again when it ends.

use std::time::Duration;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;

use crate::components::backoff::backoff;

/// Opens a [WebSocket](crate::HttpStream::WebSocket) again when its session ends or cannot be opened.
///
/// Each end of a session, and each attempt that opens none, triggers its own
/// [`HttpResponse`](crate::HttpResponse) (it closed cleanly) or [`HttpError`](crate::HttpError). Then the phase
/// is [`AwaitRetry`](crate::HttpPhase::AwaitRetry), and the next attempt follows after [`delay`](Self::delay). Each
/// further attempt that opens no session doubles the time, up to [`longest`](Self::longest).
/// [`HttpWebSocketOpened`](crate::HttpWebSocketOpened) resets it: after a session, the first attempt follows after
/// `delay` again. `Retry-After` makes it longer. Time is real time, never `Time<Virtual>`.
///
/// It ends, and the request with it, when the game closes the WebSocket (by
/// [`WebSocketMessage::Close`](httpoll::websocket::WebSocketMessage::Close)), when this component is removed, with
/// [`CancelHttp`](crate::CancelHttp), after [`attempts`](Self::attempts), and when the request is invalid. Between
/// two sessions there is nothing to send to: [`SendWebSocketMessage`](crate::SendWebSocketMessage) logs a warning,
/// except for `Close`, which ends the request.
/// So send what the server must know, such as the name of a room, in an observer of `HttpWebSocketOpened`, which
/// runs for each session.
///
/// Requests without a WebSocket ignore it: event streams reconnect by themselves, and for others there is
/// [`HttpRepeat`](crate::HttpRepeat).
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// use bevy_httpoll::httpoll::websocket::WebSocketMessage;
///
/// fn join(mut http: Http) {
///     http.get("wss://game.example/lobby")
///         .insert((
///             HttpStream::WebSocket(HttpWebSocket::default()),
///             HttpReconnect::default(),
///         ))
///         .observe(|on: On<HttpWebSocketOpened>, mut commands: Commands| {
///             let message = WebSocketMessage::Text("join the lobby".into());
///             commands.trigger(SendWebSocketMessage { request: on.request, message });
///         })
///         .on_error(|on: On<HttpError>| println!("reconnecting, because {}", on.error));
/// }
/// ```
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
pub struct HttpReconnect {
    /// The time from the end of a session, or of the first attempt that opened none, to the next attempt.
    /// Default 1 s.
    pub delay: Duration,
    /// The longest time between two attempts. Default 30 s. If it is less than `delay`, the time does not grow.
    pub longest: Duration,
    /// The fraction of the time, from 0 to 1, by which attempts start earlier or later at random, so that not
    /// all players return at the same moment after a restart of the server. Default 0.5.
    pub jitter: f32,
    /// After this many attempts in a row that opened no session, it gives up. Default `None`: never.
    pub attempts: Option<u32>,
}

impl HttpReconnect {
    /// After this time, otherwise the defaults.
    pub fn after(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::default()
        }
    }

    /// How long to wait after this many attempts in a row that opened no session; `None`: it gives up.
    /// `random` is from 0 to 1.
    pub(crate) fn pause(&self, failed_attempts: u32, random: f32) -> Option<Duration> {
        if self.attempts.is_some_and(|most| failed_attempts >= most) {
            return None;
        }
        let doublings = failed_attempts.saturating_sub(1);
        Some(backoff(
            self.delay,
            doublings,
            self.longest,
            self.jitter,
            random,
        ))
    }
}

impl Default for HttpReconnect {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            jitter: 0.5,
            attempts: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_open_no_session_double_the_time_and_may_be_limited() {
        let reconnect = HttpReconnect {
            delay: Duration::from_secs(2),
            longest: Duration::from_secs(10),
            jitter: 0.5,
            attempts: Some(6),
        };
        for (failed_attempts, random, seconds) in [
            (0, 0.5, Some(2.0)),
            (1, 0.5, Some(2.0)),
            (2, 0.5, Some(4.0)),
            (3, 0.5, Some(8.0)),
            (4, 0.5, Some(10.0)),
            (5, 0.0, Some(5.0)),
            (5, 1.0, Some(15.0)),
            (6, 0.5, None),
            (u32::MAX, 0.5, None),
        ] {
            let pause = reconnect.pause(failed_attempts, random);
            let pause = pause.map(|pause| pause.as_secs_f32());
            assert_eq!(pause, seconds, "{failed_attempts} {random}");
        }
        let extreme = HttpReconnect {
            delay: Duration::MAX,
            jitter: f32::NAN,
            ..HttpReconnect::default()
        };
        assert_eq!(extreme.pause(u32::MAX, 1.0), Some(Duration::MAX));
    }
}
