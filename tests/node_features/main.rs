//! The features of a node that one connection can show, on the in-memory network.

#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "tls")]
#[path = "../broken_tls/mod.rs"]
mod broken_tls;
mod connecting;
#[path = "../enum_variants/mod.rs"]
mod enum_variants;
#[cfg(feature = "tls")]
mod failed_phases;
mod failures;
mod requests;
mod responses;
mod reuse;
#[path = "../support/mod.rs"]
mod support;
mod uploads;

/// The response that most servers of these tests give.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
