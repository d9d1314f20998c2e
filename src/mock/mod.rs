//! A mock HTTP server on the in-memory network, and recordings that it can play back.
//!
//! [`MockServer`] answers requests by rules; [`MockResponse`] says with what and how badly;
//! [`FaultRates`] lets a seed decide what goes wrong. [`Recorder`] and [`Recording`] keep what a real
//! server said and answer with it later. HTTP itself is `proto`'s: the server parses and frames with
//! the same [`Exchange`](crate::proto::Exchange) as everything else here. TLS is not spoken: a game
//! under test is pointed at `http` addresses.
//!
//! | file | holds |
//! |---|---|
//! | `server` | [`MockServer`]: its address, its rules, what it has seen |
//! | `rule`, `pattern` | which requests a rule takes, and why it took one not |
//! | `request` | [`MockRequest`], as it was received |
//! | `response`, `resource` | [`MockResponse`]; ranges and validators (RFC 9110 §13, §14) |
//! | `stream` | [`MockStream`]: content that the test sends while it looks on |
//! | `connection` | one connection of the server, and how a response leaves on it |
//! | `fault` | what a seed lets go wrong |
//! | `recording/` | exchanges as text, without secrets; their playback |

mod connection;
mod fault;
mod pattern;
mod recording;
mod request;
mod resource;
mod response;
mod rule;
mod server;
mod stream;

pub(in crate::transport::memory) use fault::Dice;
pub use fault::{Fault, FaultRates};
pub use recording::{
    RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse, Recorder, Recording,
    RecordingError, Replay,
};
pub use request::MockRequest;
pub use response::MockResponse;
pub use rule::MockRule;
pub use server::{MockConnections, MockServer};
pub use stream::MockStream;
