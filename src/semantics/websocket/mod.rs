//! WebSocket (RFC 6455) for both roles, without I/O: what the opening handshake says and checks, and a
//! machine that turns bytes into messages and messages into bytes. Frames, masks, fragments and UTF-8
//! are `tungstenite`'s; no other room knows that crate.
//!
//! Who connects, upgrades and moves the bytes is the agent's and the server's business, and so is the
//! clock: every time is passed in.
//!
//! | file | holds |
//! |---|---|
//! | `handshake` | the upgrade, asked for, checked and answered (§4) |
//! | `machine` | an open connection: messages, pings, the closing handshake (§5 to §7) |
//! | `pipe`, `wire` | what stands between the machine and `tungstenite`: two queues of bytes, and words |
//! | `liveness` | when to ping, and when a peer counts as gone |
//! | `message`, `close_code` | what is said |
//! | `config` | limits and times |
//! | `fault` | what goes wrong |
//!
//! Extensions are neither offered nor accepted: `tungstenite` has no permessage-deflate (RFC 7692),
//! and a compression of one's own would be one more way in for hostile input.

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
pub(crate) use handshake::{UpgradeRejection, UpgradeRequest};
pub(crate) use machine::{WebSocketEvent, WebSocketMachine};
pub use message::{CloseFrame, WebSocketMessage};
