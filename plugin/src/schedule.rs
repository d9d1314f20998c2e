//! When the plugin works: its system sets, and what it does at the end of the app.

use std::time::Duration;

use bevy_app::AppExit;
use bevy_ecs::message::Messages;
use bevy_ecs::schedule::SystemSet;
use bevy_ecs::system::Res;

/// When the plugin works.
///
/// | set | schedule | does |
/// |---|---|---|
/// | `Poll` | `PreUpdate` | sends what was spawned, reads and writes sockets |
/// | `Dispatch` | `PreUpdate`, after `Poll` | triggers events, despawns requests that are done |
/// | `Submit` | `Last` | sends what this frame spawned |
/// | `Flush` | `Last`, after `Submit` | reads and writes sockets again; what comes is told in the next `Dispatch` |
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpollSystems {
    /// Sends what was spawned; polls requests and nodes, within the budget.
    Poll,
    /// Triggers the events, and despawns requests that are done.
    Dispatch,
    /// Sends what this frame spawned.
    Submit,
    /// Polls requests once more, with what is left of the budget.
    Flush,
}

/// What becomes of requests when the app ends, by [`AppExit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpOnExit {
    /// They are cancelled.
    #[default]
    Abort,
    /// The last frame waits for them, at most so long: for telemetry and saved games. Observers are
    /// told as ever. Event streams and WebSockets are cancelled.
    Drain(Duration),
}

pub(crate) fn is_exiting(exits: Option<Res<Messages<AppExit>>>) -> bool {
    exits.is_some_and(|exits| !exits.is_empty())
}
