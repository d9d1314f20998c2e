//! The systems, and the observers of events that users trigger.
//!
//! In the order of a frame: `poll` begins the frame; `asset_loads`, `servers` and `submit` hand new work
//! to the agent and the listeners; `poll` moves bytes; `nodes` and `dispatch` report what happened, by
//! way of `deliver`; `patches` and `outbox` poll sets of files and telemetry; `snapshot` and `diagnostics` show
//! it; `exit` runs in the last frame. `finished` limits what unread
//! messages hold.

#[cfg(feature = "assets")]
pub(crate) mod asset_loads;
pub(crate) mod cancel;
pub(crate) mod deliver;
#[cfg(feature = "diagnostics")]
pub mod diagnostics;
pub(crate) mod dispatch;
pub(crate) mod exit;
pub(crate) mod finished;
pub(crate) mod json;
pub(crate) mod messages;
pub(crate) mod nodes;
#[cfg(feature = "outbox")]
pub(crate) mod outbox;
pub(crate) mod owners;
#[cfg(feature = "patch")]
pub(crate) mod patches;
pub(crate) mod poll;
#[cfg(feature = "cache")]
pub(crate) mod save_cache;
#[cfg(feature = "server")]
pub(crate) mod server_shutdown;
#[cfg(feature = "server")]
pub(crate) mod servers;
pub(crate) mod snapshot;
pub(crate) mod submit;
#[cfg(feature = "server")]
pub(crate) mod unclaimed;
