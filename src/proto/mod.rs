//! Sans-IO HTTP/1.1 for both roles (RFC 9112): bytes in, bytes and events out.
//!
//! This module contains the fields, the heads, their parsing and writing, the framing of content, and
//! [`Exchange`], the machine that combines them. It contains no sockets, no clock, no TLS, no URLs and no
//! policy. What a redirect, a cookie or a content coding means is in `semantics`.
//!
//! | file | holds |
//! |---|---|
//! | `grammar` | character classes, optional whitespace, lists (RFC 9110 §5.6) |
//! | `fields` | [`FieldLines`] (RFC 9110 §5) |
//! | `target` | the four request-target forms and `Host` (RFC 9112 §3.2) |
//! | `head` | [`RequestHead`], [`ResponseHead`] and their parsing |
//! | `start_line`, `scan` | the incremental search for the end of a head, with its limits |
//! | `framing` | how long the content of a received message is (RFC 9112 §6.3) |
//! | `chunked` | the decoder of the chunked coding (RFC 9112 §7.1) |
//! | `trailer` | which fields a trailer section may contain (RFC 9110 §6.5) |
//! | `incoming`, `outgoing` | the content being received and being sent |
//! | `emit` | the checks on a sent head, and its bytes |
//! | `persistence` | whether the connection may carry another exchange (RFC 9112 §9) |
//! | `state` | the two state machines, their transitions and couplings |
//! | `exchange` | [`Exchange`]: one request and its response, repeatedly |

#![cfg_attr(test, allow(clippy::panic, clippy::unwrap_used))]

mod chunked;
mod emit;
mod exchange;
mod fields;
mod framing;
mod grammar;
mod head;
mod incoming;
mod outgoing;
mod persistence;
mod scan;
mod singleton;
mod start_line;
mod state;
mod target;
mod trailer;

pub use emit::BodyLength;
pub use exchange::{Exchange, ExchangeEvent, Received};
pub use fields::FieldLines;
#[cfg(feature = "agent")]
pub(crate) use fields::is_secret;
pub use head::{RequestHead, ResponseHead};
pub use persistence::{CloseReason, Persistence};
pub use state::Role;
