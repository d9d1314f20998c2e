//! [`Exchange`]: one request and its response on a connection, then the next, for either role. It connects
//! the two state machines of `state` with the content that is received and sent. Sockets, buffers and
//! deadlines belong to the layers above.

use std::ops::Range;

use http::{Method, Version};

use super::fields::FieldLines;
use super::framing::Framing;
use super::head::{RequestHead, ResponseHead};
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::persistence::{CloseReason, Persistence};
use super::scan::HeadScan;
use super::state::{Role, State, States};
use crate::error::{ErrorKind, Misuse, NetworkFault};
use crate::limits::Limits;

mod receive;
mod send;

/// The HTTP/1.1 machine of one connection (RFC 9112), without I/O.
///
/// It frames what we send into a `Vec<u8>`, which the caller writes to the network. What the peer sends is
/// passed to [`receive`](Self::receive), which returns ranges of that input, so content is never copied
/// here. The two directions are independent: a response may arrive while the request is still being sent.
///
/// ```
/// # use httpoll::{ErrorKind, Limits};
/// # use httpoll::proto::{BodyLength, ExchangeEvent, Exchange, FieldLines, RequestHead};
/// # fn main() -> Result<(), ErrorKind> {
/// let mut fields = FieldLines::new();
/// fields.append("Host", "example.com")?;
/// let head = RequestHead {
///     method: http::Method::GET,
///     target: "/".to_owned(),
///     version: http::Version::HTTP_11,
///     fields,
/// };
/// let mut exchange = Exchange::client(Limits::default());
/// let mut out = Vec::new();
/// exchange.send_request(&head, BodyLength::None, &mut out)?;
/// assert_eq!(out, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
///
/// let mut input = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..];
/// let mut content = Vec::new();
/// loop {
///     let received = exchange.receive(input)?;
///     match received.event {
///         Some(ExchangeEvent::Content(range)) => content.extend_from_slice(&input[range]),
///         Some(_) => {}
///         None => break,
///     }
///     input = &input[received.consumed..];
/// }
/// assert_eq!(content, b"hi");
/// exchange.next_cycle()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Exchange {
    role: Role,
    limits: Limits,
    states: States,
    reader: Reader,
    outgoing: Outgoing,
    /// What is known about the request of this cycle.
    request: Option<Asked>,
    /// How the message being received is framed.
    framing: Option<Framing>,
    interims: usize,
    /// Whether the client holds its content back until a `100 Continue` arrives (RFC 9110 §10.1.1).
    continue_pending: bool,
}

/// One event that was received from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeEvent {
    /// A request head. Only servers receive it.
    Request(RequestHead),
    /// A 1xx response other than 101; the final response follows (RFC 9110 §15.2).
    Interim(ResponseHead),
    /// The final response, or 101. Only clients receive it.
    Response(ResponseHead),
    /// Content, as a range of the input of this call.
    Content(Range<usize>),
    /// The message is complete.
    End {
        /// Its trailer section (RFC 9110 §6.5); empty unless the message was chunked. Fields that are not
        /// allowed in trailers were dropped.
        trailers: FieldLines,
    },
    /// The bytes that follow belong to another protocol: after 101, or after 2xx to `CONNECT`. A client
    /// gets this event after the [`Response`](Self::Response), and no [`End`](Self::End). A server gets it
    /// after the end of the request, once it has sent such a response.
    Switched,
}

/// The result of [`Exchange::receive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number of input bytes that are consumed. Pass the others again, with more after them.
    pub consumed: usize,
    /// What these bytes contained. After an event, call again at once, even with no input left. `None`
    /// means that nothing happens without more input (or, after the end, without
    /// [`next_cycle`](Exchange::next_cycle)).
    pub event: Option<ExchangeEvent>,
}

#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    version: Version,
}

/// What is read next.
#[derive(Clone, Debug)]
enum Reader {
    Head(HeadScan),
    Content(Incoming),
    /// The message is complete. The bytes that follow are not read in this cycle.
    Ended,
    /// [`ExchangeEvent::Switched`] must be reported.
    Switching,
    Switched,
    Failed(ErrorKind),
}

impl Exchange {
    /// The machine of a client.
    pub fn client(limits: Limits) -> Self {
        Self::new(Role::Client, limits)
    }

    /// The machine of a server.
    pub fn server(limits: Limits) -> Self {
        Self::new(Role::Server, limits)
    }

    /// Prepares the next request on the same connection. Fails with [`Misuse::OutOfOrder`] unless
    /// [`persistence`](Self::persistence) is [`Persistence::Reuse`].
    pub fn next_cycle(&mut self) -> Result<(), ErrorKind> {
        match self.persistence() {
            Persistence::Reuse => {
                *self = Self::new(self.role, self.limits.clone());
                Ok(())
            }
            Persistence::Close(_) => Err(Misuse::OutOfOrder.into()),
        }
    }

    /// Stops holding the content back. Call it when no `100 Continue` has arrived for a while, because
    /// servers need not send one (RFC 9110 §10.1.1).
    pub fn stop_awaiting_continue(&mut self) {
        if self.role == Role::Client {
            self.continue_pending = false;
        }
    }

    /// Whether a client should hold its content back: it sent `Expect: 100-continue`, has received neither
    /// a `100` nor a final response, and has not called
    /// [`stop_awaiting_continue`](Self::stop_awaiting_continue). Sending content anyway is allowed and ends
    /// the wait.
    pub fn awaits_continue(&self) -> bool {
        self.role == Role::Client && self.continue_pending
    }

    /// Whether the client waits for the server's `100 Continue`, and none of its content has arrived. A
    /// final response now means that the connection closes after it, because the server cannot know whether
    /// the content will follow.
    pub fn wants_continue(&self) -> bool {
        self.role == Role::Server && self.continue_pending
    }

    /// The length of the content being received, if it is known in advance: the value of `Content-Length`,
    /// or 0 when the method or status allows no content. `None` before the head, and for chunked and
    /// close-delimited content. It is kept until the next cycle.
    pub fn content_length(&self) -> Option<u64> {
        match self.framing? {
            Framing::Empty | Framing::Tunnel => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Whether the content being received is chunked (RFC 9112 §7.1). It is kept until the next cycle.
    pub fn is_chunked(&self) -> bool {
        self.framing == Some(Framing::Chunked)
    }

    /// Whether some bytes of the expected message have arrived: a part of its head, an interim response
    /// before it, or its whole head. This distinguishes a peer that closed an idle connection from one that
    /// failed during a message.
    pub fn buffered(&self) -> bool {
        match &self.reader {
            Reader::Head(scan) => scan.has_begun() || self.interims > 0,
            Reader::Content(_) | Reader::Ended | Reader::Switching | Reader::Switched => true,
            Reader::Failed(error) => *error != ErrorKind::Network(NetworkFault::Closed),
        }
    }

    /// Whether the message that we send is complete.
    pub fn local_done(&self) -> bool {
        is_complete(self.local())
    }

    /// Whether the peer's message is complete and its end was reported.
    pub fn remote_done(&self) -> bool {
        is_complete(self.remote())
    }

    /// Whether both messages are complete.
    pub fn is_done(&self) -> bool {
        self.local_done() && self.remote_done()
    }

    /// Whether the connection can carry another exchange. Before the exchange is complete, this is the
    /// result if it ended now. Then [`CloseReason::UnsentContent`], [`CloseReason::UnreadContent`] and
    /// [`CloseReason::Unfinished`] may still change to [`Persistence::Reuse`]; other reasons are final.
    pub fn persistence(&self) -> Persistence {
        if let Some(reason) = self.states.close_reason() {
            return Persistence::Close(reason);
        }
        let (client, server) = (self.states.of(Role::Client), self.states.of(Role::Server));
        match (client, server) {
            (State::Idle, State::Idle) | (State::Done, State::Done) => Persistence::Reuse,
            (State::Switched, _) | (_, State::Switched) => {
                Persistence::Close(CloseReason::Switched)
            }
            (State::SendContent, State::SendContent | State::Done) => {
                Persistence::Close(match self.role {
                    Role::Client => CloseReason::UnsentContent,
                    Role::Server => CloseReason::UnreadContent,
                })
            }
            _ => Persistence::Close(CloseReason::Unfinished),
        }
    }

    fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            states: States::new(),
            reader: Reader::Head(HeadScan::new(role.peer())),
            outgoing: Outgoing::Nothing,
            request: None,
            framing: None,
            interims: 0,
            continue_pending: false,
        }
    }

    fn local(&self) -> State {
        self.states.of(self.role)
    }

    fn remote(&self) -> State {
        self.states.of(self.role.peer())
    }

    /// HTTP has ended for the peer, too, so `receive` must report it.
    fn notice_switch(&mut self) {
        let ended = matches!(self.reader, Reader::Ended);
        if ended && self.remote() == State::Switched {
            self.reader = Reader::Switching;
        }
    }
}

fn is_complete(state: State) -> bool {
    match state {
        State::Done | State::MustClose | State::MightSwitch | State::Switched | State::Closed => {
            true
        }
        State::Idle | State::SendResponse | State::SendContent | State::Failed => false,
    }
}

#[cfg(test)]
mod tests;
