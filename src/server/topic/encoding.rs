//! An event as each transport sends it, encoded when it is first needed.

use bytes::Bytes;
use serde_json::json;

use crate::semantics::event_stream::ServerSentEvent;
#[cfg(feature = "websocket")]
use crate::server::websocket::text_frame;

/// The form in which a subscriber gets events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// A stream of server-sent events.
    Events,
    /// A WebSocket that gets payloads.
    #[cfg(feature = "websocket")]
    Payloads,
    /// A WebSocket that gets JSON objects.
    #[cfg(feature = "websocket")]
    Objects,
}

/// One event and its encodings so far.
pub(super) struct Encoded<'a> {
    event: &'a ServerSentEvent,
    encodings: [Option<Bytes>; 3],
}

impl<'a> Encoded<'a> {
    /// The event is valid.
    pub(super) fn new(event: &'a ServerSentEvent) -> Self {
        Self {
            event,
            encodings: [None, None, None],
        }
    }

    pub(super) fn event(&self) -> &'a ServerSentEvent {
        self.event
    }

    /// The bytes for this transport.
    pub(super) fn of(&mut self, transport: Transport) -> Bytes {
        let event = self.event;
        self.encodings[transport as usize]
            .get_or_insert_with(|| encode(event, transport))
            .clone()
    }
}

/// The bytes of this event with another id.
pub(super) fn encode_with_id(event: &ServerSentEvent, transport: Transport, id: &str) -> Bytes {
    let event = ServerSentEvent {
        id: Some(id.to_owned()),
        ..event.clone()
    };
    encode(&event, transport)
}

fn encode(event: &ServerSentEvent, transport: Transport) -> Bytes {
    match transport {
        Transport::Events => {
            let mut bytes = Vec::new();
            // The event was checked when it was published.
            let _ = event.encode(&mut bytes);
            bytes.into()
        }
        #[cfg(feature = "websocket")]
        Transport::Payloads => text_frame(&event.data),
        #[cfg(feature = "websocket")]
        Transport::Objects => text_frame(&object(event).to_string()),
    }
}

/// The event as a JSON object.
pub(super) fn object(event: &ServerSentEvent) -> serde_json::Value {
    let mut object = json!({ "data": event.data });
    if let Some(id) = &event.id {
        object["id"] = json!(id);
    }
    if let Some(kind) = &event.event {
        object["event"] = json!(kind);
    }
    object
}
