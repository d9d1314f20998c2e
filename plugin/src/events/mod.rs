//! The events, and the one buffered message [`HttpFinished`](crate::HttpFinished).

pub(crate) mod request;
#[cfg(feature = "server")]
pub(crate) mod server;
