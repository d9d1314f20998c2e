//! The agent, end to end, on the in-memory network.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod auth;
mod bodies;
mod cancelling;
mod circuits;
mod connections;
mod deadlines;
mod heads;
mod pausing;
mod pool;
mod proxies;
mod queue;
mod rates;
mod redirects;
mod requests;
mod retries;
mod support;
