//! One client connection: resolve → connect → (tunnel or SOCKS) → (TLS) → exchanges → idle.
//!
//! [`Connection`] is the state machine behind the node and the agent. It uses a reactor but does not own
//! it, and it never reads the clock. It has no policy: no redirects, no cookies, and no retries except the
//! one for a reused connection that turns out to be stale. HTTP/1.1 connections are RFC 9112 §9, racing the
//! addresses is RFC 8305.
//!
//! | file | holds |
//! |---|---|
//! | `config` | its settings |
//! | `status` | the status with Godot's names, and its transitions |
//! | `target` | the server, and the route through a proxy |
//! | `connecting` | the stages up to a usable connection |
//! | `exchange` | the state of one request and its response |
//! | `established` | sends and receives them: on a link, or through the `fetch` of a browser |
//! | `receiving` | the response: its head, its content, its end |
//! | `inspect` | getters for the connection and its exchange |
//! | `deadlines`, `failing` | when it has waited too long; how it fails |
//! | `timings` | when each step was completed |
//! | `retrying` | the one retry, when a reused connection is stale |
//! | `content` | what a request sends after its head |

mod config;
mod connecting;
mod content;
mod deadlines;
mod established;
mod exchange;
mod failing;
mod inspect;
mod receiving;
mod retrying;
mod status;
mod target;
mod timings;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use crate::clock::Instant;
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
use established::{Driven, Established};
pub(crate) use exchange::Response;
use exchange::{Exchange, Replay};
pub(crate) use inspect::Expects;
use retrying::Resend;
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
    /// Whether the target can be connected to again. An adopted stream cannot.
    is_dialled: bool,
    /// Whether the proxy of the target, if it has one, is involved already: the server's name may be looked up before.
    asks_proxy: bool,
    origin: String,
    transitions: Transitions,
    /// The deadline of the current stage of connecting. An exchange has its own.
    deadline: Option<Deadline>,
    times: ConnectionTimes,
    /// How long the server keeps the connection when it is idle, with a margin (`Keep-Alive: timeout`).
    keep_alive: Option<Duration>,
    /// When the last response ended, by the clock: the server does not stop counting in gaps between polls.
    idle_since: Option<Instant>,
    /// What a proxy responded to `CONNECT`.
    proxy_heads: VecDeque<ResponseHead>,
    /// The latest request and its response.
    exchange: Exchange,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Disconnected,
    /// Connecting. If there is a request, it is sent again afterwards.
    Connecting(Connecting, Option<Box<Resend>>),
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

    /// Starts to connect, and closes the previous connection. `now` is active time.
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
        self.asks_proxy = !matches!(&begun, Ok(connecting) if connecting.precedes_proxy());
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

    /// Adopts a stream that is already connected.
    #[cfg_attr(
        all(target_family = "wasm", not(feature = "websocket")),
        allow(dead_code, reason = "a page has no byte streams but WebSockets")
    )]
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

    /// Moves its sockets to another reactor. If that fails, the connection fails.
    pub(crate) fn move_to(&mut self, from: &mut Reactor, to: &mut Reactor) {
        let moved = match &mut self.state {
            State::Disconnected | State::Failed(..) => Ok(()),
            State::Connecting(connecting, _) => connecting
                .sockets_mut()
                .iter_mut()
                .try_for_each(|socket| socket.move_to(from, to)),
            State::Established(established) => established.move_to(from, to),
        };
        if let Err(error) = moved {
            self.fail_system(to, error);
        }
    }

    /// Queues a request, which the next [`drive`](Self::drive) sends. On an error nothing has changed.
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
        let may_be_stale = self.is_dialled && established.requests() > 0;
        let replay = (self.config.retry_stale && may_be_stale).then(|| Replay {
            head: head.clone(),
            body: body.at_hand(),
        });
        established.request(&mut self.exchange, head, body)?;
        self.exchange.times = ExchangeTimes::default();
        self.exchange.replay = replay;
        self.transitions.note(status, Status::Requesting);
        self.rearm(now, true);
        Ok(())
    }

    /// Does what sockets, data and budget allow. Returns whether anything happened.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        self.drive_steps(reactor, now, meter, |_| false)
    }

    /// Like [`drive`](Self::drive), but stops when the connection is established. The caller sends its request
    /// at once, so that one packet has the end of the TLS handshake and the request.
    #[cfg(feature = "agent")]
    pub(crate) fn drive_until_connected(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let was_connecting = matches!(self.state, State::Connecting(..));
        self.drive_steps(reactor, now, meter, |it| {
            was_connecting && it.status() == Status::Connected
        })
    }

    fn drive_steps(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
        is_far_enough: impl Fn(&Self) -> bool,
    ) -> bool {
        let before = (self.status(), self.exchange.bytes());
        let mut stepped = false;
        while self.step(reactor, now, meter) {
            stepped = true;
            if meter.exhausted() || is_far_enough(self) {
                break;
            }
        }
        let progressed = stepped || before != (self.status(), self.exchange.bytes());
        self.rearm(now, progressed);
        progressed
    }

    /// Takes one step. Returns `true` when another may follow.
    fn step(&mut self, reactor: &mut Reactor, now: Instant, meter: &mut BudgetMeter) -> bool {
        match &mut self.state {
            State::Disconnected | State::Failed(..) => false,
            State::Connecting(..) => self.step_connecting(reactor, now, meter),
            State::Established(established) => {
                let exchange = &mut self.exchange;
                let driven = established.drive(exchange, reactor, meter);
                let (sent, received) = exchange.bytes();
                exchange.times.note(sent > 0, received > 0, || meter.now());
                match driven {
                    Ok(Driven::Waiting) => {}
                    Ok(Driven::Response(head, follows)) => {
                        self.receive_head(reactor, meter, head, follows);
                    }
                    Err(error) => {
                        if self.retry_stale(reactor, &error, now) {
                            return true;
                        }
                        self.fail_established(reactor, error);
                    }
                }
                // It did all that it could: another step would find nothing.
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
        let State::Connecting(connecting, resend) = mem::take(&mut self.state) else {
            return false;
        };
        let phase = connecting.phase();
        self.asks_proxy = !connecting.precedes_proxy();
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
                self.state = State::Connecting(connecting, resend);
                false
            }
            Step::Next(connecting) => {
                self.state = State::Connecting(connecting, resend);
                self.transitions.note(from, self.status());
                true
            }
            Step::Established(mut established) => {
                // A browser does not tell when it looked a name up and connected.
                #[cfg(target_family = "wasm")]
                if established.link().is_none() {
                    self.times = ConnectionTimes::default();
                }
                // The request was accepted once, so it is accepted again.
                let exchange = &mut self.exchange;
                let resent =
                    resend.map(|resend| established.request(exchange, &resend.head, resend.body));
                self.deadline = None;
                self.state = State::Established(established);
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
}
