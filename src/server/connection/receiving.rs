//! From bytes to a request that is handed to its handler: heads, the decision what to do with a request, the
//! collection of its content, `100 Continue`, and the responses to invalid requests.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, Version};

use super::state::{Collected, Collecting, Current, Incoming, Pace, Stage};
use super::{Connection, Context};
use crate::error::{Error, ErrorKind, PeerMisbehaved};
use crate::limits::Limit;
use crate::proto::{BodyLength, ExchangeEvent, FieldLines, Received, RequestHead, ResponseHead};
use crate::server::content::Inbox;
use crate::server::fault::ServerFault;
use crate::server::multipart::{FormReader, MultipartError};
use crate::server::request::Request;
use crate::server::response::Response;
use crate::server::served::{Admission, Plan};

/// How much space is reserved for content before it arrives, at most.
const EXPECTED_BODY: u64 = 64 * 1024;

impl Connection {
    /// Looks for a request's head in the bytes that were read.
    pub(super) fn receive_head(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if self.recv.is_empty() {
            return Ok(false);
        }
        let Received { consumed, event } = match self.exchange.receive(self.recv.unread()) {
            Ok(received) => received,
            Err(kind) => {
                self.refuse(kind, cx);
                return Ok(true);
            }
        };
        self.consume(consumed, cx);
        match event {
            Some(ExchangeEvent::Request(head)) => {
                self.begin_request(head, cx);
                Ok(true)
            }
            _ => {
                // An empty line before a request does not belong to it.
                if !self.exchange.buffered() {
                    return Ok(consumed > 0);
                }
                if self.current.started.is_none() {
                    // The first bytes of a head have arrived: from now on its deadline runs.
                    self.current.started = Some(cx.now);
                    self.since = cx.now;
                }
                Ok(consumed > 0)
            }
        }
    }

    fn begin_request(&mut self, head: RequestHead, cx: &mut Context<'_>) {
        self.requests += 1;
        self.current = Current {
            method: Some(head.method.clone()),
            version: head.version,
            started: Some(self.current.started.unwrap_or(cx.now)),
            received: self.current.received,
            ..Current::default()
        };
        let mut request = Request::new(head, self.client, self.tls.clone());
        let mut admission = cx.app.admit(&mut request, cx.now);
        self.current.added = std::mem::take(&mut admission.added);
        if cx.app.wants_sent() {
            request.path().clone_into(&mut self.current.path);
            self.current.agent = request.header("user-agent").map(str::to_owned);
            self.current.ip = Some(request.ip());
        }
        self.reading = Pace::start(cx.now);
        self.since = cx.now;
        if self.exchange.content_length() == Some(0) {
            // The end of the content is due at once and needs no more bytes.
            match self.exchange.receive(&[]) {
                Ok(Received {
                    event: Some(ExchangeEvent::End { trailers }),
                    ..
                }) => {
                    request.complete(Bytes::new(), trailers);
                    self.incoming = Incoming::Over;
                    self.stage = Stage::Ready(Box::new((request, admission.plan)));
                }
                Ok(_) => {}
                Err(kind) => self.refuse(kind, cx),
            }
            return;
        }
        self.begin_content(request, admission, cx);
    }

    /// Starts to collect the content of a request.
    fn begin_content(&mut self, mut request: Request, admission: Admission, cx: &mut Context<'_>) {
        let length = self.exchange.content_length();
        if let Plan::Answer(response) | Plan::Refuse(response) = admission.plan {
            // A response that depends on the head alone does not need the content.
            self.incoming = Incoming::Discarding(0);
            self.respond(*response, cx);
            return;
        }
        let served = cx.app.respond_at_head(&request, &admission.plan, self.id);
        if let Some(served) = served {
            // No `100 Continue` is sent: the content is not wanted.
            self.incoming = Incoming::Discarding(0);
            self.settle_served(served, cx);
            return;
        }
        if length.is_some_and(|length| length > admission.max_body) {
            self.incoming = Incoming::Discarding(0);
            let fault = ServerFault::Request(Request::too_large(admission.max_body).into());
            cx.app.report(&fault, Some(&self.client));
            self.respond_plainly(StatusCode::PAYLOAD_TOO_LARGE, cx);
            return;
        }
        if admission.at_head {
            let (content, inbox) = Inbox::pair(&cx.app.wake_queue, self.id);
            request.content = Some(content);
            self.incoming = Incoming::Streaming(inbox);
            self.stage = Stage::Ready(Box::new((request, admission.plan)));
            return;
        }
        if self.exchange.wants_continue() {
            self.send_continue();
        }
        let body = match cx.app.form_reader(&request, self.id) {
            Some(Ok(reader)) => Collected::Form(Box::new(reader)),
            Some(Err(error)) => {
                self.incoming = Incoming::Discarding(0);
                self.refuse_form(error, cx);
                return;
            }
            None => {
                let room = length.unwrap_or(0).min(EXPECTED_BODY);
                Collected::Bytes(Vec::with_capacity(usize::try_from(room).unwrap_or(0)))
            }
        };
        self.stage = Stage::Collecting(Box::new(Collecting {
            request,
            admission,
            body,
            length: 0,
            waits_for_disk: false,
        }));
    }

    /// Collects content until the request is whole.
    pub(super) fn collect(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let Stage::Collecting(collecting) = &mut self.stage else {
            return Ok(false);
        };
        let most = match &collecting.body {
            Collected::Bytes(_) => Ok(usize::MAX),
            Collected::Form(reader) => reader.room(),
        };
        let most = match most {
            Ok(most) => most,
            Err(error) => {
                self.incoming = Incoming::Discarding(0);
                self.refuse_form(error, cx);
                return Ok(true);
            }
        };
        collecting.waits_for_disk = most == 0;
        if most == 0 {
            // The disk is slow, not the client.
            self.reading = Pace::start(cx.now);
            return Ok(false);
        }
        let unread = self.recv.unread();
        let unread = &unread[..unread.len().min(most)];
        let received = self.exchange.receive(unread);
        let (consumed, event) = match received {
            Ok(Received { consumed, event }) => (consumed, event),
            Err(kind) => {
                self.refuse(kind, cx);
                return Ok(true);
            }
        };
        let mut moved = consumed > 0;
        match event {
            Some(ExchangeEvent::Content(range)) => {
                let content = unread.get(range).unwrap_or_default();
                collecting.length += content.len() as u64;
                if collecting.length > collecting.admission.max_body {
                    let kind = Request::too_large(collecting.admission.max_body);
                    self.incoming = Incoming::Discarding(0);
                    self.consume(consumed, cx);
                    cx.app
                        .report(&ServerFault::Request(kind.into()), Some(&self.client));
                    self.respond_plainly(StatusCode::PAYLOAD_TOO_LARGE, cx);
                    return Ok(true);
                }
                let put = match &mut collecting.body {
                    Collected::Bytes(bytes) => {
                        bytes.extend_from_slice(content);
                        Ok(())
                    }
                    Collected::Form(reader) => feed(reader, content),
                };
                if let Err(error) = put {
                    self.incoming = Incoming::Discarding(0);
                    self.consume(consumed, cx);
                    self.refuse_form(error, cx);
                    return Ok(true);
                }
            }
            Some(ExchangeEvent::End { trailers }) => {
                self.consume(consumed, cx);
                self.incoming = Incoming::Over;
                if let Stage::Collecting(collecting) =
                    std::mem::replace(&mut self.stage, Stage::Head)
                {
                    let Collecting {
                        mut request,
                        admission,
                        body,
                        ..
                    } = *collecting;
                    match body {
                        Collected::Bytes(bytes) => {
                            request.complete(bytes.into(), trailers);
                            let ready = Box::new((request, admission.plan));
                            self.enter(Stage::Ready(ready), cx.now);
                        }
                        Collected::Form(reader) => {
                            request.complete(Bytes::new(), trailers);
                            self.store(request, admission.plan, reader, cx);
                        }
                    }
                }
                return Ok(true);
            }
            Some(_) => moved = true,
            None => {}
        }
        self.consume(consumed, cx);
        Ok(moved)
    }

    /// Gives a request to its handler.
    pub(super) fn hand_on(&mut self, cx: &mut Context<'_>) {
        let Stage::Ready(ready) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return;
        };
        let (request, plan) = *ready;
        let served = cx.app.serve(request, plan, self.id);
        self.settle_served(served, cx);
    }

    /// Takes content that arrives after its request was handed to the handler.
    pub(super) fn take_content(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut moved = false;
        if let Incoming::Streaming(inbox) = &self.incoming {
            if inbox.is_dropped() {
                self.incoming = Incoming::Discarding(0);
            } else if self.exchange.wants_continue() {
                if !inbox.is_asked() {
                    return Ok(false);
                }
                self.send_continue();
                moved = true;
            } else if !inbox.has_room() {
                // The handler is slow, not the client.
                self.reading = Pace::start(cx.now);
                return Ok(false);
            }
        }
        if matches!(self.incoming, Incoming::Over) || self.exchange.wants_continue() {
            return Ok(moved);
        }
        let (consumed, event) = match self.exchange.receive(self.recv.unread()) {
            Ok(Received { consumed, event }) => (consumed, event),
            Err(kind) => {
                cx.app
                    .report(&ServerFault::Request(kind.into()), Some(&self.client));
                self.cut_content();
                return Ok(true);
            }
        };
        moved |= consumed > 0;
        match event {
            Some(ExchangeEvent::Content(range)) => match &mut self.incoming {
                Incoming::Streaming(inbox) => {
                    let inbox = Arc::clone(inbox);
                    let pool = cx.reactor.pool();
                    let end = range.end;
                    inbox.push(self.recv.take(range, pool));
                    self.recv.consume(consumed - end, pool);
                    return Ok(true);
                }
                Incoming::Discarding(dropped) => {
                    *dropped += range.len() as u64;
                    if *dropped > cx.app.limits.drained_bytes {
                        self.cut_content();
                    }
                }
                Incoming::Over => {}
            },
            Some(ExchangeEvent::End { trailers }) => {
                if let Incoming::Streaming(inbox) = &self.incoming {
                    inbox.end(trailers);
                }
                self.incoming = Incoming::Over;
                // From now on the time of the handler counts, not that of the client.
                self.since = cx.now;
                moved = true;
            }
            Some(_) => moved = true,
            None => {}
        }
        self.consume(consumed, cx);
        Ok(moved)
    }

    /// No more content is wanted, or none will arrive.
    pub(super) fn cut_content(&mut self) {
        if let Incoming::Streaming(inbox) = &self.incoming {
            inbox.cut();
        }
        self.incoming = Incoming::Over;
    }

    fn send_continue(&mut self) {
        let head = ResponseHead {
            version: Version::HTTP_11,
            status: StatusCode::CONTINUE,
            reason: "Continue".into(),
            fields: FieldLines::new(),
        };
        // `100 Continue` is only asked for when it may be sent.
        let _ = self
            .exchange
            .send_response(&head, BodyLength::None, &mut self.out);
    }

    /// Responds to bytes that are not a valid request.
    pub(super) fn refuse(&mut self, kind: ErrorKind, cx: &mut Context<'_>) {
        let status = self.status_of(&kind);
        cx.app
            .report(&ServerFault::Request(kind.into()), Some(&self.client));
        self.cut_content();
        self.respond(Response::plain(status), cx);
    }

    /// Responds to a form that is invalid, too large, or could not be stored.
    pub(super) fn refuse_form(&mut self, error: MultipartError, cx: &mut Context<'_>) {
        let status = error.status();
        cx.app
            .report(&ServerFault::Handler(Box::new(error)), Some(&self.client));
        self.respond(Response::plain(status), cx);
    }

    fn status_of(&self, kind: &ErrorKind) -> StatusCode {
        match kind {
            // The first line is the one that holds the target.
            ErrorKind::Limit(Limit::LineBytes(most))
                if !self
                    .recv
                    .unread()
                    .iter()
                    .take(*most)
                    .any(|&byte| byte == b'\n') =>
            {
                StatusCode::URI_TOO_LONG
            }
            ErrorKind::Limit(Limit::LineBytes(_) | Limit::HeadBytes(_) | Limit::HeaderCount(_)) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            ErrorKind::Limit(Limit::BodyBytes(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Peer(PeerMisbehaved::UnsupportedVersion) => {
                StatusCode::HTTP_VERSION_NOT_SUPPORTED
            }
            ErrorKind::Peer(PeerMisbehaved::UnsupportedTransferCoding) => {
                StatusCode::NOT_IMPLEMENTED
            }
            ErrorKind::Peer(PeerMisbehaved::UnknownExpectation) => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn consume(&mut self, count: usize, cx: &mut Context<'_>) {
        if count > 0 {
            self.recv.consume(count, cx.reactor.pool());
        }
    }
}

/// Gives all of `content` to a form's reader, which takes a bounded piece in each call.
fn feed(reader: &mut FormReader, mut content: &[u8]) -> Result<(), MultipartError> {
    while !content.is_empty() {
        let taken = reader.receive(content)?;
        content = content.get(taken..).unwrap_or_default();
    }
    Ok(())
}
