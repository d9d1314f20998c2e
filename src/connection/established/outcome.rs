//! What came of driving an established connection, and of reading from it.

use std::sync::Arc;

use bytes::Bytes;

use crate::proto::ResponseHead;

/// The outcome of one round of driving.
#[derive(Debug)]
pub(in crate::connection) enum Driven {
    Waiting,
    /// The head of the final response, and whether content may follow it.
    Response(Arc<ResponseHead>, Follows),
}

/// What follows a response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum Follows {
    /// Content, possibly empty.
    Content,
    /// Nothing: the message is complete.
    Nothing,
    /// Another protocol.
    Switched,
}

/// The result of [`Established::read_content`](super::Established::read_content).
#[derive(Debug)]
pub(in crate::connection) enum Taken {
    Content(Bytes),
    Nothing,
    /// All content was read.
    End,
}
