//! A non-blocking, polled HTTP/1.1 node for game loops.

#![forbid(unsafe_code)]

mod budget;
mod error;
mod limits;
mod phase;

pub use budget::{Budget, Linger, PollAt};
pub use error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};
pub use limits::{Limit, Limits};
pub use phase::{Phase, Timeouts};
