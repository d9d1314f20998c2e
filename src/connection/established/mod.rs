//! A connection that is there: requests out, responses in, over one link.
//!
//! Receiving is eager up to one buffer: what arrives is decoded as far as the content that the
//! caller has not taken yet; then reading stops, the kernel's window closes, and the peer waits.
//! That is pause and back-pressure. Sending goes on while a response arrives, and a response is
//! still read when sending has failed: servers answer early and hang up (RFC 9112 §9.6).
//!
//! `sending` and `receiving` hold the two directions; here are the states and what drives them.

mod receiving;
mod sending;

use std::sync::Arc;

use bytes::Bytes;

use crate::connection::content::RequestBody;
use crate::error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved};
use crate::limits::Limits;
use crate::phase::Phase;
use crate::proto::{Event, Exchange, FieldLines, Persistence, RequestHead, ResponseHead};
use crate::transport::buffer::{BUFFER_BYTES, RecvBuffer};
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

/// Request content is drawn from its source in pieces of at most this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Pieces of content smaller than this are joined, so that a server that sends tiny chunks does
/// not cost the caller a call for each.
const JOIN_BELOW: usize = 8 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Established {
    link: Link,
    exchange: Exchange,
    recv: RecvBuffer,
    /// The most bytes to hold undecoded: one more than any head or trailer section may have.
    most_unread: usize,
    ended: Option<Ended>,
    out: Vec<u8>,
    out_sent: usize,
    content: RequestContent,
    write_error: Option<Error>,
    stage: Stage,
    /// Requests sent on this connection so far.
    pub(super) requests: u32,
    /// HTTP bytes of the present request and response.
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) trailers: FieldLines,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Requesting,
    Receiving(Receiving),
    Switched,
}

/// A response's content on its way to the caller.
#[derive(Debug, Default)]
struct Receiving {
    /// Decoded, not taken yet.
    ready: Bytes,
    /// What comes after `ready`.
    end: EndOfContent,
    /// Bytes of content decoded so far.
    decoded: u64,
}

impl Receiving {
    /// Whether there is nothing for the caller before more comes.
    fn waits(&self) -> bool {
        self.ready.is_empty() && matches!(self.end, EndOfContent::More)
    }
}

#[derive(Debug, Default)]
enum EndOfContent {
    #[default]
    More,
    End,
    Fault(Error),
}

/// How the peer's side of the link ended.
#[derive(Debug)]
enum Ended {
    Closed,
    Truncated,
    Failed(Error),
}

#[derive(Debug)]
enum RequestContent {
    Nothing,
    Source(RequestBody),
    /// The source said that it has nothing yet.
    SourceWaits(RequestBody),
}

/// What driving came to.
#[derive(Debug)]
pub(super) enum Driven {
    Waiting,
    /// The head of the final response, and whether content may follow it.
    Response(Arc<ResponseHead>, Follows),
}

/// What follows a response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Content, possibly empty.
    Content,
    /// Nothing: the message is over.
    Nothing,
    /// Another protocol.
    Switched,
}

/// What [`Established::read_content`] found.
#[derive(Debug)]
pub(super) enum Taken {
    Content(Bytes),
    Nothing,
    /// All content was taken.
    End,
}

impl Established {
    pub(super) fn new(link: Link, limits: &Limits) -> Self {
        Self {
            link,
            exchange: Exchange::client(limits.clone()),
            recv: RecvBuffer::default(),
            most_unread: BUFFER_BYTES.max(limits.head_bytes.max(limits.trailer_bytes) + 1),
            ended: None,
            out: Vec::new(),
            out_sent: 0,
            content: RequestContent::Nothing,
            write_error: None,
            stage: Stage::Idle,
            requests: 0,
            sent: 0,
            received: 0,
            trailers: FieldLines::new(),
        }
    }

    /// Queues a request. On error nothing has changed.
    pub(super) fn request(&mut self, head: &RequestHead, body: RequestBody) -> Result<(), Error> {
        if !matches!(self.stage, Stage::Idle) {
            return Err(Misuse::WrongStatus.into());
        }
        self.exchange
            .send_request(head, body.length(), &mut self.out)?;
        self.content = if self.exchange.local_done() {
            RequestContent::Nothing
        } else {
            RequestContent::Source(body)
        };
        self.stage = Stage::Requesting;
        self.requests += 1;
        self.sent = 0;
        self.received = 0;
        self.trailers = FieldLines::new();
        Ok(())
    }

    /// Sends and receives as far as it goes.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        interim: &mut impl FnMut(ResponseHead),
    ) -> Result<Driven, Error> {
        match self.stage {
            Stage::Idle => self.drive_idle(reactor, meter).map(|()| Driven::Waiting),
            Stage::Requesting => self.drive_requesting(reactor, meter, interim),
            Stage::Receiving(_) => {
                // The response is there: what it says is worth more than the rest of the request.
                if let Err(error) = self.transmit(reactor, meter) {
                    self.stop_sending(error);
                }
                self.fill_content(reactor, meter);
                self.fault().map_or(Ok(Driven::Waiting), Err)
            }
            Stage::Switched => Ok(Driven::Waiting),
        }
    }

    /// An idle peer has nothing to say but goodbye (or, inside TLS, tickets).
    fn drive_idle(&mut self, reactor: &mut Reactor, meter: &mut BudgetMeter) -> Result<(), Error> {
        self.link.flush(reactor, meter)?;
        if self.ended.is_none() && self.link.is_readable(reactor) && !meter.exhausted() {
            self.fill(reactor, meter);
        }
        if !self.recv.is_empty() {
            return Err(ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into());
        }
        match self.ended.take() {
            None => Ok(()),
            Some(Ended::Closed | Ended::Truncated) => {
                Err(ErrorKind::Network(NetworkFault::Closed).into())
            }
            Some(Ended::Failed(error)) => Err(error),
        }
    }

    fn drive_requesting(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        interim: &mut impl FnMut(ResponseHead),
    ) -> Result<Driven, Error> {
        self.check_before_sending(reactor, meter)?;
        loop {
            self.transmit(reactor, meter)?;
            let was_held_back = self.exchange.awaits_continue();
            let received = self.exchange.receive(self.recv.unread())?;
            self.recv.consume(received.consumed, reactor.pool());
            match received.event {
                Some(Event::Interim(head)) => {
                    interim(head);
                    continue;
                }
                Some(Event::Response(head)) => {
                    if was_held_back {
                        // Answered without the content: nobody waits for it (RFC 9110 §10.1.1). As it
                        // was announced, the connection ends with the response.
                        self.content = RequestContent::Nothing;
                    }
                    let follows = self.begin_content(&head, reactor);
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
                    return Err(match self.exchange.receive_eof() {
                        Err(kind) => self.write_error.take().unwrap_or_else(|| kind.into()),
                        Ok(_) => ErrorKind::Network(NetworkFault::Closed).into(),
                    });
                }
            }
            if meter.exhausted() || !self.fill(reactor, meter) && self.ended.is_none() {
                return Ok(Driven::Waiting);
            }
        }
    }

    /// A peer that hung up before the request gets none of it: then a retry is safe whatever the
    /// method.
    fn check_before_sending(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<(), Error> {
        let is_due = self.sent == 0 && self.recv.is_empty() && self.link.is_readable(reactor);
        if is_due && !meter.exhausted() {
            self.fill(reactor, meter);
        }
        if !is_due {
            return Ok(());
        }
        if !self.recv.is_empty() {
            // An answer to nothing must not be taken for the answer to this.
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

    /// After a response: ready for the next request, or not to be used again.
    pub(super) fn is_reusable_after_response(&mut self) -> bool {
        // The exchange knows what was framed, not what was written.
        let sent = self.out.is_empty() && self.write_error.is_none();
        let clean = sent && self.recv.is_empty() && self.ended.is_none();
        if clean
            && self.exchange.persistence() == Persistence::Reuse
            && self.exchange.next_cycle().is_ok()
        {
            self.stage = Stage::Idle;
            return true;
        }
        false
    }

    /// The phase whose deadline runs now, if this side waits for the peer.
    pub(super) fn awaits(&self) -> Option<Phase> {
        match &self.stage {
            Stage::Idle | Stage::Switched => None,
            Stage::Requesting => match &self.content {
                _ if self.out_sent < self.out.len() && self.sent == 0 => Some(Phase::SendHead),
                _ if self.out_sent < self.out.len() => Some(Phase::SendBody),
                _ if self.exchange.awaits_continue() => Some(Phase::AwaitContinue),
                _ if self.exchange.local_done() => Some(Phase::AwaitHead),
                RequestContent::SourceWaits(_) => None,
                RequestContent::Source(_) => Some(Phase::SendBody),
                RequestContent::Nothing => Some(Phase::AwaitHead),
            },
            Stage::Receiving(receiving) => {
                // A peer that answers early may wait for the rest of the request itself.
                let waits = receiving.waits() && !self.awaits_source();
                waits.then_some(Phase::ReceiveBody)
            }
        }
    }

    /// Whether content, its end or its fault is there for the caller: no event will tell of it
    /// again.
    pub(super) fn has_content_ready(&self) -> bool {
        matches!(&self.stage, Stage::Receiving(receiving) if !receiving.waits())
    }

    /// Whether content of the request is missing that only its source can give.
    pub(super) fn awaits_source(&self) -> bool {
        matches!(self.content, RequestContent::SourceWaits(_)) && !self.exchange.local_done()
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    pub(super) fn is_receiving(&self) -> bool {
        matches!(self.stage, Stage::Receiving(_))
    }

    /// Whether the request, or what of it could be sent, is out.
    pub(super) fn is_request_sent(&self) -> bool {
        self.sent > 0
    }

    /// Sends the content without waiting for `100 Continue` any longer.
    pub(super) fn stop_awaiting_continue(&mut self) {
        self.exchange.stop_awaiting_continue();
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn close(mut self, reactor: &mut Reactor) {
        self.recv.clear(reactor.pool());
        self.link.close(reactor);
    }

    /// The link and the bytes received behind the response that switched protocols.
    pub(super) fn into_switched(mut self, reactor: &Reactor) -> (Link, Bytes) {
        let all = 0..self.recv.unread().len();
        let leftover = self.recv.take(all, reactor.pool());
        (self.link, leftover)
    }

    pub(super) fn is_switched(&self) -> bool {
        matches!(self.stage, Stage::Switched)
    }
}
