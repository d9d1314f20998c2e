//! How a request gets its response: from its handler, from a [`Responder`], or from the holder of the
//! request.

use std::sync::Arc;

use super::Request;
use crate::server::content::Content;
use crate::server::event_stream::EventStream;
use crate::server::responder::{Responder, Slot};
use crate::server::response::Response;
use crate::server::wake_queue::{ConnectionId, WakeQueue};
#[cfg(feature = "websocket")]
use crate::server::websocket::{Options, WebSocket, WebSocketRefused};

/// Where the response goes.
pub(super) enum Reply {
    /// Nowhere: the request was parsed without a server.
    Nowhere,
    /// To the connection that is calling a handler at present.
    Handler(Arc<WakeQueue>, ConnectionId),
    /// The responder was taken.
    Deferred(Arc<Slot>),
    /// The request itself holds the responder.
    Held(Responder),
}

impl Request {
    /// Takes the responder out of the request, to respond in a later frame or on another thread. The response
    /// that the handler returns is then ignored.
    pub fn defer(&mut self) -> Responder {
        match std::mem::replace(&mut self.reply, Reply::Nowhere) {
            Reply::Nowhere => Responder::nowhere(),
            Reply::Handler(wake_queue, id) => {
                let slot = Slot::new(wake_queue, id);
                self.reply = Reply::Deferred(Arc::clone(&slot));
                Responder::new(slot)
            }
            Reply::Deferred(slot) => {
                self.reply = Reply::Deferred(slot);
                Responder::nowhere()
            }
            Reply::Held(responder) => responder,
        }
    }

    /// Responds with a stream of server-sent events: see [`Responder::event_stream`]. The id of the last event
    /// that the client received is in [`EventStream::last_event_id`].
    pub fn event_stream(&mut self, response: Response) -> EventStream {
        let last = self.header("last-event-id").map(str::to_owned);
        EventStream::start(self.defer(), response, last)
    }

    /// Whether the request asks for a WebSocket.
    #[cfg(feature = "websocket")]
    pub fn wants_websocket(&self) -> bool {
        crate::server::websocket::is_asked_for(self)
    }

    /// Opens the WebSocket that the request asks for (RFC 6455 §4.2). A handler that does not call this
    /// responds like any other handler.
    ///
    /// # Errors
    /// When the request does not ask for a WebSocket, or its handshake is invalid. A handler can return the error
    /// as its response; the request is unchanged.
    #[cfg(feature = "websocket")]
    pub fn accept_websocket(&mut self, options: Options) -> Result<WebSocket, WebSocketRefused> {
        WebSocket::accept(self, options)
    }

    /// Whether the response to a pulled request is no longer wanted: see [`Responder::is_aborted`]. `false` in a
    /// handler, and after the responder was taken.
    pub fn is_aborted(&self) -> bool {
        match &self.reply {
            Reply::Held(responder) => responder.is_aborted(),
            Reply::Nowhere | Reply::Handler(..) | Reply::Deferred(_) => false,
        }
    }

    /// Responds to a pulled request. In a handler it does the same as
    /// `request.defer().respond(response)`.
    pub fn respond(mut self, response: Response) {
        self.defer().respond(response);
    }

    /// Takes the content as a stream, in a route that is called [at the head](crate::server::Route::at_head).
    /// This sends `100 Continue` to a client that waits for it. `None` for other routes, and for a second call.
    pub fn take_content(&mut self) -> Option<Content> {
        let content = self.content.take()?;
        content.ask();
        Some(content)
    }

    pub(in crate::server) fn reply_to(&mut self, wake_queue: &Arc<WakeQueue>, id: ConnectionId) {
        self.reply = Reply::Handler(Arc::clone(wake_queue), id);
    }

    /// The source of the response if the handler deferred it.
    pub(in crate::server) fn deferred(&self) -> Option<Arc<Slot>> {
        match &self.reply {
            Reply::Deferred(slot) => Some(Arc::clone(slot)),
            Reply::Nowhere | Reply::Handler(..) | Reply::Held(_) => None,
        }
    }

    /// Makes the request hold its own responder, so that it can be pulled.
    pub(in crate::server) fn hold_responder(&mut self) -> Option<Arc<Slot>> {
        let responder = self.defer();
        let slot = responder.slot().cloned();
        self.reply = Reply::Held(responder);
        slot
    }
}
