//! The rules of RFC 9110 and related RFCs, without I/O: no socket, no clock, no file.
//!
//! Code here takes bytes, field values, URLs and a `now`, and returns a decision. The agent and the
//! server act on it. Message syntax on the wire (RFC 9112) belongs to `proto`; connections, timers
//! and files belong to the modules above.

#[cfg(feature = "agent")]
pub(crate) mod access;
#[cfg(feature = "agent")]
pub(crate) mod auth;
#[cfg(feature = "agent")]
pub(crate) mod base_url;
#[cfg(feature = "patch")]
pub(crate) mod byteranges;
#[cfg(feature = "cache")]
pub(crate) mod cache;
#[cfg(feature = "agent")]
pub(crate) mod circuit;
#[cfg(feature = "agent")]
pub(crate) mod coding;
#[cfg(any(feature = "cache", feature = "server"))]
#[cfg_attr(not(test), allow(dead_code, reason = "the server will ask"))]
pub(crate) mod conditional;
#[cfg(feature = "cookies")]
pub(crate) mod cookies;
#[cfg(any(feature = "agent", feature = "server"))]
pub(crate) mod event_stream;
#[cfg(feature = "server")]
#[cfg_attr(not(test), allow(dead_code, reason = "the server will ask"))]
pub(crate) mod form;
#[cfg(any(feature = "agent", feature = "server"))]
pub(crate) mod frames;
#[cfg(feature = "agent")]
pub(crate) mod hsts;
pub(crate) mod keep_alive;
#[cfg(any(all(feature = "agent", feature = "multipart"), feature = "server"))]
pub(crate) mod multipart;
#[cfg(feature = "agent")]
pub(crate) mod netrc;
#[cfg(feature = "agent")]
pub(crate) mod origin;
#[cfg(feature = "agent")]
pub(crate) mod proxy_rules;
#[cfg(any(feature = "agent", feature = "server"))]
pub(crate) mod range;
#[cfg(feature = "agent")]
pub(crate) mod redirect;
#[cfg(feature = "agent")]
pub(crate) mod retry;
#[cfg(any(feature = "cookies", feature = "server"))]
pub(crate) mod same_site;
#[cfg(all(feature = "websocket", any(feature = "agent", feature = "server")))]
pub(crate) mod websocket;
