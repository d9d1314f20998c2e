//! The events of this plugin. All are triggered at an entity: observe them there, or globally.

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use httpoll::proto::ResponseHead;
use httpoll::{Bytes, Error, Status};

/// A whole response came for an [`HttpRequest`](crate::HttpRequest).
///
/// Exactly one of this and [`HttpError`] comes for each request that is not cancelled. Any status
/// code is a response, 404 and 500 too: see [`is_success`](Self::is_success).
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpResponse {
    /// The request's entity.
    pub entity: Entity,
    /// Status, version and header lines.
    pub head: ResponseHead,
    /// The content. Cheap to clone.
    pub body: Bytes,
}

impl HttpResponse {
    /// The status code, as in 200.
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.head.status.is_success()
    }

    /// The first value of a header, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.head.fields.get(name)?).ok()
    }
}

/// A request failed, or the client of an [`HttpClientNode`](crate::HttpClientNode) did.
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpError {
    /// The entity of the request or the node.
    pub entity: Entity,
    /// What failed, in which phase, at which host, and whether a retry makes sense.
    pub error: Error,
}

/// The status of a node or a request changed. One event for each transition, in order, also for
/// those that happened within one poll.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpStatusChanged {
    /// The entity of the node or the request.
    pub entity: Entity,
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
}
