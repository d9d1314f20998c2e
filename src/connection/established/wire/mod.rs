//! An established connection on a link: it sends requests and receives responses over one socket.
//!
//! It receives at most one buffer ahead of the caller. Received bytes are decoded up to the content that
//! the caller has not read yet. Then reading stops, the kernel's receive window closes, and the peer waits.
//! This implements pausing and back-pressure. Sending continues while a response is received, and a
//! response is still read after sending has failed, because servers respond early and close (RFC 9112
//! §9.6).
//!
//! `sending` and `receiving` hold the two directions; this file drives them. The state of the exchange is a
//! separate value, [`Exchange`], which every step gets as an argument.

mod receiving;
mod sending;

use std::sync::Arc;

use bytes::Bytes;

use super::outcome::Driven;
use crate::connection::content::RequestBody;
use crate::connection::exchange::{Exchange, RequestContent, Stage};
use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::limits::Limits;
use crate::phase::Phase;
use crate::proto::{self, ExchangeEvent, Persistence, RequestHead};
use crate::transport::buffer::{BUFFER_BYTES, RecvBuffer};
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

/// Request content is read from its source in pieces of at most this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Smaller pieces of content are joined, so that the caller does not need one call per chunk when a server
/// sends tiny chunks.
const JOIN_BELOW: usize = 8 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::connection) struct Wire {
    link: Link,
    machine: proto::Exchange,
    recv: RecvBuffer,
    /// The most bytes to hold undecoded: one more than any head or trailer section may have.
    most_unread: usize,
    ended: Option<Ended>,
    out: Vec<u8>,
    out_sent: usize,
    write_error: Option<Error>,
    /// The phase in which sending or receiving failed first.
    failed_in: Option<Phase>,
    /// The number of requests sent on this connection so far.
    pub(super) requests: u32,
}

/// How the peer's side of the link ended.
#[derive(Debug)]
enum Ended {
    Closed,
    Truncated,
    Failed(Error),
}

impl Wire {
    pub(super) fn new(link: Link, limits: &Limits) -> Self {
        Self {
            link,
            machine: proto::Exchange::client(limits.clone()),
            recv: RecvBuffer::default(),
            most_unread: BUFFER_BYTES.max(
                limits
                    .head_bytes
                    .max(limits.trailer_bytes)
                    .saturating_add(1),
            ),
            ended: None,
            out: Vec::new(),
            out_sent: 0,
            write_error: None,
            failed_in: None,
            requests: 0,
        }
    }

    /// Queues a request and begins its exchange. On error nothing has changed.
    pub(super) fn request(
        &mut self,
        exchange: &mut Exchange,
        head: &RequestHead,
        body: RequestBody,
    ) -> Result<(), Error> {
        let before = self.out.len();
        self.machine
            .send_request(head, body.length(), &mut self.out)?;
        exchange.head_bytes = (self.out.len() - before) as u64;
        let content = if self.machine.local_done() {
            RequestContent::Nothing
        } else {
            RequestContent::Source(body)
        };
        exchange.begin(head, content);
        self.requests += 1;
        Ok(())
    }

    /// Sends and receives as far as possible.
    pub(super) fn drive(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Driven, Error> {
        match exchange.stage {
            Stage::Idle => self
                .drive_idle(exchange, reactor, meter)
                .map(|()| Driven::Waiting),
            Stage::Requesting => self.drive_requesting(exchange, reactor, meter),
            Stage::Receiving(_) => {
                // The response matters more than the rest of the request.
                self.fill_content(exchange, reactor, meter);
                if let Err(error) = self.transmit(exchange, reactor, meter) {
                    self.stop_sending(exchange, error);
                }
                exchange.fault().map_or(Ok(Driven::Waiting), Err)
            }
            Stage::Switched => Ok(Driven::Waiting),
        }
    }

    /// An idle peer may close, or send TLS tickets. Anything else is an error.
    fn drive_idle(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<(), Error> {
        self.link.flush(reactor, meter)?;
        if self.ended.is_none() && self.link.is_readable(reactor) && !meter.exhausted() {
            self.fill(exchange, reactor, meter);
        }
        self.check_silence()
    }

    fn drive_requesting(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Driven, Error> {
        self.check_before_sending(exchange, reactor, meter)?;
        if exchange.sent > 0 && self.link.is_readable(reactor) && !meter.exhausted() {
            // Before more is sent: if the server has responded and closed, that causes a reset, and with a reset
            // Windows discards the response.
            self.fill(exchange, reactor, meter);
        }
        loop {
            let was_held_back = self.machine.awaits_continue();
            let phase = self.awaits(exchange);
            let received = self.machine.receive(self.recv.unread());
            if received.is_err() {
                self.failed_in = self.failed_in.or(phase);
            }
            let received = received?;
            self.recv.consume(received.consumed, reactor.pool());
            match received.event {
                Some(ExchangeEvent::Interim(head)) => {
                    exchange.interim.push_back(head);
                    continue;
                }
                Some(ExchangeEvent::Response(head)) => {
                    if was_held_back {
                        // The server responded without the content and does not wait for it (RFC 9110
                        // §10.1.1). Because the request declared content, the connection ends with the
                        // response.
                        exchange.content = RequestContent::Nothing;
                    }
                    let follows = self.begin_content(exchange, &head, reactor);
                    return Ok(Driven::Response(Arc::new(head), follows));
                }
                // Nothing else comes before a response head.
                Some(_) => return Err(ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into()),
                None if received.consumed > 0 => continue,
                None => {}
            }
            match self.ended.take() {
                None => {}
                Some(Ended::Failed(error)) => return Err(self.write_error.take().unwrap_or(error)),
                Some(Ended::Closed | Ended::Truncated) => {
                    self.failed_in = self.failed_in.or(phase);
                    return Err(match self.machine.receive_eof() {
                        Err(kind) => self.write_error.take().unwrap_or_else(|| kind.into()),
                        Ok(_) => ErrorKind::Network(NetworkFault::Closed).into(),
                    });
                }
            }
            self.transmit(exchange, reactor, meter)?;
            if meter.exhausted() || !self.fill(exchange, reactor, meter) && self.ended.is_none() {
                return Ok(Driven::Waiting);
            }
        }
    }

    /// If the peer has already closed, nothing of the request is sent. Then a retry is safe for every
    /// method.
    fn check_before_sending(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<(), Error> {
        if exchange.sent == 0 && self.requests > 1 && !exchange.is_repeatable {
            // A kept-alive connection may have ended since the sockets were polled, and this request could
            // not be sent again after it was sent once.
            self.link.assume_readable(reactor);
        }
        let is_due = exchange.sent == 0 && self.recv.is_empty() && self.link.is_readable(reactor);
        if !is_due {
            return Ok(());
        }
        if !meter.exhausted() {
            self.fill(exchange, reactor, meter);
        }
        self.check_silence()
    }

    /// Fails if the peer sent something or closed while no response was due. Bytes that came before the
    /// request must not be taken for its response.
    fn check_silence(&mut self) -> Result<(), Error> {
        if !self.recv.is_empty() {
            return Err(ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into());
        }
        match self.ended.take() {
            None => Ok(()),
            Some(Ended::Failed(error)) => Err(error),
            Some(Ended::Closed | Ended::Truncated) => {
                Err(ErrorKind::Network(NetworkFault::Closed).into())
            }
        }
    }

    /// Prepares the next request after a response. `false` means that the connection must close.
    pub(super) fn is_reusable_after_response(&mut self, exchange: &mut Exchange) -> bool {
        // The protocol machine knows what was framed, but not what was written.
        let sent = self.out.is_empty() && self.write_error.is_none();
        let clean = sent && self.recv.is_empty() && self.ended.is_none();
        if clean
            && self.machine.persistence() == Persistence::Reuse
            && self.machine.next_cycle().is_ok()
        {
            exchange.stage = Stage::Idle;
            return true;
        }
        false
    }

    /// The phase whose deadline runs now, if this side waits for the peer.
    pub(super) fn awaits(&self, exchange: &Exchange) -> Option<Phase> {
        match &exchange.stage {
            Stage::Idle | Stage::Switched => None,
            Stage::Requesting => match &exchange.content {
                _ if exchange.sent < exchange.head_bytes && self.write_error.is_none() => {
                    Some(Phase::SendHead)
                }
                _ if self.out_sent < self.out.len() => Some(Phase::SendBody),
                _ if self.machine.awaits_continue() => Some(Phase::AwaitContinue),
                _ if self.machine.local_done() => Some(Phase::AwaitHead),
                RequestContent::SourceWaits(_) => None,
                RequestContent::Source(_) => Some(Phase::SendBody),
                RequestContent::Nothing => Some(Phase::AwaitHead),
            },
            Stage::Receiving(receiving) => {
                // A peer that responds early may itself wait for the rest of the request.
                let waits = receiving.is_waiting() && !self.awaits_source(exchange);
                waits.then_some(Phase::ReceiveBody)
            }
        }
    }

    /// The phase of a failure that ends the exchange now. `None`: no exchange is under way.
    pub(super) fn failed_phase(&self, exchange: &Exchange) -> Option<Phase> {
        match &exchange.stage {
            Stage::Requesting => self.failed_in.or_else(|| self.awaits(exchange)),
            Stage::Receiving(_) => Some(Phase::ReceiveBody),
            Stage::Idle | Stage::Switched => None,
        }
    }

    /// Whether request content is missing that only its source can provide.
    pub(super) fn awaits_source(&self, exchange: &Exchange) -> bool {
        matches!(exchange.content, RequestContent::SourceWaits(_)) && !self.machine.local_done()
    }

    /// Sends the content without waiting further for `100 Continue`.
    pub(super) fn stop_awaiting_continue(&mut self) {
        self.machine.stop_awaiting_continue();
    }

    /// Whether nothing can be done before the peer sends something.
    pub(super) fn waits_for_peer(&self, exchange: &Exchange, reactor: &mut Reactor) -> bool {
        matches!(exchange.stage, Stage::Idle | Stage::Requesting)
            && matches!(exchange.content, RequestContent::Nothing)
            && self.out.is_empty()
            && self.write_error.is_none()
            && self.ended.is_none()
            && !self.link.has_unsent()
            && !self.link.is_readable(reactor)
    }

    /// The declared length of the response content, and whether it is chunked.
    pub(super) fn framing(&self) -> (Option<u64>, bool) {
        (self.machine.content_length(), self.machine.is_chunked())
    }

    pub(super) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn close(mut self, reactor: &mut Reactor) {
        self.recv.clear(reactor.pool());
        self.link.close(reactor);
    }

    /// The link, and the bytes received after the response that switched protocols.
    pub(super) fn into_switched(mut self, reactor: &Reactor) -> (Link, Bytes) {
        let all = 0..self.recv.unread().len();
        let leftover = self.recv.take(all, reactor.pool());
        (self.link, leftover)
    }
}
