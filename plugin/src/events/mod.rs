//! The events, and the one buffered message [`HttpFinished`](crate::HttpFinished).

#[cfg(feature = "patch")]
pub(crate) mod patch;
pub(crate) mod request;
#[cfg(feature = "server")]
pub(crate) mod server;
