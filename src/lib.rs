//! A non-blocking, polled HTTP/1.1 node for game loops.

#![forbid(unsafe_code)]

mod budget;
mod connection;
mod error;
mod exclusive;
mod limits;
mod node;
mod phase;
pub mod proto;
mod transport;

pub use bytes::Bytes;

pub use budget::{Budget, Linger, PollAt};
pub use connection::{RequestBody, Status, Transition};
pub use error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};
pub use limits::{Limit, Limits};
pub use node::{
    GodotError, HttpClient, Method, Polled, RequestUrl, query_string_from_dict, response_code,
    verify_headers,
};
pub use phase::{Phase, Timeouts};
pub use transport::memory;
pub use transport::resolver::Resolver;
pub use transport::socket::NonblockingStream;
#[cfg(feature = "tls")]
pub use transport::tls::TlsOptionsBuilder;
pub use transport::tls::{TlsInfo, TlsOptions, TlsVersion};
