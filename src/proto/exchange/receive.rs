//! The receiving half of [`Exchange`]: from bytes to events, and the meaning of the end of the bytes.

use http::{Method, StatusCode};

use super::{Exchange, ExchangeEvent, Reader, Received};
use crate::error::{ErrorKind, NetworkFault, PeerMisbehaved};
use crate::limits::Limit;
use crate::proto::chunked::{Decoded, Part};
use crate::proto::fields::FieldLines;
use crate::proto::framing::{self, Framed, Framing};
use crate::proto::head::{RequestHead, ResponseHead};
use crate::proto::incoming::Incoming;
use crate::proto::persistence::{CloseReason, wish_to_close};
use crate::proto::scan::{HeadScan, Scanned};
use crate::proto::state::{Role, State, Step};

impl Exchange {
    /// Receives until there is one event or the input is used up. `input` must start at the first byte that
    /// was not consumed. Call again after every event, also with empty input, until there is no event.
    ///
    /// After the end of a message, and after a switch, nothing is consumed: those bytes belong to the next
    /// cycle, or to another protocol.
    ///
    /// Fails with [`ErrorKind::Peer`] when the peer breaks the protocol, and with [`ErrorKind::Limit`] when
    /// it exceeds a limit. From then on every call fails with the same error. A server can still send a
    /// response.
    pub fn receive(&mut self, input: &[u8]) -> Result<Received, ErrorKind> {
        let result = match &self.reader {
            Reader::Head(_) => self.receive_head(input),
            Reader::Content(_) => self.receive_content(input),
            Reader::Ended | Reader::Switched => return Ok(nothing(0)),
            Reader::Switching => {
                self.reader = Reader::Switched;
                return Ok(event(0, ExchangeEvent::Switched));
            }
            Reader::Failed(error) => return Err(error.clone()),
        };
        if let Err(error) = &result {
            self.fail(error.clone(), CloseReason::ProtocolError);
        }
        result
    }

    /// Notes that the peer closed its side, so that there will be no more input.
    ///
    /// Returns `Ok` with [`ExchangeEvent::End`] when this completes the message. That is the case for
    /// close-delimited content (over TLS, call this only after a `close_notify`), and for a chunked
    /// response whose server closed right after the line of the last chunk. If the end of the message is
    /// already due, it is reported first: call again.
    ///
    /// Fails with [`NetworkFault::Closed`] when no byte of the expected message had arrived or no message
    /// was expected, otherwise with [`ErrorKind::Truncated`]. A server whose client closed after a complete
    /// request can still respond.
    pub fn receive_eof(&mut self) -> Result<ExchangeEvent, ErrorKind> {
        match &self.reader {
            Reader::Content(incoming) => match incoming.receive_eof(self.role) {
                Ok(()) => {
                    let ended = self.end(FieldLines::new());
                    self.states.forbid_reuse(CloseReason::PeerClosed);
                    ended
                }
                Err(error) => Err(self.fail(error, CloseReason::PeerClosed)),
            },
            Reader::Switching => {
                self.reader = Reader::Switched;
                Ok(ExchangeEvent::Switched)
            }
            Reader::Failed(error) => Err(error.clone()),
            Reader::Head(_) if self.buffered() => {
                let error = ErrorKind::Truncated {
                    received: 0,
                    expected: None,
                };
                Err(self.fail(error, CloseReason::PeerClosed))
            }
            Reader::Head(_) | Reader::Ended | Reader::Switched => {
                let closed = ErrorKind::Network(NetworkFault::Closed);
                if self.states.step(self.role.peer(), Step::Close) {
                    return Err(closed);
                }
                Err(match self.remote() {
                    State::Switched => closed,
                    _ => self.fail(closed, CloseReason::PeerClosed),
                })
            }
        }
    }

    fn receive_head(&mut self, input: &[u8]) -> Result<Received, ErrorKind> {
        if self.role == Role::Client && self.request.is_none() {
            return match input {
                [] => Ok(nothing(0)),
                _ => Err(PeerMisbehaved::UnexpectedData.into()),
            };
        }
        let mut start = 0;
        loop {
            let Reader::Head(scan) = &mut self.reader else {
                return Ok(nothing(start));
            };
            let rest = input.get(start..).unwrap_or_default();
            match scan.scan(rest, &self.limits)? {
                Scanned::EmptyLine(length) => start += length,
                Scanned::Partial => return Ok(nothing(start)),
                Scanned::Head {
                    length,
                    fields,
                    is_folded,
                } => {
                    let head = rest.get(..length).unwrap_or_default();
                    let received = match self.role {
                        Role::Client => {
                            self.take_response(ResponseHead::parse(head, fields, is_folded)?)?
                        }
                        Role::Server => self.take_request(RequestHead::parse(head, fields)?)?,
                    };
                    return Ok(event(start + length, received));
                }
            }
        }
    }

    fn take_request(&mut self, head: RequestHead) -> Result<ExchangeEvent, ErrorKind> {
        let framed = framing::of_request(&head)?;
        let expects = expects_continue(&head)?;
        self.remote_step(Step::Request)?;
        self.note_request(&head, CloseReason::PeerAsked);
        self.start_content(framed);
        // Without content there is nothing to wait for.
        self.continue_pending =
            expects && !matches!(framed.framing, Framing::Empty | Framing::Length(0));
        Ok(ExchangeEvent::Request(head))
    }

    fn take_response(&mut self, head: ResponseHead) -> Result<ExchangeEvent, ErrorKind> {
        let step = self
            .response_step(head.status)
            .ok_or(PeerMisbehaved::UnexpectedUpgrade)?;
        if step == Step::Interim {
            self.interims += 1;
            if self.interims > self.limits.interim_responses {
                return Err(Limit::InterimResponses(self.limits.interim_responses).into());
            }
        }
        let method = self.request.as_ref().map_or(&Method::GET, |r| &r.method);
        let framed = match framing::of_response(method, &head) {
            Err(fault @ PeerMisbehaved::UnsupportedTransferCoding) => {
                // The head is valid and says something; only its content cannot be read. The next call
                // fails.
                self.remote_step(step)?;
                self.fail(fault.into(), CloseReason::ProtocolError);
                return Ok(ExchangeEvent::Response(head));
            }
            framed => framed?,
        };
        self.remote_step(step)?;
        if step == Step::Interim {
            if head.status == StatusCode::CONTINUE {
                self.continue_pending = false;
            }
            self.reader = Reader::Head(HeadScan::new(Role::Server));
            return Ok(ExchangeEvent::Interim(head));
        }
        self.continue_pending = false;
        self.start_content(framed);
        if step == Step::Switch {
            self.states.forbid_reuse(CloseReason::Switched);
            self.reader = Reader::Switching;
        } else if let Some(reason) =
            wish_to_close(head.version, &head.fields, CloseReason::PeerAsked)
        {
            self.states.forbid_reuse(reason);
        }
        Ok(ExchangeEvent::Response(head))
    }

    fn receive_content(&mut self, input: &[u8]) -> Result<Received, ErrorKind> {
        let Reader::Content(incoming) = &mut self.reader else {
            return Ok(nothing(0));
        };
        let Decoded { consumed, part } = incoming.receive(input, &self.limits)?;
        match part {
            None => Ok(nothing(consumed)),
            Some(Part::Data(range)) => {
                if self.role == Role::Server {
                    // A client that sends its content no longer waits.
                    self.continue_pending = false;
                }
                Ok(event(consumed, ExchangeEvent::Content(range)))
            }
            Some(Part::End(trailers)) => Ok(event(consumed, self.end(trailers)?)),
        }
    }

    fn start_content(&mut self, framed: Framed) {
        self.framing = Some(framed.framing);
        self.reader = Reader::Content(Incoming::new(framed.framing, self.role));
        if let Some(reason) = framed.close {
            self.states.forbid_reuse(reason);
        }
    }

    fn end(&mut self, trailers: FieldLines) -> Result<ExchangeEvent, ErrorKind> {
        self.remote_step(Step::End)?;
        self.reader = Reader::Ended;
        self.notice_switch();
        Ok(ExchangeEvent::End { trailers })
    }

    fn remote_step(&mut self, step: Step) -> Result<(), ErrorKind> {
        if self.states.step(self.role.peer(), step) {
            Ok(())
        } else {
            Err(PeerMisbehaved::UnexpectedData.into())
        }
    }

    fn fail(&mut self, error: ErrorKind, reason: CloseReason) -> ErrorKind {
        self.states.fail(self.role.peer(), reason);
        self.continue_pending = false;
        self.reader = Reader::Failed(error.clone());
        error
    }
}

/// Whether the client waits for `100 Continue`. Other expectations cannot be met (RFC 9110 §10.1.1), and
/// HTTP/1.0 has none.
fn expects_continue(head: &RequestHead) -> Result<bool, PeerMisbehaved> {
    let mut expects = false;
    if head.version == http::Version::HTTP_11 {
        for expectation in head.fields.list("expect") {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(PeerMisbehaved::UnknownExpectation);
            }
            expects = true;
        }
    }
    Ok(expects)
}

fn nothing(consumed: usize) -> Received {
    Received {
        consumed,
        event: None,
    }
}

fn event(consumed: usize, event: ExchangeEvent) -> Received {
    Received {
        consumed,
        event: Some(event),
    }
}
