//! The agent, end to end, on the in-memory network.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod auth;
mod bodies;
mod budgets;
mod cancelling;
mod circuits;
mod codings;
mod connections;
mod deadlines;
mod downloads;
mod errors;
mod event_streams;
mod heads;
mod hostile;
mod pausing;
mod pool;
mod proxies;
mod queue;
mod rates;
mod records;
mod redirects;
mod requests;
mod responses;
mod retries;
mod support;
mod telling;
#[cfg(feature = "tls")]
mod tls;
