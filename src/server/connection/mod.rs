//! One accepted connection: handshake → requests and responses, one exchange after another → closing.
//!
//! ```text
//! Handshaking ─▶ Head ─▶ Collecting ─▶ Storing ─▶ Ready ─▶ Waiting ─▶ Locating ─▶ Responding ─▶ Head …
//!                  │                                ▲ (at the head)                   │
//!                  └── refused ─────────────────────┴─────────────────────▶ Responding└─▶ Lingering ─▶ gone
//! ```
//!
//! A connection owns no reactor and reads no clock. Responses keep the order of their requests, because the
//! next request is not parsed before the present one is done. Requests that a client sends ahead wait, first
//! here, then in the kernel.
//!
//! | file | holds |
//! |---|---|
//! | `state` | the stages of a connection |
//! | `receiving` | from bytes to a request that is handed to its handler |
//! | `storing` | a form whose files are still being written |
//! | `locating` | a response whose file is still being found or opened |
//! | `responding` | from a response to bytes |
//! | `sending` | from the buffer of bytes to the socket |
//! | `websocket` | what follows a `101` |
//! | `closing` | the end of an exchange, the deadlines, the end of the connection |
//! | `waiting` | what the connection waits for: its deadline and its socket |
//! | `inspect` | a connection as the inspector page shows it |

mod closing;
mod inspect;
mod locating;
#[cfg(feature = "websocket")]
mod open_socket;
mod receiving;
mod responding;
mod sending;
mod state;
mod storing;
#[cfg(test)]
mod tests;
mod waiting;
#[cfg(feature = "websocket")]
mod websocket;

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;

use super::app::App;
use super::client::Client;
use super::fault::ServerFault;
use super::responder::Found;
use super::settings::ServerTimeouts;
use super::wake_queue::ConnectionId;
use crate::clock::Instant;
use crate::error::Error;
use crate::proto::Exchange;
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::{Link, LinkRead};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::tls::TlsInfo;
use state::{Current, Incoming, Pace, Source, Stage};

/// How many bytes may wait to be written before more are produced.
const OUT_BYTES: usize = 64 * 1024;

/// How many bytes a connection takes from the queue of an event stream or a WebSocket at once. It takes them
/// only when the system accepts some: an event that is still in the queue can be replaced by a later one.
const BATCH_BYTES: usize = 16 * 1024;

/// How many bytes of pipelined requests are read ahead while a response is under way: enough to see the
/// client's end behind them, but little memory.
const AHEAD_BYTES: usize = 16 * 1024;

/// How many bytes one connection may move before the others get a turn.
const TURN_BYTES: u64 = 256 * 1024;

/// How many responses one connection may send before the others get a turn.
const TURN_REQUESTS: u32 = 16;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) id: ConnectionId,
    /// Whether it is in the queue of connections that have something to do.
    pub(super) queued: bool,
    /// Whether it is counted among the connections on which something is arriving.
    pub(super) is_counted: bool,
    link: Link,
    tls: Option<Arc<TlsInfo>>,
    exchange: Exchange,
    recv: RecvBuffer,
    /// The client ended its side.
    input_over: bool,
    out: Vec<u8>,
    out_sent: usize,
    /// Reads since bytes could last be written.
    reads: u8,
    stage: Stage,
    incoming: Incoming,
    current: Current,
    requests: u32,
    /// When the stage began.
    since: Instant,
    reading: Pace,
    writing: Pace,
}

/// What a connection needs in a turn.
pub(super) struct Context<'a> {
    pub(super) reactor: &'a mut Reactor,
    pub(super) meter: &'a mut BudgetMeter,
    pub(super) app: &'a mut App,
    /// Active time.
    pub(super) now: Instant,
    /// How many requests may still be handed to handlers in this poll.
    pub(super) calls: &'a mut usize,
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// There was nothing to do.
    Idle,
    /// It waits for its socket, a responder or a deadline.
    Waits,
    /// It could continue: the budget or its share of the turn is spent.
    Cut,
    /// It waits for a handler, and no more handlers may be called in this poll.
    OutOfCalls,
    /// It has to be closed.
    Over,
}

/// One step.
enum Step {
    /// It made progress, at a cost too small to measure.
    Moved,
    /// It called the system or a handler: the clock has to be read again.
    Worked,
    Stuck,
    /// No handler may be called in this poll any more.
    OutOfCalls,
    Over,
}

impl Connection {
    pub(super) fn new(
        link: Link,
        is_secure: bool,
        client: Client,
        id: ConnectionId,
        app: &App,
        now: Instant,
    ) -> Self {
        Self {
            client,
            id,
            queued: false,
            is_counted: false,
            link,
            tls: None,
            exchange: Exchange::server(app.limits.message.clone()),
            recv: RecvBuffer::default(),
            input_over: false,
            out: Vec::new(),
            out_sent: 0,
            reads: 0,
            stage: if is_secure {
                Stage::Handshaking
            } else {
                Stage::Head
            },
            incoming: Incoming::Over,
            current: Current::default(),
            requests: 0,
            since: now,
            reading: Pace::start(now),
            writing: Pace::start(now),
        }
    }

    /// Continues as far as the socket, the budget and its share of the turn allow.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> Turned {
        let turned = self.go_on(cx);
        if turned == Turned::Over {
            // What is still under way was cut short.
            self.note_sent(false, cx.app, cx.now);
        }
        turned
    }

    fn go_on(&mut self, cx: &mut Context<'_>) -> Turned {
        let (requests, calls) = (self.requests, *cx.calls);
        let before = cx.app.metrics.bytes_received + cx.app.metrics.bytes_sent;
        let mut has_worked = false;
        loop {
            match self.step(cx) {
                Ok(Step::Moved) => {
                    has_worked = true;
                    continue;
                }
                Ok(Step::Worked) => {
                    has_worked = true;
                    // Bytes that were read before are work, too: taking them must use the budget up.
                    cx.meter.note_work();
                }
                // It seems to wait, but the budget may just be spent.
                Ok(Step::Stuck) if cx.meter.exhausted() && self.is_ready(cx.reactor) => {
                    return Turned::Cut;
                }
                Ok(Step::Stuck) => break,
                Ok(Step::OutOfCalls) if *cx.calls < calls => return Turned::Cut,
                Ok(Step::OutOfCalls) => return Turned::OutOfCalls,
                Ok(Step::Over) => return Turned::Over,
                Err(error) => {
                    if !matches!(self.stage, Stage::Head | Stage::Lingering) {
                        cx.app
                            .report(&ServerFault::Connection(error), Some(&self.client));
                    }
                    return Turned::Over;
                }
            }
            let moved = cx.app.metrics.bytes_received + cx.app.metrics.bytes_sent - before;
            let share = moved > TURN_BYTES || self.requests - requests >= TURN_REQUESTS;
            if share || cx.meter.exhausted() {
                return Turned::Cut;
            }
        }
        self.recv.shrink(cx.reactor.pool());
        self.free_out();
        if has_worked {
            Turned::Waits
        } else {
            Turned::Idle
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        if matches!(self.stage, Stage::Handshaking) {
            if !self.link.handshake(cx.reactor, cx.meter)? {
                return Ok(Step::Stuck);
            }
            self.tls = self.link.tls_info().map(Arc::new);
            self.enter(Stage::Head, cx.now);
            return Ok(Step::Moved);
        }
        #[cfg(feature = "websocket")]
        if matches!(self.stage, Stage::Socket(_)) {
            return self.step_socket(cx);
        }
        if let Some(step) = self.read_before_sending(cx)? {
            return Ok(step);
        }
        let mut moved = self.transmit(cx)?;
        match &mut self.stage {
            Stage::Handshaking => {}
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => {}
            Stage::Head => {
                if !moved && self.receive_head(cx)? {
                    return Ok(Step::Moved);
                }
            }
            Stage::Collecting(_) => moved |= self.collect(cx)?,
            Stage::Storing(_) => moved |= self.look_for_form(cx),
            Stage::Ready(_) => {
                if *cx.calls == 0 {
                    return Ok(Step::OutOfCalls);
                }
                *cx.calls -= 1;
                self.hand_on(cx);
                moved = true;
            }
            Stage::Waiting(slot) => {
                let slot = Arc::clone(slot);
                moved |= self.take_content(cx)?;
                match slot.look() {
                    Found::Nothing => {}
                    Found::Response(response) => {
                        self.respond(*response, cx);
                        moved = true;
                    }
                    Found::Abandoned => {
                        self.respond_plainly(StatusCode::INTERNAL_SERVER_ERROR, cx);
                        moved = true;
                    }
                }
            }
            Stage::Locating(_) => {
                moved |= self.take_content(cx)?;
                moved |= self.look_for_file(cx);
            }
            Stage::Responding(_) => {
                moved |= self.take_content(cx)?;
                // Copying the next piece costs time, too. What was sent may have used up the budget.
                if !(moved && cx.meter.exhausted()) {
                    moved |= self.produce(cx);
                }
                if let Stage::Responding(Source::Pipe(pipe)) = &self.stage {
                    pipe.set_unsent(self.pending() + self.link.pending());
                }
                if !moved && self.is_sent(cx)? {
                    return Ok(self.finish(cx));
                }
            }
            // However much the client still sends: only its time is limited.
            Stage::Lingering => {
                self.recv.clear(cx.reactor.pool());
                if self.input_over {
                    return Ok(Step::Over);
                }
            }
        }
        if moved {
            return Ok(Step::Worked);
        }
        self.read(cx)
    }

    /// Reads, if there is space for the bytes.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        if self.input_over {
            return Ok(match self.stage {
                // The bytes that have arrived will never be a whole request.
                Stage::Head | Stage::Collecting(_) | Stage::Lingering => Step::Over,
                _ => Step::Stuck,
            });
        }
        if !self.has_room() || !self.link.is_readable(cx.reactor) {
            return Ok(Step::Stuck);
        }
        match self.link.read(cx.reactor, cx.meter, &mut self.recv)? {
            LinkRead::Data(count) => {
                cx.app.metrics.bytes_received += count as u64;
                self.current.received += count as u64;
                let ServerTimeouts {
                    stall, min_rate, ..
                } = cx.app.timeouts;
                self.reading.note(count as u64, stall, min_rate, cx.now);
                Ok(Step::Worked)
            }
            LinkRead::Blocked => Ok(Step::Stuck),
            LinkRead::Closed | LinkRead::Truncated => {
                self.input_over = true;
                // A client that ends its side may still read a response, but a client of an endless
                // event stream has gone.
                if matches!(&self.stage, Stage::Responding(Source::Pipe(pipe)) if pipe.beat().is_some())
                {
                    return Ok(Step::Over);
                }
                if let Stage::Waiting(slot) = &self.stage {
                    slot.set_aborted();
                }
                if let Incoming::Streaming(inbox) = &self.incoming {
                    inbox.cut();
                }
                #[cfg(feature = "websocket")]
                if let Stage::Socket(socket) = &mut self.stage {
                    socket.receive_eof();
                }
                Ok(Step::Moved)
            }
        }
    }

    fn has_room(&self) -> bool {
        match (&self.stage, &self.incoming) {
            (Stage::Handshaking, _) => false,
            (Stage::Collecting(collecting), _) if collecting.waits_for_disk => false,
            (Stage::Head | Stage::Collecting(_) | Stage::Lingering, _) => true,
            #[cfg(feature = "websocket")]
            (Stage::Socket(socket), _) => {
                socket.has_room() && self.recv.unread().len() < AHEAD_BYTES
            }
            (_, Incoming::Streaming(inbox)) => inbox.has_room() && !self.exchange.wants_continue(),
            (_, Incoming::Discarding(_)) => true,
            (_, Incoming::Over) => self.recv.unread().len() < AHEAD_BYTES,
        }
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.since = now;
    }

    /// The client's address. An IPv4 address in IPv6 form becomes an IPv4 address.
    pub(super) fn ip(&self) -> IpAddr {
        self.client.peer_addr().ip().to_canonical()
    }
}
