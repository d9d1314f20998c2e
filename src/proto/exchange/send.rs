//! The sending half of [`Exchange`]: heads, content and its end. Each is checked before any byte is
//! written, so that a refused call changes neither the machine nor the buffer.

use http::{Method, StatusCode, Version};

use super::{Asked, Exchange};
use crate::error::{ErrorKind, Misuse};
use crate::proto::emit::{self, Answered, BodyLength};
use crate::proto::fields::FieldLines;
use crate::proto::head::{RequestHead, ResponseHead};
use crate::proto::outgoing::Outgoing;
use crate::proto::persistence::{CloseReason, wish_to_close};
use crate::proto::state::{Proposal, Role, State, Step};

impl Exchange {
    /// Sends a request head (RFC 9112 §3): appends it to `out`, with `Content-Length` or
    /// `Transfer-Encoding` as its content requires. `POST`, `PUT` and `PATCH` without content get
    /// `Content-Length: 0`. A request without content is complete at once. One of known length is complete
    /// with its last byte, and [`finish`](Self::finish) only checks that.
    ///
    /// Fails with one of these errors, and changes nothing then:
    /// - [`Misuse::OutOfOrder`]: not a client, or a request was already sent,
    /// - [`Misuse::InvalidTarget`]: the target has no form that the method allows, or is not ASCII,
    /// - [`Misuse::InvalidHost`]: `Host` is missing (from HTTP/1.1), repeated or malformed,
    /// - [`Misuse::FramingHeader`]: the fields contradict `body`, or require chunks in HTTP/1.0,
    /// - [`Misuse::TooMuchContent`]: content for `CONNECT` or `TRACE`.
    pub fn send_request(
        &mut self,
        head: &RequestHead,
        body: BodyLength,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorKind> {
        if self.role != Role::Client || !self.states.allows(Role::Client, Step::Request) {
            return Err(Misuse::OutOfOrder.into());
        }
        let plan = emit::plan_request(head, body)?;
        self.advance(Step::Request)?;
        emit::write_request(head, plan.added, out);
        self.note_request(head, CloseReason::WeAsked);
        self.continue_pending = self.request_is_http11()
            && plan.outgoing != Outgoing::Nothing
            && head.fields.has_token("expect", "100-continue");
        self.begin_content(plan.outgoing)
    }

    /// Sends a response head (RFC 9112 §4): appends it to `out`, with `Content-Length` or
    /// `Transfer-Encoding` as its content requires. It adds `Connection: close` when the connection ends
    /// with this exchange, and `Connection: keep-alive` when an HTTP/1.0 client asked for it.
    ///
    /// 1xx heads may be sent before the final one. HTTP ends with a 101, if the client proposed an upgrade,
    /// and with a 2xx to `CONNECT`. If the status or the method forbids content (`HEAD`, 204, 304), any
    /// amount of it is accepted and dropped until [`finish`](Self::finish). A final response may be sent
    /// before the request is complete, and even when no request could be read.
    ///
    /// Fails with one of these errors, and changes nothing then:
    /// - [`Misuse::OutOfOrder`]: not a server, or the final response was already sent; a 1xx without a
    ///   request or to an HTTP/1.0 client; a 101 that no request proposed,
    /// - [`Misuse::InvalidHeader`]: control characters in the reason,
    /// - [`Misuse::FramingHeader`]: the fields contradict `body`, or the status forbids them,
    /// - [`Misuse::TooMuchContent`]: content for 1xx, 205 or a tunnel.
    pub fn send_response(
        &mut self,
        head: &ResponseHead,
        body: BodyLength,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorKind> {
        let step = self
            .response_step(head.status)
            .filter(|&step| self.role == Role::Server && self.states.allows(Role::Server, step))
            .ok_or(Misuse::OutOfOrder)?;
        if step == Step::Interim && !self.request_is_http11() {
            return Err(Misuse::OutOfOrder.into());
        }
        let answered = Answered {
            method: self.request.as_ref().map_or(&Method::GET, |r| &r.method),
            understands_chunks: self.request_is_http11() && head.version != Version::HTTP_10,
        };
        let plan = emit::plan_response(head, body, answered)?;
        self.advance(step)?;
        match step {
            Step::Interim => {
                if head.status == StatusCode::CONTINUE {
                    self.continue_pending = false;
                }
                emit::write_response(head, plan.added, None, out);
                return Ok(());
            }
            Step::Switch => {
                self.continue_pending = false;
                self.states.forbid_reuse(CloseReason::Switched);
                emit::write_response(head, plan.added, None, out);
                self.notice_switch();
                return Ok(());
            }
            _ => {}
        }
        self.note_response_persistence(head, plan.outgoing);
        emit::write_response(head, plan.added, self.connection_token(head), out);
        self.begin_content(plan.outgoing)
    }

    /// Sends content: appends it to `out`, framed (RFC 9112 §6, §7). Empty content has no effect and never
    /// ends a message.
    ///
    /// Fails with [`Misuse::TooMuchContent`] when it exceeds the declared length, and with
    /// [`Misuse::OutOfOrder`] before the head. Nothing changes then.
    pub fn send_content(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        match self.local() {
            State::SendContent => {
                let outgoing = self.outgoing.send(content, out)?;
                if !content.is_empty() {
                    self.stop_awaiting_continue();
                }
                self.begin_content(outgoing)
            }
            State::Done | State::MustClose | State::MightSwitch if content.is_empty() => Ok(()),
            State::Done | State::MustClose | State::MightSwitch => {
                Err(Misuse::TooMuchContent.into())
            }
            _ => Err(Misuse::OutOfOrder.into()),
        }
    }

    /// Ends the content: if it is chunked, appends the last chunk and the trailer section to `out` (RFC
    /// 9112 §7.1). On a complete message it does nothing.
    ///
    /// Fails with [`Misuse::TooLittleContent`] when content is missing, with [`Misuse::FramingHeader`] for
    /// trailers of a message that is not chunked, with [`Misuse::InvalidHeader`] for fields that are not
    /// allowed in trailers (RFC 9110 §6.5.1), and with [`Misuse::OutOfOrder`] before the head. Nothing
    /// changes then.
    pub fn finish(&mut self, trailers: &FieldLines, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        match self.local() {
            State::SendContent => {
                self.outgoing.finish(trailers, out)?;
                self.stop_awaiting_continue();
                self.begin_content(Outgoing::Nothing)
            }
            State::Done | State::MustClose | State::MightSwitch | State::Switched
                if trailers.is_empty() =>
            {
                Ok(())
            }
            State::Done | State::MustClose | State::MightSwitch | State::Switched => {
                Err(Misuse::FramingHeader.into())
            }
            _ => Err(Misuse::OutOfOrder.into()),
        }
    }

    /// Stores what this cycle needs of its request, whether sent or received.
    pub(super) fn note_request(&mut self, head: &RequestHead, asked: CloseReason) {
        let version = emit::sent_version(head.version);
        if let Some(reason) = wish_to_close(version, &head.fields, asked) {
            self.states.forbid_reuse(reason);
        }
        self.states.propose(if head.method == Method::CONNECT {
            Proposal::Tunnel
        } else if version == Version::HTTP_11 && head.fields.contains("upgrade") {
            Proposal::Upgrade
        } else {
            Proposal::Nothing
        });
        self.request = Some(Asked {
            method: head.method.clone(),
            version,
        });
    }

    /// How a response of this status moves the server's machine. `None` for a switch that the request did
    /// not propose.
    pub(super) fn response_step(&self, status: StatusCode) -> Option<Step> {
        match (self.states.proposal(), status) {
            (Proposal::Upgrade, StatusCode::SWITCHING_PROTOCOLS) => Some(Step::Switch),
            (Proposal::Tunnel, status) if status.is_success() => Some(Step::Switch),
            (_, StatusCode::SWITCHING_PROTOCOLS) => None,
            (_, status) if status.is_informational() => Some(Step::Interim),
            _ => Some(Step::Response),
        }
    }

    fn request_is_http11(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| request.version == Version::HTTP_11)
    }

    fn note_response_persistence(&mut self, head: &ResponseHead, outgoing: Outgoing) {
        let version = emit::sent_version(head.version);
        let reason = if self.request.is_none() {
            Some(CloseReason::NoRequest)
        } else if outgoing == Outgoing::UntilClose {
            Some(CloseReason::CloseDelimited)
        } else if self.continue_pending {
            Some(CloseReason::ContentNotAsked)
        } else {
            match wish_to_close(version, &head.fields, CloseReason::WeAsked) {
                // An HTTP/1.0 response gets its `keep-alive` from `connection_token`.
                Some(CloseReason::Http10) => None,
                reason => reason,
            }
        };
        self.continue_pending = false;
        if let Some(reason) = reason {
            self.states.forbid_reuse(reason);
        }
    }

    /// The token that the `Connection` field needs and the head lacks.
    fn connection_token(&self, head: &ResponseHead) -> Option<&'static str> {
        let is_old = !self.request_is_http11() || head.version == Version::HTTP_10;
        let (token, is_needed) = match self.states.close_reason() {
            Some(_) => ("close", true),
            None => ("keep-alive", is_old),
        };
        (is_needed && !head.fields.has_token("connection", token)).then_some(token)
    }

    fn begin_content(&mut self, outgoing: Outgoing) -> Result<(), ErrorKind> {
        self.outgoing = outgoing;
        match outgoing {
            Outgoing::Nothing => self.advance(Step::End),
            _ => Ok(()),
        }
    }

    fn advance(&mut self, step: Step) -> Result<(), ErrorKind> {
        if self.states.step(self.role, step) {
            Ok(())
        } else {
            Err(Misuse::OutOfOrder.into())
        }
    }
}
