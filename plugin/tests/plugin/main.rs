//! Tests of the plugin in bare apps: on a network in memory with a virtual clock, and on loopback where
//! real sockets matter. One file per topic.

mod background;
mod builder;
mod cache;
mod clean_up;
mod controls;
mod ends;
mod frames;
mod json;
mod leaderboard;
mod life;
mod messages;
mod mixed_load;
mod names;
mod needs_frames;
mod node;
mod observers;
mod odd_moments;
mod options;
#[cfg(feature = "outbox")]
mod outbox;
#[cfg(feature = "patch")]
mod patches;
mod polling;
mod reconnect;
mod reflection;
mod requests;
mod server;
mod server_ends;
mod snapshots;
mod source;
mod streams;
mod support;
mod system_calls;
mod threads;
