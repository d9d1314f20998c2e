//! What commands gain: observers attached in a chain, and responses to the requests of a server.

pub(crate) mod observe;
pub(crate) mod request;
#[cfg(feature = "server")]
pub(crate) mod respond;
