//! Receives response content from the link, at most one buffer ahead of the caller.

use super::{Ended, JOIN_BELOW, PIECE_BYTES, Wire};
use crate::connection::established::outcome::{Follows, Taken};
use crate::connection::exchange::{EndOfContent, Exchange, Receiving, Stage};
use crate::error::{Error, ErrorKind, PeerMisbehaved};
use crate::proto::{ExchangeEvent, ResponseHead};
use crate::transport::link::LinkRead;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

impl Wire {
    /// Begins to receive the content of a response whose head has arrived.
    pub(super) fn begin_content(
        &mut self,
        exchange: &mut Exchange,
        head: &ResponseHead,
        reactor: &Reactor,
    ) -> Follows {
        exchange.stage = Stage::Receiving(Receiving::default());
        self.prefetch(exchange, reactor);
        match &exchange.stage {
            Stage::Switched => Follows::Switched,
            Stage::Receiving(Receiving {
                end: EndOfContent::End,
                ready,
                ..
            }) if ready.is_empty() && matches!(head.status.as_u16(), 204 | 304) => Follows::Nothing,
            Stage::Idle | Stage::Requesting | Stage::Receiving(_) => Follows::Content,
        }
    }

    /// The next piece of content, at most `most` bytes.
    pub(in crate::connection::established) fn read_content(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Taken, Error> {
        if exchange.ready().is_empty() {
            self.fill_content(exchange, reactor, meter);
        }
        if let Stage::Receiving(receiving) = &mut exchange.stage
            && !receiving.ready.is_empty()
        {
            let count = most.min(receiving.ready.len());
            let piece = receiving.ready.split_to(count);
            // If the end is known already, it is reported with the last piece.
            self.prefetch(exchange, reactor);
            return Ok(Taken::Content(piece));
        }
        if let Some(fault) = exchange.fault() {
            return Err(fault);
        }
        Ok(if exchange.is_content_taken() {
            Taken::End
        } else {
            Taken::Nothing
        })
    }

    /// Decodes the buffered bytes as far as the next piece of content for the caller.
    pub(super) fn prefetch(&mut self, exchange: &mut Exchange, reactor: &Reactor) {
        let mut joined = Vec::new();
        loop {
            let Stage::Receiving(receiving) = &mut exchange.stage else {
                return;
            };
            if !receiving.ready.is_empty() || !matches!(receiving.end, EndOfContent::Open) {
                break;
            }
            let received = match self.machine.receive(self.recv.unread()) {
                Ok(received) => received,
                Err(kind) => {
                    receiving.end = EndOfContent::Fault(kind.into());
                    break;
                }
            };
            match received.event {
                Some(ExchangeEvent::Content(range)) if range.len() < JOIN_BELOW => {
                    receiving.decoded += range.len() as u64;
                    joined.extend_from_slice(&self.recv.unread()[range]);
                    self.recv.consume(received.consumed, reactor.pool());
                    if joined.len() >= PIECE_BYTES {
                        break;
                    }
                }
                Some(ExchangeEvent::Content(range)) => {
                    receiving.decoded += range.len() as u64;
                    let behind = received.consumed.saturating_sub(range.end);
                    receiving.ready = self.recv.take(range, reactor.pool());
                    self.recv.consume(behind, reactor.pool());
                }
                Some(ExchangeEvent::End { trailers }) => {
                    self.recv.consume(received.consumed, reactor.pool());
                    exchange.trailers = trailers;
                    receiving.end = EndOfContent::End;
                }
                Some(ExchangeEvent::Switched) => {
                    self.recv.consume(received.consumed, reactor.pool());
                    exchange.stage = Stage::Switched;
                    return;
                }
                Some(
                    ExchangeEvent::Request(_)
                    | ExchangeEvent::Response(_)
                    | ExchangeEvent::Interim(_),
                ) => {
                    receiving.end =
                        EndOfContent::Fault(ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into());
                }
                None if received.consumed == 0 => break,
                None => self.recv.consume(received.consumed, reactor.pool()),
            }
        }
        if let Stage::Receiving(receiving) = &mut exchange.stage
            && !joined.is_empty()
        {
            // A larger piece that follows small ones must stay behind them.
            joined.extend_from_slice(&receiving.ready);
            receiving.ready = joined.into();
        }
    }

    /// Reads until there is content for the caller, or nothing more can be read now.
    pub(super) fn fill_content(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) {
        loop {
            self.prefetch(exchange, reactor);
            let Stage::Receiving(receiving) = &mut exchange.stage else {
                return;
            };
            if !receiving.ready.is_empty() || !matches!(receiving.end, EndOfContent::Open) {
                return;
            }
            if let Some(ended) = &self.ended {
                receiving.end = match (ended, self.machine.receive_eof()) {
                    (Ended::Failed(error), _) => EndOfContent::Fault(error.clone()),
                    (Ended::Closed, Ok(_)) => EndOfContent::End,
                    (Ended::Truncated, Ok(_)) => EndOfContent::Fault(
                        ErrorKind::Truncated {
                            received: receiving.decoded,
                            expected: None,
                        }
                        .into(),
                    ),
                    (Ended::Closed | Ended::Truncated, Err(kind)) => {
                        EndOfContent::Fault(kind.into())
                    }
                };
                return;
            }
            if meter.exhausted() || !self.fill(exchange, reactor, meter) && self.ended.is_none() {
                return;
            }
        }
    }

    /// Reads once into the buffer. Returns `true` if bytes were received. The end of the stream is noted
    /// for later.
    pub(super) fn fill(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> bool {
        if self.ended.is_some() || self.recv.unread().len() >= self.most_unread {
            return false;
        }
        let mut count = 0;
        match self.link.read(reactor, meter, &mut self.recv) {
            Ok(LinkRead::Data(some)) => count = some,
            Ok(LinkRead::Blocked) => {}
            Ok(LinkRead::Closed) => self.ended = Some(Ended::Closed),
            Ok(LinkRead::Truncated) => self.ended = Some(Ended::Truncated),
            Err(error) => self.ended = Some(Ended::Failed(error)),
        }
        exchange.received += count as u64;
        count > 0
    }
}
