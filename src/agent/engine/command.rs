//! What the owner of an agent wants done. Commands are values, so that they can be executed at once or
//! sent to the thread of the engine.

use std::time::Duration;

use crate::agent::event::Unpulled;
use crate::agent::id::RequestId;
use crate::agent::prepared::Prepared;
use crate::agent::settings::Priority;
#[cfg(feature = "websocket")]
use crate::semantics::websocket::WebSocketMessage;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) enum Command {
    Submit(RequestId, Box<Prepared>),
    /// Ends these requests, which are sorted. Thousands of handles may be dropped at once.
    Cancel(Vec<RequestId>),
    Pause(RequestId),
    Resume(RequestId),
    SetPriority(RequestId, Priority),
    SetRateLimit(RequestId, Option<u64>),
    /// Of a priority, or of all.
    SetSharedRateLimit(Option<Priority>, Option<u64>),
    /// The caller pulled this much content.
    Pulled(RequestId, Unpulled),
    Suspend(Duration),
    ResumeAll,
    CloseIdle,
    #[cfg(feature = "websocket")]
    Send(RequestId, WebSocketMessage),
    #[cfg(feature = "websocket")]
    CloseWebSocket(RequestId, u16, String),
}
