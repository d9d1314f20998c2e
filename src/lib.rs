//! HTTP/1.1 inside the frame loop of a game: a client that is *polled*, never blocks, and keeps to a
//! budget.
//!
//! [`HttpClient`] is Godot's `HTTPClient`, method by method: connect, poll, request, poll, read. The
//! game calls [`poll`](HttpClient::poll) once a frame; a poll takes what the sockets have, as far as
//! its [`Budget`] goes, and returns. In a headless tool [`wait`](HttpClient::wait) sleeps in the
//! operating system instead.
//!
//! ```no_run
//! # fn draw_frame() {}
//! use httpoll::{HttpClient, Method, Status};
//!
//! let mut http = HttpClient::new();
//! http.connect_to_host("https://game.example", -1, None)?;
//! let mut body = Vec::new();
//! while http.get_status() == Status::Body || !http.has_response() {
//!     http.poll()?;
//!     if http.get_status() == Status::Connected && !http.has_response() {
//!         http.request(Method::Get, "/leaderboard.json", &[], "")?;
//!     }
//!     // One read a frame would tie the speed to the frame rate: take all that the frame brings.
//!     while http.get_status() == Status::Body {
//!         let chunk = http.read_response_body_chunk()?;
//!         if chunk.is_empty() {
//!             break;
//!         }
//!         body.extend_from_slice(&chunk);
//!     }
//!     draw_frame();
//! }
//! # Ok::<(), httpoll::Error>(())
//! ```
//!
//! Around the node stands the [`Agent`]: many [`Request`]s over a pool of connections on one reactor,
//! answered by [`Event`]s. It follows redirects, retries, keeps cookies and a cache, writes downloads to
//! disk, and reads event streams and WebSockets. The `agent` feature, on by default, holds it.
//!
//! The other way round there is the `server` module: routes, files, event streams and WebSockets, polled
//! in the same loop. The `server` feature holds it.
//!
//! # The one invariant
//!
//! After any call the client is consistent; only `poll`, `wait`, `connect_to_host` and
//! `read_response_body_chunk` touch the network; dropping a client closes its socket before the call
//! returns.
//!
//! # Where things are
//!
//! | what | types |
//! |---|---|
//! | the node | [`HttpClient`], [`Status`], [`Transition`], [`Method`], [`RequestBody`], [`response_code`] |
//! | the agent | [`Agent`], [`Request`], [`Response`], [`Event`], [`Download`], [`Priority`] |
//! | its policies | [`RedirectPolicy`], [`RetryPolicy`], [`CircuitPolicy`], [`AccessPolicy`], [`ProxySettings`], [`Credentials`] |
//! | what a poll may cost, and when the next is wanted | [`Budget`], [`BusyPoll`], [`Polled`], [`PollAt`] |
//! | what goes wrong | [`Error`], [`ErrorKind`], [`Phase`], [`GodotError`] |
//! | how long, how much | [`Timeouts`], [`Limits`] |
//! | what each kind of bad input gets | [`bad_input`] |
//! | names and TLS | [`Resolver`], [`TlsOptions`], [`TlsInfo`] |
//! | tests without a network | [`memory`]; `mock` with the feature `test-util` |
//! | what was asked and answered, as a file | [`recording`] |
//! | HTTP/1.1 as bytes in and events out, both roles | [`proto`] |
//!
//! # Features
//!
//! * `tls` (default): HTTPS by rustls with ring and Mozilla's roots. Without it [`TlsOptions`] has no
//!   values, and `https` is refused.
//! * `certificate-facts`: names, validity and fingerprint of a server's certificate.
//! * `agent` (default): the agent. What costs it dependencies is apart: `cookies`, `cache`, `gzip`,
//!   `brotli`, `zstd`, `multipart`, `digest-auth`, `sha256`, `websocket`. `full` is all features.

#![forbid(unsafe_code)]

#[cfg(feature = "agent")]
mod agent;
#[doc = include_str!("bad_input.md")]
pub mod bad_input {}
mod budget;
mod connection;
mod error;
mod exclusive;
#[cfg(all(fuzzing, feature = "full"))]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
#[cfg(feature = "test-util")]
pub mod mock;
mod node;
mod phase;
pub mod proto;
mod random;
pub mod recording;
#[cfg(any(feature = "agent", feature = "server"))]
mod semantics;
#[cfg(feature = "server")]
pub mod server;
mod transport;

pub use bytes::Bytes;

#[cfg(all(feature = "agent", feature = "websocket"))]
pub use agent::WebSocketOptions;
#[cfg(feature = "agent")]
pub use agent::{
    AddressFamily, Agent, AgentBuilder, CacheMode, ConnectionInfo, Download, Event, Hop,
    PoolLimits, Priority, Progress, Request, RequestHandle, RequestId, Response, RetryCause,
    SavedFile, Timings, Transferred,
};
pub use budget::{Budget, BusyPoll, PollAt, Polled};
pub use connection::{RequestBody, Status, Transition};
#[cfg(feature = "agent")]
pub use error::RequestRefused;
pub use error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};
pub use limits::{Limit, Limits};
pub use node::{
    GodotError, HttpClient, Method, RequestUrl, query_string_from_dict, response_code,
    verify_headers,
};
pub use phase::{Phase, Timeouts};
#[cfg(feature = "agent")]
pub use semantics::access::{
    AccessPolicy, AccessRefusal, AddressClass, HostPattern, InvalidHostPattern,
};
#[cfg(feature = "agent")]
pub use semantics::auth::{AuthFault, Credentials};
#[cfg(feature = "cache")]
pub use semantics::cache::{CacheFileFault, CachedResponse, HttpCache};
#[cfg(feature = "agent")]
pub use semantics::circuit::{CircuitPolicy, OnHold};
#[cfg(feature = "agent")]
pub use semantics::coding::{CodingFault, CodingLimits};
#[cfg(feature = "cookies")]
pub use semantics::cookies::{Cookie, CookieFault, CookieFileFault, CookieJar};
#[cfg(any(feature = "agent", feature = "server"))]
pub use semantics::event_stream::{EventStreamFault, EventStreamParser, ServerSentEvent};
#[cfg(any(feature = "agent", feature = "server"))]
pub use semantics::frames::{FrameFault, JsonLines, LengthPrefix, LengthPrefixed};
#[cfg(feature = "agent")]
pub use semantics::hsts::MalformedHsts;
#[cfg(all(feature = "agent", feature = "multipart"))]
pub use semantics::multipart::{Form, FormFault, Part};
#[cfg(feature = "agent")]
pub use semantics::netrc::{Netrc, NetrcError};
#[cfg(feature = "agent")]
pub use semantics::proxy_rules::{InvalidProxy, ProxySettings, ProxyUrlFault};
#[cfg(feature = "agent")]
pub use semantics::range::RangeSpec;
#[cfg(feature = "agent")]
pub use semantics::redirect::{RedirectPolicy, RedirectRefusal};
#[cfg(feature = "agent")]
pub use semantics::retry::RetryPolicy;
#[cfg(feature = "cookies")]
pub use semantics::same_site::SameSite;
#[cfg(all(feature = "websocket", any(feature = "agent", feature = "server")))]
pub use semantics::websocket::{
    CloseFrame, WebSocketConfig, WebSocketFault, WebSocketMessage, close_code,
};
#[cfg(feature = "agent")]
pub use transport::disk::{DiskFault, DiskStep};
pub use transport::memory;
pub use transport::resolver::Resolver;
pub use transport::socket::NonblockingStream;
#[cfg(feature = "tls")]
pub use transport::tls::TlsOptionsBuilder;
#[cfg(feature = "certificate-facts")]
pub use transport::tls::{CertificateFacts, CertificateFault, SubjectAlternativeName};
pub use transport::tls::{TlsInfo, TlsOptions, TlsVersion};
