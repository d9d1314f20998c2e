//! One client connection: resolve → connect → (tunnel or SOCKS) → (TLS) → exchanges → idle.
//!
//! [`Connection`] is the state machine behind every face of the client. It takes a reactor and owns
//! none, knows no policy (no redirects, no cookies, no retries but the one that a kept-alive connection
//! owes its user), and never looks at the clock.
//!
//! | file | holds |
//! |---|---|
//! | `status` | the status in Godot's words, its transitions |
//! | `target` | where to, and through which proxy |
//! | `connecting` | the stages up to a usable connection |
//! | `established` | requests and responses on it |
//! | `deadlines`, `failing` | when it has waited too long; how it fails |
//! | `timings` | when each step was done |
//! | `retrying` | the one retry, of a connection that went stale |
//! | `content` | what a request sends after its head |

mod connecting;
mod content;
mod deadlines;
mod established;
mod failing;
mod retrying;
mod status;
mod target;
mod timings;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Method;

use crate::error::{Error, Misuse};
use crate::limits::Limits;
use crate::phase::{Phase, Timeouts};
use crate::proto::{FieldLines, RequestHead, ResponseHead};
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::{NonblockingStream, Socket};

use connecting::{Connecting, Step};
pub use content::RequestBody;
use established::{Driven, Established, Follows, Taken};
use retrying::Replay;
use status::Transitions;
pub use status::{Status, Transition};
pub(crate) use target::{Proxy, Route, SocksProxy, Target, parse_host};
pub(crate) use timings::Timestamps;

/// What a connection is told once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    /// For the proxy's tunnel; requests carry their own.
    pub(crate) user_agent: String,
    /// The value of `Proxy-Authorization`.
    pub(crate) proxy_authorization: Option<String>,
    /// Whether a request is sent again over a new connection when a kept one went stale.
    pub(crate) retry_stale: bool,
    /// Which of the addresses that a name has may be connected to.
    pub(crate) addresses: AddressFilter,
}

/// Which addresses may be connected to. Judged after the lookup, so that a name cannot lead past it.
#[derive(Clone, Default)]
pub(crate) struct AddressFilter(Option<Arc<dyn Fn(IpAddr) -> Result<(), Error> + Send + Sync>>);

impl AddressFilter {
    #[cfg(feature = "agent")]
    pub(crate) fn new(
        allows: impl Fn(IpAddr) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(allows)))
    }

    fn check(&self, address: IpAddr) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |allows| allows(address))
    }
}

/// Equal are clones of one filter.
impl PartialEq for AddressFilter {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl fmt::Debug for AddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressFilter({})", self.0.is_some())
    }
}

/// The response to the latest request, as far as it has come.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Arc<ResponseHead>,
    pub(crate) content_length: Option<u64>,
    pub(crate) is_chunked: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) config: Config,
    state: State,
    target: Option<Target>,
    /// Whether the target was connected to, and so can be again: an adopted stream cannot.
    is_dialled: bool,
    origin: String,
    transitions: Transitions,
    deadline: Option<Deadline>,
    method: Method,
    response: Option<Response>,
    interim: VecDeque<ResponseHead>,
    /// What a proxy answered to `CONNECT`.
    proxy_heads: VecDeque<ResponseHead>,
    trailers: FieldLines,
    /// What to send again should the connection turn out to be stale.
    replay: Option<Replay>,
    /// HTTP bytes of the latest request and its response.
    moved: (u64, u64),
    timestamps: Timestamps,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Disconnected,
    /// Connecting; for a request that is sent again, if there is one.
    Connecting(Connecting, Option<Box<Replay>>),
    Established(Box<Established>),
    Failed(Status, Error),
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    phase: Phase,
    at: Instant,
}

impl Connection {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Starts to connect, closing what there was. `now` is active time.
    pub(crate) fn open(
        &mut self,
        reactor: &mut Reactor,
        target: Target,
        now: Instant,
    ) -> Result<(), Error> {
        self.close(reactor);
        self.origin = target.origin();
        self.is_dialled = true;
        self.timestamps = Timestamps::default();
        let begun = Connecting::begin(reactor, &target, &self.config);
        self.target = Some(target);
        match begun {
            Ok(connecting) => {
                self.enter(State::Connecting(connecting, None));
                self.rearm(now, false);
                Ok(())
            }
            Err(error) => Err(self.fail(reactor, Status::CantResolve, Phase::Resolve, error)),
        }
    }

    /// Adopts a stream that is connected already.
    pub(crate) fn adopt(
        &mut self,
        reactor: &mut Reactor,
        target: Target,
        stream: Box<dyn NonblockingStream>,
    ) {
        self.close(reactor);
        self.origin = target.origin();
        self.is_dialled = false;
        self.target = Some(target);
        let link = Link::plain(Socket::adopt(reactor, stream));
        let established = Established::new(link, &self.config.limits);
        self.enter(State::Established(Box::new(established)));
    }

    /// Queues a request; the next [`drive`](Self::drive) sends it. A refusal changes nothing.
    pub(crate) fn request(
        &mut self,
        head: &RequestHead,
        body: RequestBody,
        now: Instant,
    ) -> Result<(), Error> {
        let status = self.status();
        let State::Established(established) = &mut self.state else {
            return Err(Misuse::WrongStatus.into());
        };
        if status != Status::Connected {
            return Err(Misuse::WrongStatus.into());
        }
        let may_be_stale = self.is_dialled && established.requests > 0;
        let replay = (self.config.retry_stale && may_be_stale)
            .then(|| body.at_hand())
            .flatten();
        established.request(head, body)?;
        self.replay = replay.map(|body| Replay {
            head: head.clone(),
            body,
        });
        self.method = head.method.clone();
        self.response = None;
        self.interim.clear();
        self.trailers = FieldLines::new();
        self.moved = (0, 0);
        self.timestamps.begin_exchange();
        self.transitions.note(status, Status::Requesting);
        self.rearm(now, true);
        Ok(())
    }

    /// Goes as far as sockets, data and budget allow. Answers whether anything happened.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let before = (self.status(), self.moved);
        let mut stepped = false;
        while self.step(reactor, now, meter) {
            stepped = true;
            if meter.exhausted() {
                break;
            }
        }
        let progressed = stepped || before != (self.status(), self.moved);
        self.rearm(now, progressed);
        progressed
    }

    /// One step; `true` when another may follow.
    fn step(&mut self, reactor: &mut Reactor, now: Instant, meter: &mut BudgetMeter) -> bool {
        match &mut self.state {
            State::Disconnected | State::Failed(..) => false,
            State::Connecting(..) => self.step_connecting(reactor, now, meter),
            State::Established(established) => {
                let interim = &mut self.interim;
                let driven = established.drive(reactor, meter, &mut |head| interim.push_back(head));
                self.moved = (established.sent, established.received);
                if self.timestamps.awaits_exchange() {
                    self.timestamps.note_exchange(
                        established.is_request_sent(),
                        established.received > 0,
                        meter.now(),
                    );
                }
                match driven {
                    Ok(Driven::Waiting) => {}
                    Ok(Driven::Response(head, follows)) => {
                        self.receive_head(reactor, head, follows);
                    }
                    Err(error) => {
                        if self.retry_stale(reactor, &error, now) {
                            return true;
                        }
                        self.fail_established(reactor, error);
                    }
                }
                // It went as far as it could: another step would find nothing.
                false
            }
        }
    }

    fn step_connecting(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let Some(target) = &self.target else {
            return false;
        };
        let from = self.status();
        let State::Connecting(connecting, replay) = mem::take(&mut self.state) else {
            return false;
        };
        let phase = connecting.phase();
        let step = connecting.step(
            reactor,
            target,
            &self.config,
            now,
            meter,
            &mut self.proxy_heads,
        );
        if matches!(step, Step::Next(_) | Step::Established(_)) {
            self.timestamps.note_stage(phase, meter.now());
        }
        match step {
            Step::Waiting(connecting) => {
                self.state = State::Connecting(connecting, replay);
                false
            }
            Step::Next(connecting) => {
                self.state = State::Connecting(connecting, replay);
                self.transitions.note(from, self.status());
                true
            }
            Step::Established(link) => {
                let mut established = Established::new(link, &self.config.limits);
                // It was accepted once, so it is again.
                let resent = replay.map(|replay| established.request(&replay.head, replay.body));
                self.state = State::Established(Box::new(established));
                match resent {
                    None => self.transitions.note(from, self.status()),
                    Some(Ok(())) => {}
                    Some(Err(error)) => drop(self.fail_established(reactor, error)),
                }
                true
            }
            Step::Failed(status, phase, error) => {
                let error = self.describe(error, phase);
                self.state = State::Failed(status, error);
                self.transitions.note(from, status);
                true
            }
        }
    }

    fn receive_head(&mut self, reactor: &mut Reactor, head: Arc<ResponseHead>, follows: Follows) {
        let State::Established(established) = &self.state else {
            return;
        };
        let exchange = established.exchange();
        self.response = Some(Response {
            content_length: exchange.content_length(),
            is_chunked: exchange.is_chunked(),
            head,
        });
        match follows {
            Follows::Content => self.transitions.note(Status::Requesting, Status::Body),
            Follows::Nothing => self.end_response(reactor, Status::Requesting),
            Follows::Switched => self.transitions.note(Status::Requesting, Status::Connected),
        }
    }

    /// The response is over: on to the next request, or the connection has served.
    fn end_response(&mut self, reactor: &mut Reactor, from: Status) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        self.trailers = mem::take(&mut established.trailers);
        if established.is_reusable_after_response() {
            self.transitions.note(from, Status::Connected);
        } else if let State::Established(established) = mem::take(&mut self.state) {
            established.close(reactor);
            self.transitions.note(from, Status::Disconnected);
        }
        self.deadline = None;
    }

    /// The next piece of response content, at most `most` bytes; empty when nothing is there now,
    /// or when the content is over (then the status is no longer [`Status::Body`]).
    pub(crate) fn read_content(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Bytes, Error> {
        let error = match &mut self.state {
            State::Established(established) if established.is_receiving() => {
                let before = established.received;
                let taken = established.read_content(reactor, meter, most);
                self.moved.1 = established.received;
                let progressed = established.received != before;
                match taken {
                    Ok(Taken::Content(piece)) => {
                        if established.is_content_taken() {
                            self.end_response(reactor, Status::Body);
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
                        self.end_response(reactor, Status::Body);
                        return Ok(Bytes::new());
                    }
                    Err(error) => error,
                }
            }
            // The failure came while content was awaited: reading says which.
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

    fn enter(&mut self, state: State) {
        let from = self.status();
        self.state = state;
        self.transitions.note(from, self.status());
    }

    /// Closes the connection and forgets the response.
    pub(crate) fn close(&mut self, reactor: &mut Reactor) {
        let from = self.status();
        self.release(reactor);
        self.transitions.note(from, Status::Disconnected);
        self.deadline = None;
        self.replay = None;
        self.response = None;
        self.interim.clear();
        self.proxy_heads.clear();
        self.trailers = FieldLines::new();
        self.moved = (0, 0);
        self.method = Method::GET;
    }

    fn release(&mut self, reactor: &mut Reactor) {
        match mem::take(&mut self.state) {
            State::Disconnected | State::Failed(..) => {}
            State::Connecting(connecting, _) => connecting.close(reactor),
            State::Established(established) => established.close(reactor),
        }
    }

    pub(crate) fn status(&self) -> Status {
        match &self.state {
            State::Disconnected => Status::Disconnected,
            State::Connecting(_, Some(_)) => Status::Requesting,
            State::Connecting(connecting, None) => connecting.status(),
            State::Failed(status, _) => *status,
            State::Established(established) if established.is_receiving() => Status::Body,
            State::Established(established)
                if established.is_idle() || established.is_switched() =>
            {
                Status::Connected
            }
            State::Established(_) => Status::Requesting,
        }
    }

    /// What it is doing; `None` when that is nothing.
    #[cfg(feature = "agent")]
    pub(crate) fn phase(&self) -> Option<Phase> {
        match &self.state {
            State::Connecting(connecting, _) => Some(connecting.phase()),
            State::Established(established) if established.awaits_source() => Some(Phase::SendBody),
            State::Established(established) => established.awaits(),
            State::Disconnected | State::Failed(..) => None,
        }
    }

    /// The error of a failed connection.
    pub(crate) fn error(&self) -> Option<&Error> {
        match &self.state {
            State::Failed(_, error) => Some(error),
            State::Disconnected | State::Connecting(..) | State::Established(_) => None,
        }
    }

    pub(crate) fn next_transition(&mut self) -> Option<Transition> {
        self.transitions.next()
    }

    pub(crate) fn next_interim(&mut self) -> Option<ResponseHead> {
        self.interim.pop_front()
    }

    /// The next head that a proxy sent for the tunnel: interim ones, then its answer.
    #[cfg(feature = "agent")]
    pub(crate) fn next_proxy_head(&mut self) -> Option<ResponseHead> {
        self.proxy_heads.pop_front()
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// Takes the response's head; what it says of the content is no longer known here.
    #[cfg(feature = "agent")]
    pub(crate) fn take_response(&mut self) -> Option<Response> {
        self.response.take()
    }

    pub(crate) fn trailers(&self) -> &FieldLines {
        &self.trailers
    }

    /// Whether the stream belongs to another protocol now.
    pub(crate) fn is_switched(&self) -> bool {
        matches!(&self.state, State::Established(established) if established.is_switched())
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Established(established) => Some(established.link()),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => None,
        }
    }

    /// Whether the socket has something that was not read, as far as the last look knows.
    pub(crate) fn is_readable(&self, reactor: &mut Reactor) -> bool {
        self.link().is_some_and(|link| link.is_readable(reactor))
    }

    /// HTTP bytes sent and received for the latest request.
    pub(crate) fn moved(&self) -> (u64, u64) {
        self.moved
    }

    /// When each step of the connection and of the latest exchange was done, by the clock.
    #[cfg(feature = "agent")]
    pub(crate) fn timestamps(&self) -> &Timestamps {
        &self.timestamps
    }

    /// Requests sent over the present connection.
    pub(crate) fn requests(&self) -> u32 {
        match &self.state {
            State::Established(established) => established.requests,
            State::Disconnected | State::Connecting(..) | State::Failed(..) => 0,
        }
    }

    /// Whether something is due from the peer, and whether it is content that is arriving.
    pub(crate) fn expects(&self) -> Expects {
        match &self.state {
            State::Connecting(..) => Expects::Answer,
            State::Established(established) => match established.awaits() {
                Some(Phase::ReceiveBody) => Expects::Content,
                Some(_) => Expects::Answer,
                None => Expects::Nothing,
            },
            State::Disconnected | State::Failed(..) => Expects::Nothing,
        }
    }

    /// Takes a switched connection's stream (after `101` or a tunnel's 2xx) and the bytes that came
    /// behind the response.
    pub(crate) fn take_switched(&mut self, reactor: &mut Reactor) -> Option<(Link, Bytes)> {
        match &self.state {
            State::Established(established) if established.is_switched() => {}
            _ => return None,
        }
        let State::Established(established) = mem::take(&mut self.state) else {
            return None;
        };
        self.transitions
            .note(Status::Connected, Status::Disconnected);
        Some(established.into_switched(reactor))
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expects {
    Nothing,
    /// A connection, a handshake or a head.
    Answer,
    Content,
}
