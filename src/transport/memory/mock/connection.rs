//! One connection of a mock server: bytes through `proto` to requests, responses through `proto` to
//! bytes that leave in time.
//!
//! ```text
//!             request          sent              closed by either side
//!   Reading ──────────▶ Sending ────▶ Reading …  ─────────▶ Ended
//!      │                   ▲
//!      ├──▶ Streaming ─────┘  the test ends the stream
//!      └──▶ Silent            nothing more comes; what is received is dropped
//! ```

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::request::MockRequest;
use super::response::{Drip, Ending, MockContent, MockResponse};
use super::rule::no_rule_for;
use super::server::{Opened, Shared};
use super::stream::{Push, StreamReader};
use crate::error::{ErrorKind, NetworkFault};
use crate::limits::Limits;
use crate::proto::{
    BodyLength, CloseReason, Event, Exchange, FieldLines, RequestHead, ResponseHead, Verdict,
};
use crate::transport::memory::net::later;
use crate::transport::memory::peer::Peer;

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
    /// Its place in the log, once it is answered.
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

    /// Something happened: goes as far as it can.
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
                (Some(Event::Request(head)), _) => self.begin(head, peer),
                (Some(Event::Content(range)), Some(draft)) => {
                    let content = bytes.get(range).unwrap_or_default();
                    draft.body.extend_from_slice(content);
                }
                (Some(Event::End { trailers }), Some(_)) => self.complete(trailers, peer),
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
            Turn::Sending { .. } => match self.exchange.verdict() {
                Verdict::Reuse => {
                    self.turn = Turn::Reading;
                    self.exchange.next_cycle().is_ok()
                }
                Verdict::Close(CloseReason::Switched) => {
                    self.turn = Turn::Silent;
                    true
                }
                // The answer was early; the rest of the request comes.
                Verdict::Close(CloseReason::UnreadContent) if !peer.is_closed() => false,
                Verdict::Close(_) => {
                    peer.close();
                    self.end();
                    true
                }
            },
        }
    }

    fn hang_up(&mut self, peer: &mut Peer) {
        match self.turn {
            // What was asked for is still sent: the client may have closed only its side.
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
            // It can only fail out of order, and it is not: then nothing is sent.
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

    /// Answers by a rule; without one, at the end of the request, by a 404.
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
        let mut response = response.answering(request);
        let faults = self.server.faults();
        if let Some(fault) = faults
            .and_then(|it| it.draw(request.connection, request.number, response.content_len()))
        {
            self.server
                .amend(index, |request| request.fault = Some(fault));
            response = fault.apply(response);
        }
        let method = request.method.clone();
        self.send(response, &method, peer);
    }

    /// Answers what is no HTTP by a 400, unless a response is under way.
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

    /// Puts a response on its way. Fails, with nothing sent, if it cannot be.
    fn play(
        &mut self,
        response: MockResponse,
        method: &Method,
        peer: &mut Peer,
    ) -> Result<(), ErrorKind> {
        if response.ending == Ending::Never {
            self.turn = Turn::Silent;
            return Ok(());
        }
        let status = response.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut head = response_head(status, response.fields);
        let (length, pieces) = match &response.content {
            MockContent::Raw(bytes) => {
                peer.send_after(response.delay, bytes);
                peer.close_after(response.delay);
                self.end();
                return Ok(());
            }
            MockContent::Whole(bytes) => (known(bytes.len()), vec![bytes.clone()]),
            MockContent::Chunked(pieces) => (BodyLength::Unknown, pieces.clone()),
            MockContent::UntilClose(bytes) => {
                head.version = Version::HTTP_10;
                (BodyLength::Unknown, vec![bytes.clone()])
            }
            // `answering` has turned it into a whole or a part.
            MockContent::Resource(_) => (BodyLength::None, Vec::new()),
            MockContent::Stream(_) => (BodyLength::Unknown, Vec::new()),
        };
        let mut out = Vec::new();
        self.exchange.send_response(&head, length, &mut out)?;

        let most = match response.ending {
            Ending::Complete | Ending::Never => usize::MAX,
            Ending::CutAfter(bytes) | Ending::ResetAfter(bytes) | Ending::StallAfter(bytes) => {
                bytes
            }
        };
        let mut at = response.delay;
        let every = response.drip.map_or(Duration::ZERO, |drip| drip.every);
        for (index, piece) in split(pieces, most, response.drip).iter().enumerate() {
            self.exchange.send_content(piece, &mut out)?;
            if index > 0 && !out.is_empty() {
                at = at.saturating_add(every);
            }
            peer.send_after(at, &out);
            out.clear();
        }
        let has_content = *method != Method::HEAD
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (response.ending, &response.content) {
            (Ending::Complete, MockContent::Stream(stream)) if has_content => {
                peer.send_after(at, &out);
                self.turn = Turn::Streaming(stream.join(peer.waker()));
            }
            (Ending::Complete, _) => {
                self.exchange.finish(&FieldLines::new(), &mut out)?;
                peer.send_after(at, &out);
                let until = later(peer.now(), at);
                self.turn = Turn::Sending { until };
            }
            (Ending::CutAfter(_), _) => {
                peer.send_after(at, &out);
                peer.close_after(at);
                self.end();
            }
            (Ending::ResetAfter(_), _) => {
                peer.send_after(at, &out);
                peer.reset_after(at);
                self.end();
            }
            (Ending::StallAfter(_) | Ending::Never, _) => {
                peer.send_after(at, &out);
                self.turn = Turn::Silent;
            }
        }
        Ok(())
    }

    /// What the test did to the stream that is being sent.
    fn push(&mut self, push: Push, peer: &mut Peer) {
        let mut out = Vec::new();
        let sent = match push {
            Push::Bytes(bytes) => self.exchange.send_content(&bytes, &mut out),
            Push::End => {
                self.turn = Turn::Sending { until: peer.now() };
                self.exchange.finish(&FieldLines::new(), &mut out)
            }
            Push::Reset => {
                peer.reset();
                self.end();
                return;
            }
        };
        peer.send(&out);
        if sent.is_err() {
            peer.reset();
            self.end();
        }
    }
}

fn response_head(status: StatusCode, fields: FieldLines) -> ResponseHead {
    ResponseHead {
        version: Version::HTTP_11,
        status,
        reason: status.canonical_reason().unwrap_or_default().to_owned(),
        fields,
    }
}

fn known(length: usize) -> BodyLength {
    match length {
        0 => BodyLength::None,
        length => BodyLength::Known(length as u64),
    }
}

/// The pieces that go out one by one, so many bytes in all.
fn split(pieces: Vec<Bytes>, most: usize, drip: Option<Drip>) -> Vec<Bytes> {
    let mut room = most;
    let mut all = Vec::new();
    for mut rest in pieces {
        rest.truncate(room);
        room -= rest.len();
        while !rest.is_empty() {
            let size = drip.map_or(rest.len(), |drip| drip.bytes.clamp(1, rest.len()));
            all.push(rest.split_to(size));
        }
    }
    all
}

#[cfg(test)]
mod tests;
