//! The agent, end to end, on the in-memory network.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;
mod requests;
mod support;
