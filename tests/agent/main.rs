//! The agent, end to end, on the in-memory network.

#![cfg(feature = "agent")]
#![allow(
    clippy::expect_used, clippy::unwrap_used,
    clippy::panic,
    // What may get more fields cannot be made in one go.
    clippy::field_reassign_with_default
)]

mod access;
mod auth;
mod background;
mod bodies;
#[cfg(all(
    feature = "cache",
    feature = "multipart",
    feature = "tls",
    feature = "websocket"
))]
#[path = "../broken_tls/mod.rs"]
mod broken_tls;
mod budget_time;
mod budgets;
#[cfg(feature = "cache")]
mod caching;
mod cancelling;
mod circuits;
mod closed_meanwhile;
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod codings;
mod connections;
mod continuing;
#[cfg(feature = "cookies")]
mod cookies;
mod deadlines;
#[cfg(feature = "digest-auth")]
mod digest;
mod downloads;
#[cfg(all(feature = "server", feature = "tls", feature = "websocket"))]
mod each_poll;
mod errors;
mod event_streams;
mod events;
mod expect_continue;
#[cfg(all(
    feature = "cache",
    feature = "multipart",
    feature = "tls",
    feature = "websocket"
))]
mod failures;
#[cfg(feature = "multipart")]
mod forms;
mod heads;
mod hostile;
mod last_bytes;
mod messages;
mod options;
mod pausing;
mod pool;
mod proxies;
#[cfg(feature = "tls")]
mod proxy_failures;
mod queue;
mod rates;
mod records;
mod redirected_fields;
mod redirects;
mod request_fields;
mod requests;
mod responses;
mod resuming;
mod retries;
mod snapshots;
mod stale_connections;
#[cfg(feature = "cache")]
mod stale_responses;
#[cfg(feature = "cache")]
mod stale_while_revalidate;
mod support;
mod suspending;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "server", feature = "tls", feature = "websocket"))]
mod tls_floods;
#[cfg(feature = "cache")]
mod unwanted_content;
#[cfg(all(feature = "server", feature = "websocket"))]
mod web_sockets;
