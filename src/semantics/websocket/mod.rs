//! WebSocket (RFC 6455) for both roles, without I/O: the fields and checks of the opening
//! handshake, and a state machine that turns bytes into messages and messages into bytes. The crate
//! `tungstenite` handles frames, masks, fragments and UTF-8. No module outside this one uses that
//! crate.
//!
//! The agent and the server connect, upgrade and move the bytes. They also own the clock: every
//! time is passed in.
//!
//! | file | contents |
//! |---|---|
//! | `handshake` | the upgrade: request, checks, response (§4) |
//! | `machine` | an open connection: messages, pings, the closing handshake (§5 to §7) |
//! | `pipe`, `wire` | the layer between the machine and `tungstenite`: two byte queues, and type conversions |
//! | `liveness` | when to ping, and when a peer counts as gone |
//! | `message`, `close_code` | messages and close codes |
//! | `config` | limits and times |
//! | `fault` | errors |
//!
//! Extensions are neither offered nor accepted: `tungstenite` has no permessage-deflate (RFC 7692),
//! and our own compression would be one more attack surface.

pub mod close_code;
mod config;
mod handshake;
mod liveness;
mod machine;
mod message;
mod pipe;
mod received_code;
mod wire;

pub use config::WebSocketConfig;
#[cfg(feature = "agent")]
pub(crate) use handshake::ClientHandshake;
#[cfg(feature = "server")]
pub(crate) use handshake::UpgradeRejection;
#[cfg(any(feature = "server", target_family = "wasm"))]
pub(crate) use handshake::UpgradeRequest;
pub(crate) use machine::{WebSocketEvent, WebSocketMachine};
pub use message::{CloseFrame, WebSocketMessage};
