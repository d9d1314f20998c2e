//! One client connection: resolve → connect → (tunnel or SOCKS) → (TLS) → exchanges → idle.
//!
//! [`Connection`] is the state machine behind the node and the agent. It uses a reactor and owns
//! none, knows no policy (no redirects, no cookies, no retries except the one for a reused connection
//! that turns out to be stale), and never reads the clock.
//!
//! | file | holds |
//! |---|---|
//! | `config` | its settings |
//! | `status` | the status in Godot's words, its transitions |
//! | `target` | where to, and through which proxy |
//! | `connecting` | the stages up to a usable connection |
//! | `exchange` | one request and its response, as far as they have come |
//! | `established` | sends and receives them on the link |
//! | `inspect` | what is known of the connection and its exchange |
//! | `deadlines`, `failing` | when it has waited too long; how it fails |
//! | `timings` | when each step was done |
//! | `retrying` | the one retry, of a connection that is stale |
//! | `content` | what a request sends after its head |

mod config;
mod connecting;
mod content;
mod deadlines;
mod established;
mod exchange;
mod failing;
mod inspect;
mod retrying;
mod status;
mod target;
mod timings;

use std::collections::VecDeque;
use std::mem;
use std::slice;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::error::{Error, Misuse};
use crate::phase::Phase;
use crate::proto::{RequestHead, ResponseHead};
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::{NonblockingStream, Socket};

#[cfg(feature = "agent")]
pub(crate) use config::AddressFilter;
pub(crate) use config::Config;
use connecting::{Connecting, Step};
pub use content::RequestBody;
use established::{Driven, Established, Follows, Taken};
pub(crate) use exchange::Response;
use exchange::{Exchange, Replay};
pub(crate) use inspect::Expects;
use status::Transitions;
pub use status::{Status, Transition};
pub(crate) use target::{Proxy, Route, SocksProxy, Target, parse_host};
#[cfg(feature = "agent")]
pub(crate) use timings::Timestamps;
use timings::{ConnectionTimes, Deadline, ExchangeTimes};

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
    /// The deadline of the stage of connecting. An exchange has its own.
    deadline: Option<Deadline>,
    times: ConnectionTimes,
    /// What a proxy responded to `CONNECT`.
    proxy_heads: VecDeque<ResponseHead>,
    /// The latest request and its response.
    exchange: Exchange,
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
        self.times = ConnectionTimes::default();
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

    /// Lets another reactor watch its sockets. A failure fails the connection.
    pub(crate) fn move_to(&mut self, from: &mut Reactor, to: &mut Reactor) {
        let sockets = match &mut self.state {
            State::Disconnected | State::Failed(..) => &mut [],
            State::Connecting(connecting, _) => connecting.sockets_mut(),
            State::Established(established) => slice::from_mut(established.link_mut().socket_mut()),
        };
        for socket in sockets {
            if let Err(error) = socket.move_to(from, to) {
                self.fail_system(to, error);
                return;
            }
        }
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
        if !self.exchange.is_idle() {
            return Err(Misuse::WrongStatus.into());
        }
        let may_be_stale = self.is_dialled && established.requests > 0;
        let replay = (self.config.retry_stale && may_be_stale)
            .then(|| body.at_hand())
            .flatten();
        established.request(&mut self.exchange, head, body)?;
        self.exchange.times = ExchangeTimes::default();
        self.exchange.replay = replay.map(|body| Replay {
            head: head.clone(),
            body,
        });
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
        let before = (self.status(), self.exchange.bytes());
        let mut stepped = false;
        while self.step(reactor, now, meter) {
            stepped = true;
            if meter.exhausted() {
                break;
            }
        }
        let progressed = stepped || before != (self.status(), self.exchange.bytes());
        self.rearm(now, progressed);
        progressed
    }

    /// One step; `true` when another may follow.
    fn step(&mut self, reactor: &mut Reactor, now: Instant, meter: &mut BudgetMeter) -> bool {
        match &mut self.state {
            State::Disconnected | State::Failed(..) => false,
            State::Connecting(..) => self.step_connecting(reactor, now, meter),
            State::Established(established) => {
                let exchange = &mut self.exchange;
                let driven = established.drive(exchange, reactor, meter);
                if !exchange.times.is_complete() {
                    let (sent, received) = exchange.bytes();
                    exchange.times.note(sent > 0, received > 0, meter.now());
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
            self.times.note(phase, meter.now());
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
                let exchange = &mut self.exchange;
                let resent =
                    replay.map(|replay| established.request(exchange, &replay.head, replay.body));
                self.deadline = None;
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
        let (content_length, is_chunked) = established.framing();
        self.exchange.response = Some(Response {
            head,
            content_length,
            is_chunked,
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
        if established.is_reusable_after_response(&mut self.exchange) {
            self.transitions.note(from, Status::Connected);
        } else if let State::Established(established) = mem::take(&mut self.state) {
            established.close(reactor);
            self.exchange.stop();
            self.transitions.note(from, Status::Disconnected);
        }
        self.exchange.deadline = None;
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
            State::Established(established) if self.exchange.is_receiving() => {
                let before = self.exchange.received;
                let taken = established.read_content(&mut self.exchange, reactor, meter, most);
                let progressed = self.exchange.received != before;
                match taken {
                    Ok(Taken::Content(piece)) => {
                        if self.exchange.is_content_taken() {
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
        self.proxy_heads.clear();
        self.exchange = Exchange::default();
    }

    fn release(&mut self, reactor: &mut Reactor) {
        match mem::take(&mut self.state) {
            State::Disconnected | State::Failed(..) => {}
            State::Connecting(connecting, _) => connecting.close(reactor),
            State::Established(established) => established.close(reactor),
        }
        self.deadline = None;
        self.exchange.stop();
    }

    /// Takes a switched connection's stream (after `101` or a tunnel's 2xx) and the bytes that came
    /// behind the response.
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
        Some(established.into_switched(reactor))
    }
}
