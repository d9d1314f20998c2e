//! The agent, end to end, on the in-memory network.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bodies;
mod circuits;
mod connections;
mod heads;
mod redirects;
mod requests;
mod retries;
mod support;
