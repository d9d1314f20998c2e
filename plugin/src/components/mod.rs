//! The components: requests and what stands next to them, nodes, servers and their clients.
//!
//! Hooks of components only inform the resources; the systems do the work.

pub(crate) mod backoff;
pub(crate) mod content;
pub(crate) mod download;
pub(crate) mod framing;
pub(crate) mod json_observers;
pub(crate) mod node;
pub(crate) mod owner;
#[cfg(feature = "patch")]
pub(crate) mod patch;
pub(crate) mod paused;
pub(crate) mod phase;
pub(crate) mod priority;
pub(crate) mod progress;
pub(crate) mod rate_limit;
#[cfg(feature = "websocket")]
pub(crate) mod reconnect;
pub(crate) mod repeat;
pub(crate) mod request;
pub(crate) mod request_end;
pub(crate) mod retry;
#[cfg(feature = "server")]
pub(crate) mod server;
#[cfg(feature = "server")]
pub(crate) mod server_peers;
pub(crate) mod stream;
pub(crate) mod timeouts;
pub(crate) mod upload;
#[cfg(feature = "websocket")]
pub(crate) mod web_socket;
