//! An established connection: it sends requests and receives responses.
//!
//! `wire` does so on a link, natively and on the in-memory network. In a browser, which gives a page no
//! sockets, `fetch` hands the request to the browser. Both change the same [`Exchange`], so that nothing
//! above knows which one it is.

#[cfg(target_family = "wasm")]
mod fetch;
mod outcome;
mod wire;

use bytes::Bytes;

use super::content::RequestBody;
use super::exchange::Exchange;
use crate::error::Error;
use crate::limits::Limits;
use crate::phase::Phase;
use crate::proto::RequestHead;
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

#[cfg(target_family = "wasm")]
pub(super) use fetch::FetchConnection;
pub(super) use outcome::{Driven, Follows, Taken};
use wire::Wire;

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum Established {
    Wire(Wire),
    #[cfg(target_family = "wasm")]
    Fetch(FetchConnection),
}

impl Established {
    /// A connection on a link.
    pub(super) fn new(link: Link, limits: &Limits) -> Self {
        Self::Wire(Wire::new(link, limits))
    }

    /// Queues a request and begins its exchange. On error nothing has changed.
    pub(super) fn request(
        &mut self,
        exchange: &mut Exchange,
        head: &RequestHead,
        body: RequestBody,
    ) -> Result<(), Error> {
        match self {
            Self::Wire(wire) => wire.request(exchange, head, body),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.request(exchange, head, body),
        }
    }

    /// Sends and receives as far as possible.
    pub(super) fn drive(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Driven, Error> {
        match self {
            Self::Wire(wire) => wire.drive(exchange, reactor, meter),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.drive(exchange, reactor, meter),
        }
    }

    /// The next piece of content, at most `most` bytes.
    pub(super) fn read_content(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Taken, Error> {
        match self {
            Self::Wire(wire) => wire.read_content(exchange, reactor, meter, most),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.read_content(exchange, meter, most),
        }
    }

    /// Prepares the next request after a response. `false` means that the connection must close.
    pub(super) fn is_reusable_after_response(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
    ) -> bool {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Wire(wire) => {
                let _ = reactor;
                wire.is_reusable_after_response(exchange)
            }
            #[cfg(target_family = "wasm")]
            Self::Wire(wire) => wire.is_reusable_after_response(exchange),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => {
                fetch.end(exchange, reactor);
                true
            }
        }
    }

    /// The phase whose deadline runs now, if this side waits for the peer.
    pub(super) fn awaits(&self, exchange: &Exchange) -> Option<Phase> {
        match self {
            Self::Wire(wire) => wire.awaits(exchange),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.awaits(exchange),
        }
    }

    /// The phase of a failure that ends the exchange now. `None`: no exchange is under way.
    pub(super) fn failed_phase(&self, exchange: &Exchange) -> Option<Phase> {
        match self {
            Self::Wire(wire) => wire.failed_phase(exchange),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.failed_phase(exchange),
        }
    }

    /// Whether request content is missing that only its source can provide.
    pub(super) fn awaits_source(&self, exchange: &Exchange) -> bool {
        match self {
            Self::Wire(wire) => wire.awaits_source(exchange),
            #[cfg(target_family = "wasm")]
            Self::Fetch(_) => exchange.source_waits(),
        }
    }

    /// Sends the content without waiting further for `100 Continue`.
    pub(super) fn stop_awaiting_continue(&mut self) {
        match self {
            Self::Wire(wire) => wire.stop_awaiting_continue(),
            // A browser does not wait for it.
            #[cfg(target_family = "wasm")]
            Self::Fetch(_) => {}
        }
    }

    /// Whether nothing can be done before the peer sends something.
    pub(super) fn waits_for_peer(&self, exchange: &Exchange, reactor: &mut Reactor) -> bool {
        match self {
            Self::Wire(wire) => wire.waits_for_peer(exchange, reactor),
            #[cfg(target_family = "wasm")]
            Self::Fetch(_) => false,
        }
    }

    /// The declared length of the response content, and whether it is chunked.
    pub(super) fn framing(&self) -> (Option<u64>, bool) {
        match self {
            Self::Wire(wire) => wire.framing(),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => (fetch.content_length(), false),
        }
    }

    /// The number of requests sent on this connection so far.
    pub(super) fn requests(&self) -> u32 {
        match self {
            Self::Wire(wire) => wire.requests,
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.requests(),
        }
    }

    /// Bytes of the request's content that a browser has sent, or was given if it does not tell. `None` if it is
    /// not a browser that sends them.
    #[cfg(all(target_family = "wasm", feature = "agent"))]
    pub(super) fn content_sent(&self) -> Option<u64> {
        match self {
            Self::Wire(_) => None,
            Self::Fetch(fetch) => Some(fetch.content_sent()),
        }
    }

    /// Sets how the browser carries out the next requests.
    #[cfg(all(target_family = "wasm", feature = "agent"))]
    pub(super) fn set_fetch_options(&mut self, options: crate::transport::fetch::FetchOptions) {
        if let Self::Fetch(fetch) = self {
            fetch.set_options(options);
        }
    }

    /// The link; `None` if the browser has it.
    pub(super) fn link(&self) -> Option<&Link> {
        match self {
            Self::Wire(wire) => Some(wire.link()),
            #[cfg(target_family = "wasm")]
            Self::Fetch(_) => None,
        }
    }

    /// Moves it to another reactor.
    pub(super) fn move_to(&mut self, from: &mut Reactor, to: &mut Reactor) -> Result<(), Error> {
        match self {
            Self::Wire(wire) => wire.link_mut().socket_mut().move_to(from, to),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => {
                fetch.move_to(from, to);
                Ok(())
            }
        }
    }

    pub(super) fn close(self, reactor: &mut Reactor) {
        match self {
            Self::Wire(wire) => wire.close(reactor),
            #[cfg(target_family = "wasm")]
            Self::Fetch(fetch) => fetch.close(reactor),
        }
    }

    /// The link, and the bytes received after the response that switched protocols. A browser switches to no
    /// other protocol.
    pub(super) fn into_switched(self, reactor: &Reactor) -> Option<(Link, Bytes)> {
        match self {
            Self::Wire(wire) => Some(wire.into_switched(reactor)),
            #[cfg(target_family = "wasm")]
            Self::Fetch(_) => None,
        }
    }
}
