//! A mock HTTP server on the in-memory network, and recordings that it can play back.
//!
//! [`MockServer`] responds to requests by rules. [`MockResponse`] describes a response and its
//! faults. [`FaultRates`] injects faults chosen by a seed. [`Recorder`](crate::recording::Recorder)
//! and [`Recording`](crate::recording::Recording) keep the responses of a real server, and [`Replay`]
//! sends them again. The server parses and frames with the same [`Exchange`](crate::proto::Exchange)
//! as the rest of this crate. It does not speak TLS: point a game under test at `http` addresses.
//!
//! # Example
//!
//! [`MockServer`] speaks HTTP/1.1. It responds by rules: late, in small pieces, in parts, or not at
//! all. It keeps a log of all requests. Time is virtual, so a test never waits.
//!
//! ```
//! use std::time::Duration;
//! use httpoll::memory::MemoryNetwork;
//! use httpoll::mock::{MockResponse, MockServer};
//! use httpoll::{HttpClient, Method, Status};
//!
//! let network = MemoryNetwork::new();
//! let server = MockServer::on(&network, "game.example", 80);
//! server
//!     .get("/scores/*")
//!     .query("page", "2")
//!     .reply(MockResponse::with_status(503).delay(Duration::from_secs(5)))
//!     .then_reply(MockResponse::ok().text("[7, 5]"));
//!
//! // What the game does, each frame of its own.
//! let mut http = HttpClient::on_memory(&network);
//! http.connect_to_host("game.example", -1, None)?;
//! let mut answers = Vec::new();
//! let mut body = Vec::new();
//! while answers.len() < 2 {
//!     http.poll()?;
//!     if http.get_status() == Status::Connected {
//!         if http.has_response() {
//!             answers.push((http.get_response_code(), std::mem::take(&mut body)));
//!         }
//!         http.request(Method::Get, "/scores/7?page=2", &[], "")?;
//!     }
//!     while http.get_status() == Status::Body {
//!         match http.read_response_body_chunk()? {
//!             chunk if chunk.is_empty() => break,
//!             chunk => body.extend_from_slice(&chunk),
//!         }
//!     }
//!     network.advance(Duration::from_millis(16));
//! }
//! assert_eq!(answers, [(503, vec![]), (200, b"[7, 5]".to_vec())]);
//!
//! let requests = server.requests();
//! assert_eq!(requests[0].path(), "/scores/7");
//! assert!(requests[1].at - requests[0].at >= Duration::from_secs(5));
//! assert!(server.unmatched().is_empty(), "{:?}", server.unmatched());
//! # Ok::<(), httpoll::Error>(())
//! ```
//!
//! [`MockStream`] sends content piece by piece, as servers of events do. A
//! [`Recording`](crate::recording::Recording) replaces a real server.
//!
//! | file | holds |
//! |---|---|
//! | `server`, `state` | [`MockServer`]: its address, its rules, its log |
//! | `rule`, `pattern` | which requests a rule matches, and why it did not match one |
//! | `request` | [`MockRequest`], as it was received |
//! | `response`, `resource` | [`MockResponse`]; ranges and validators (RFC 9110 §13, §14) |
//! | `stream` | [`MockStream`]: content that the test sends piece by piece |
//! | `connection` | one connection of the server, and how a response leaves on it |
//! | `fault` | faults chosen by a seed |
//! | `replay` | mock servers that respond as recorded |

mod connection;
mod fault;
mod pattern;
mod replay;
mod request;
mod resource;
mod response;
mod rule;
mod server;
mod state;
mod stream;

pub use fault::{Fault, FaultRates};
pub use replay::Replay;
pub use request::MockRequest;
pub use response::MockResponse;
pub use rule::MockRule;
pub use server::MockServer;
pub use state::MockConnections;
pub use stream::MockStream;
