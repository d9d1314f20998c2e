//! The rules of RFC 9110 and its neighbours, without I/O: no socket, no clock, no file.
//!
//! What is written here takes bytes, field values, URLs and a `now`, and answers what to do. The agent
//! and the server do it.

#[cfg(feature = "cache")]
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod cache;
#[cfg(feature = "agent")]
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod coding;
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod conditional;
#[cfg(feature = "cookies")]
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod cookies;
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod event_stream;
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod form;
pub(crate) mod frames;
#[cfg(any(all(feature = "agent", feature = "multipart"), feature = "server"))]
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod multipart;
#[allow(dead_code, reason = "the agent and the server will ask")]
pub(crate) mod range;
