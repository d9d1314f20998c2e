//! One connection of a mock server: received bytes become requests, responses become bytes that are
//! sent at their time. Both go through `proto`.
//!
//! ```text
//!             request          sent              closed by either side
//!   Reading ──────────▶ Sending ────▶ Reading …  ─────────▶ Ended
//!      │                   ▲
//!      ├──▶ Streaming ─────┘  the test ends the stream
//!      └──▶ Silent            nothing more is sent; received bytes are dropped
//! ```

mod playback;

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::request::MockRequest;
use super::resource::respond;
use super::response::MockResponse;
use super::rule::no_rule_for;
use super::state::{Opened, Shared};
use super::stream::StreamReader;
use crate::clock::Instant;
use crate::error::{ErrorKind, NetworkFault};
use crate::limits::Limits;
use crate::proto::{
    BodyLength, CloseReason, Exchange, ExchangeEvent, FieldLines, Persistence, RequestHead,
};
use crate::transport::memory::Peer;
use playback::response_head;

pub(super) struct MockConnection {
    server: Arc<Shared>,
    number: usize,
    exchange: Exchange,
    /// The request that is being received.
    draft: Option<Draft>,
    /// How many requests came before it.
    requests: usize,
    turn: Turn,
    opened: Option<Opened>,
}

struct Draft {
    request: MockRequest,
    body: Vec<u8>,
    /// Its index in the log, once a response was chosen.
    logged: Option<usize>,
}

enum Turn {
    Reading,
    Sending { until: Instant },
    Streaming(StreamReader),
    Silent,
    Ended,
}

impl MockConnection {
    pub(super) fn new(server: Arc<Shared>, number: usize, opened: Opened) -> Self {
        Self {
            server,
            number,
            exchange: Exchange::server(Limits::default()),
            draft: None,
            requests: 0,
            turn: Turn::Reading,
            opened: Some(opened),
        }
    }

    /// Handles whatever happened, as far as possible.
    pub(super) fn call(&mut self, peer: &mut Peer) {
        loop {
            self.receive(peer);
            if !self.advance(peer) {
                break;
            }
        }
        if peer.is_closed() {
            self.hang_up(peer);
        }
    }

    fn receive(&mut self, peer: &mut Peer) {
        while !matches!(self.turn, Turn::Silent | Turn::Ended) {
            let received = match self.exchange.receive(peer.received()) {
                Ok(received) => received,
                Err(error) => return self.refuse(error, peer),
            };
            let bytes = peer.take(received.consumed);
            match (received.event, &mut self.draft) {
                (Some(ExchangeEvent::Request(head)), _) => self.begin(head, peer),
                (Some(ExchangeEvent::Content(range)), Some(draft)) => {
                    let content = bytes.get(range).unwrap_or_default();
                    draft.body.extend_from_slice(content);
                }
                (Some(ExchangeEvent::End { trailers }), Some(_)) => self.complete(trailers, peer),
                (Some(_), _) => {}
                (None, _) => return,
            }
        }
        peer.take_received();
    }

    /// Whether there may be more to receive.
    fn advance(&mut self, peer: &mut Peer) -> bool {
        match &mut self.turn {
            Turn::Reading | Turn::Silent | Turn::Ended => false,
            Turn::Streaming(reader) => {
                let Some(push) = reader.next() else {
                    return false;
                };
                self.push(push, peer);
                true
            }
            Turn::Sending { until } if peer.now() < *until => {
                peer.wake_after(*until - peer.now());
                false
            }
            Turn::Sending { .. } => match self.exchange.persistence() {
                Persistence::Reuse => {
                    self.turn = Turn::Reading;
                    self.exchange.next_cycle().is_ok()
                }
                Persistence::Close(CloseReason::Switched) => {
                    self.turn = Turn::Silent;
                    true
                }
                // The response was early; the rest of the request is still coming.
                Persistence::Close(CloseReason::UnreadContent) if !peer.is_closed() => false,
                Persistence::Close(_) => {
                    peer.close();
                    self.end();
                    true
                }
            },
        }
    }

    fn hang_up(&mut self, peer: &mut Peer) {
        match self.turn {
            // The response is still sent: the client may have closed only its side.
            Turn::Sending { .. } | Turn::Ended => {}
            Turn::Reading | Turn::Streaming(_) | Turn::Silent => {
                if matches!(self.turn, Turn::Reading)
                    && let Err(error) = self.exchange.receive_eof()
                    && error != ErrorKind::Network(NetworkFault::Closed)
                {
                    self.server.log_error(error);
                }
                peer.close();
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.turn = Turn::Ended;
        self.opened = None;
    }

    fn begin(&mut self, head: RequestHead, peer: &mut Peer) {
        let request = MockRequest {
            method: head.method,
            target: head.target,
            headers: head.fields,
            body: Bytes::new(),
            trailers: FieldLines::new(),
            connection: self.number,
            number: self.requests,
            at: peer.now(),
            rule: None,
            fault: None,
        };
        self.requests += 1;
        self.draft = Some(Draft {
            request,
            body: Vec::new(),
            logged: None,
        });
        self.respond(true, peer);
        let answered = !matches!(self.turn, Turn::Reading);
        if !answered && self.exchange.wants_continue() && self.server.continues() {
            let head = response_head(StatusCode::CONTINUE, FieldLines::new());
            let mut out = Vec::new();
            // Sending can only fail in a wrong state, and this is the right one. If it fails, nothing
            // is sent.
            if self
                .exchange
                .send_response(&head, BodyLength::None, &mut out)
                .is_ok()
            {
                peer.send(&out);
            }
        }
    }

    fn complete(&mut self, trailers: FieldLines, peer: &mut Peer) {
        let Some(draft) = &mut self.draft else {
            return;
        };
        let body = Bytes::from(mem::take(&mut draft.body));
        match draft.logged {
            Some(index) => self.server.amend(index, |request| {
                request.body = body;
                request.trailers = trailers;
            }),
            None => {
                draft.request.body = body;
                draft.request.trailers = trailers;
                draft.request.at = peer.now();
                self.respond(false, peer);
            }
        }
    }

    /// Responds by a rule. If none matches at the end of the request, responds with a 404.
    fn respond(&mut self, early: bool, peer: &mut Peer) {
        let Some(draft) = &mut self.draft else {
            return;
        };
        let request = &mut draft.request;
        let chosen = self.server.choose(request, early);
        if early && chosen.is_none() {
            return;
        }
        request.rule = chosen.as_ref().map(|(rule, _)| *rule);
        let index = self.server.log(request.clone());
        draft.logged = Some(index);
        let response = match chosen {
            Some((_, reply)) => reply.make(request),
            None => {
                let text = no_rule_for(request, &self.server.rules());
                MockResponse::with_status(404).text(&text)
            }
        };
        let mut response = respond(response, request);
        let faults = self.server.faults();
        if let Some(fault) = faults
            .and_then(|it| it.draw(request.connection, request.number, response.content_len()))
        {
            self.server
                .amend(index, |request| request.fault = Some(fault));
            response = response.with_fault(fault);
        }
        let method = request.method.clone();
        self.send(response, &method, peer);
    }

    /// Responds to invalid HTTP with a 400, unless a response is being sent.
    fn refuse(&mut self, error: ErrorKind, peer: &mut Peer) {
        if matches!(self.turn, Turn::Reading) {
            let response = MockResponse::with_status(400).text(&format!("{error}\n"));
            self.send(response, &Method::GET, peer);
        }
        self.server.log_error(error);
        peer.take_received();
        peer.close();
        self.end();
    }

    fn send(&mut self, response: MockResponse, method: &Method, peer: &mut Peer) {
        if let Err(error) = self.play(response, method, peer) {
            let response = MockResponse::unsendable(&error.to_string());
            if self.play(response, method, peer).is_err() {
                peer.reset();
                self.end();
            }
        }
    }
}

#[cfg(test)]
mod tests;
