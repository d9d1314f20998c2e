//! When the plugin works: its system sets, and what it does at the end of the app.

use std::time::Duration;

use bevy_app::AppExit;
use bevy_ecs::message::Messages;
use bevy_ecs::schedule::SystemSet;
use bevy_ecs::system::Res;

/// The plugin's system sets.
///
/// | set | schedule | does |
/// |---|---|---|
/// | `Poll` | `PreUpdate` | sends spawned requests, reads and writes sockets |
/// | `Dispatch` | `PreUpdate`, after `Poll` | triggers events, despawns finished requests |
/// | `Submit` | `Last` | sends the requests of this frame |
/// | `Flush` | `Last`, after `Submit` | reads and writes sockets again, if there is something new to do; the next `Dispatch` triggers the events |
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpollSystems {
    /// Sends spawned requests; polls requests, nodes and servers within the budget.
    Poll,
    /// Triggers events, and despawns finished requests.
    Dispatch,
    /// Sends the requests of this frame.
    Submit,
    /// Polls requests and servers again with the rest of the budget, so that what this frame spawned, cancelled or
    /// responded leaves in this frame. Without anything of that kind, and without unfinished work, it makes no
    /// system call: an idle frame costs one, whatever the number of requests, nodes and servers. What arrives
    /// after `Poll` is then read by the next frame's `Poll`.
    Flush,
}

/// What happens to requests when the app ends with [`AppExit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpOnExit {
    /// Cancels them.
    #[default]
    Abort,
    /// The last frame waits for them, at most this long, and runs their observers. For telemetry and saved
    /// games. Event streams and WebSockets are cancelled.
    Drain(Duration),
}

pub(crate) fn is_exiting(exits: Option<Res<Messages<AppExit>>>) -> bool {
    exits.is_some_and(|exits| !exits.is_empty())
}
