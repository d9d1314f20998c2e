//! The rules of RFC 9110 and its neighbours, without I/O: no socket, no clock, no file.
//!
//! What is written here takes bytes, field values, URLs and a `now`, and answers what to do. The agent
//! and the server do it.

#[cfg(feature = "agent")]
pub(crate) mod access;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod auth;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod base_url;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod circuit;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod hsts;
#[cfg(feature = "agent")]
pub(crate) mod netrc;
#[cfg(feature = "agent")]
pub(crate) mod origin;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod proxy_rules;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod redirect;
#[cfg(feature = "agent")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent will ask it"))]
pub(crate) mod retry;
#[cfg(feature = "websocket")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server stand on it")
)]
pub(crate) mod websocket;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server will ask")
)]
#[cfg(feature = "agent")]
pub(crate) mod coding;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server will ask")
)]
pub(crate) mod conditional;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server will ask")
)]
pub(crate) mod event_stream;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server will ask")
)]
pub(crate) mod form;
pub(crate) mod frames;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent and the server will ask")
)]
pub(crate) mod range;
