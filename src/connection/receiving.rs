//! What a connection receives after a request: the head of the response, its content, its end, and the stream that
//! follows a `101`.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::{Connection, State};
use crate::clock::Instant;
use crate::connection::established::{Follows, Taken};
use crate::connection::exchange::Response;
use crate::connection::status::Status;
use crate::error::{Error, Misuse};
use crate::proto::ResponseHead;
use crate::semantics::keep_alive;
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

impl Connection {
    pub(super) fn receive_head(
        &mut self,
        reactor: &mut Reactor,
        meter: &BudgetMeter,
        head: Arc<ResponseHead>,
        follows: Follows,
    ) {
        let State::Established(established) = &self.state else {
            return;
        };
        self.keep_alive = keep_alive::announced(&head);
        let (content_length, is_chunked) = established.framing();
        self.exchange.response = Some(Response {
            head,
            content_length,
            is_chunked,
            #[cfg(target_family = "wasm")]
            final_url: self.exchange.final_url.take(),
        });
        match follows {
            Follows::Content => self.transitions.note(Status::Requesting, Status::Body),
            Follows::Nothing => self.end_response(reactor, meter, Status::Requesting),
            Follows::Switched => self.transitions.note(Status::Requesting, Status::Connected),
        }
    }

    /// The response has ended: the connection waits for the next request, or closes.
    fn end_response(&mut self, reactor: &mut Reactor, meter: &BudgetMeter, from: Status) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if established.is_reusable_after_response(&mut self.exchange, reactor) {
            self.idle_since = Some(meter.latest());
            self.transitions.note(from, Status::Connected);
        } else if let State::Established(established) = mem::take(&mut self.state) {
            established.close(reactor);
            self.exchange.stop();
            self.transitions.note(from, Status::Disconnected);
        }
        self.exchange.deadline = None;
    }

    /// Returns the next piece of response content, at most `most` bytes. It is empty when nothing is
    /// available now, and when the content has ended (then the status is no longer [`Status::Body`]).
    pub(crate) fn read_content(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Bytes, Error> {
        let error = match &mut self.state {
            State::Established(established) if self.exchange.is_receiving() => {
                let before = self.exchange.received;
                let taken = established.read_content(&mut self.exchange, reactor, meter, most);
                let progressed = self.exchange.received != before;
                match taken {
                    Ok(Taken::Content(piece)) => {
                        if self.exchange.is_content_taken() {
                            self.end_response(reactor, meter, Status::Body);
                        } else {
                            self.rearm(now, progressed);
                        }
                        return Ok(piece);
                    }
                    Ok(Taken::Nothing) => {
                        self.rearm(now, progressed);
                        return Ok(Bytes::new());
                    }
                    Ok(Taken::End) => {
                        self.end_response(reactor, meter, Status::Body);
                        return Ok(Bytes::new());
                    }
                    Err(error) => error,
                }
            }
            // The failure happened while content was awaited, so this read reports it.
            State::Failed(Status::ConnectionError, error) => return Err(error.clone()),
            State::Disconnected
            | State::Connecting(..)
            | State::Established(_)
            | State::Failed(..) => {
                return Err(Misuse::WrongStatus.into());
            }
        };
        Err(self.fail_established(reactor, error))
    }

    /// Takes the stream of a switched connection (after `101` or a tunnel's 2xx), with the bytes that
    /// arrived after the response.
    pub(crate) fn take_switched(&mut self, reactor: &mut Reactor) -> Option<(Link, Bytes)> {
        match &self.state {
            State::Established(_) if self.exchange.is_switched() => {}
            _ => return None,
        }
        let State::Established(established) = mem::take(&mut self.state) else {
            return None;
        };
        self.exchange.stop();
        self.transitions
            .note(Status::Connected, Status::Disconnected);
        established.into_switched(reactor)
    }
}
