//! One in-memory connection: its two ends, what is on its way between them, and how it breaks.
//!
//! A write puts bytes in flight; [`deliver`](Connection::deliver) lets those arrive whose time has
//! come. An arrival reports one readiness event to the reactor of its end, as epoll does on an edge,
//! or makes the function due that serves the connection. Where each event is reported once, a read or write
//! that fails with `WouldBlock` permits the next.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::clock::later;
use super::fault::{Break, FaultTrigger};
use super::peer::{Peer, Sent, Serve};
use super::readiness::{Armed, Interest, Readiness, Ready};
use super::served::Served;
use super::side::Side;
use crate::clock::Instant;

/// How far a connection is with being established.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// The handshake is completed or refused at this time; `None` is a black hole.
    Connecting {
        at: Option<Instant>,
        is_refused: bool,
    },
    Open,
    Refused,
}

pub(super) struct Connection {
    address: Option<SocketAddr>,
    stage: Stage,
    client: End,
    server: End,
    served: Option<Served>,
    trigger: Option<FaultTrigger>,
    /// Nothing arrives any more.
    is_silent: bool,
}

/// What one side can read, and what is on its way to it.
#[derive(Default)]
struct End {
    arrived: VecDeque<u8>,
    in_flight: VecDeque<(Instant, Sent)>,
    bytes_in_flight: usize,
    fin: bool,
    reset: bool,
    capacity: usize,
    /// A write to this end found it full and waits for space.
    is_awaited: bool,
    interest: Option<Interest>,
    armed: Armed,
    dropped: bool,
}

impl End {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    fn free_space(&self) -> usize {
        let used = self.arrived.len() + self.bytes_in_flight;
        self.capacity.saturating_sub(used)
    }

    fn put_in_flight(&mut self, at: Instant, what: Sent) {
        if let Sent::Bytes(bytes) = &what {
            self.bytes_in_flight += bytes.len();
        }
        self.in_flight.push_back((at, what));
    }

    fn clear_in_flight(&mut self) {
        self.in_flight.clear();
        self.bytes_in_flight = 0;
    }

    fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.front().map(|(at, _)| *at)
    }
}

impl Connection {
    /// A connection whose server end exists only once it is established.
    pub(super) fn connecting(
        address: SocketAddr,
        at: Option<Instant>,
        is_refused: bool,
        trigger: Option<FaultTrigger>,
        capacity: usize,
    ) -> Self {
        let mut connection = Self::new(Stage::Connecting { at, is_refused }, capacity);
        connection.address = Some(address);
        connection.server.dropped = true;
        connection.trigger = trigger;
        connection
    }

    /// An established connection without an address.
    pub(super) fn pair(capacity: usize) -> Self {
        Self::new(Stage::Open, capacity)
    }

    fn new(stage: Stage, capacity: usize) -> Self {
        Self {
            address: None,
            stage,
            client: End::with_capacity(capacity),
            server: End::with_capacity(capacity),
            served: None,
            trigger: None,
            is_silent: false,
        }
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The handshake is over, and this function serves the connection.
    pub(super) fn open_served(&mut self, serve: Serve) {
        self.stage = Stage::Open;
        self.served = Some(Served::new(serve));
        self.server.dropped = false;
    }

    /// The handshake is over, and a listener has the connection.
    pub(super) fn open_listened(&mut self) {
        self.stage = Stage::Open;
        self.server.dropped = false;
    }

    pub(super) fn refuse(&mut self) {
        self.stage = Stage::Refused;
    }

    /// Reports the end of the handshake to the client; breaks the connection if its fault is due at
    /// once.
    pub(super) fn report_connected(&mut self, now: Instant, readiness: &mut Readiness) {
        self.report(Side::Client, false, true, readiness);
        if self.is_open() && self.trigger.as_ref().is_some_and(FaultTrigger::is_due) {
            self.break_now(now);
        }
    }

    pub(super) fn register(&mut self, side: Side, interest: Interest, readiness: &mut Readiness) {
        let is_open = self.is_open();
        let end = self.end(side);
        end.interest = Some(interest);
        end.armed = Armed::default();
        if !is_open {
            return;
        }
        if !readiness.is_like_windows() {
            self.report(side, true, true, readiness);
            return;
        }
        // Where each event is reported once, an event for nothing would use it up.
        let is_readable = !end.arrived.is_empty();
        let far = self.end(side.other());
        let is_writable = far.dropped || far.free_space() > 0;
        far.is_awaited |= !is_writable;
        self.report(side, is_readable, is_writable, readiness);
    }

    /// Whether bytes have arrived that this side did not read yet.
    #[cfg(feature = "server")]
    pub(super) fn has_input(&self, side: Side) -> bool {
        let end = match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        };
        !end.arrived.is_empty()
    }

    /// Reads at most `limit` bytes.
    pub(super) fn read(
        &mut self,
        side: Side,
        dst: &mut [u8],
        limit: usize,
        readiness: &mut Readiness,
    ) -> io::Result<usize> {
        if !self.is_open() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let end = self.end(side);
        let count = end.arrived.len().min(dst.len()).min(limit);
        if count == 0 {
            return if dst.is_empty() || end.fin && !end.reset {
                Ok(0)
            } else if end.reset {
                Err(io::ErrorKind::ConnectionReset.into())
            } else {
                end.armed.readable = true;
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        for (slot, byte) in dst.iter_mut().zip(end.arrived.drain(..count)) {
            *slot = byte;
        }
        self.report_space(side, readiness);
        Ok(count)
    }

    /// Writes at most `limit` bytes, which arrive at `now + latency`.
    pub(super) fn write(
        &mut self,
        side: Side,
        src: &[u8],
        limit: usize,
        now: Instant,
        latency: Duration,
    ) -> io::Result<usize> {
        if !self.is_open() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if self.end(side).reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let at = now + latency;
        let far = self.end(side.other());
        if far.dropped {
            // The kernel takes the bytes; the other side's reset comes back.
            self.end(side).put_in_flight(at + latency, Sent::Reset);
            return Ok(src.len());
        }
        let count = src.len().min(far.free_space()).min(limit);
        if count == 0 && !src.is_empty() {
            far.is_awaited = true;
            self.end(side).armed.writable = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        far.put_in_flight(at, Sent::Bytes(src[..count].to_vec()));
        Ok(count)
    }

    /// Puts something in flight from `side`. It arrives after the latency and the pause, and never
    /// before what was sent earlier.
    pub(super) fn send(
        &mut self,
        side: Side,
        now: Instant,
        latency: Duration,
        pause: Duration,
        what: Sent,
    ) {
        let far = self.end(side.other());
        let earliest = far.in_flight.back().map_or(now, |(at, _)| *at);
        let at = later(later(now, latency), pause).max(earliest);
        far.put_in_flight(at, what);
    }

    /// Drops one end. If something is left unread, the other side sees a reset, as with TCP (RFC 1122
    /// §4.2.2.13). Returns whether the connection is over: nobody is left on the other side.
    pub(super) fn drop_end(
        &mut self,
        side: Side,
        now: Instant,
        latency: Duration,
        readiness: &mut Readiness,
    ) -> bool {
        let end = self.end(side);
        end.dropped = true;
        end.interest = None;
        let is_data_lost = !std::mem::take(&mut end.arrived).is_empty();
        if self.end(side.other()).dropped && self.served.is_none() {
            return true;
        }
        let last = if is_data_lost { Sent::Reset } else { Sent::Fin };
        self.send(side, now, latency, Duration::ZERO, last);
        // A writer that waits for space learns by its next write that nobody reads any more.
        self.report_space(side, readiness);
        false
    }

    /// Lets everything arrive whose time has come.
    pub(super) fn deliver(&mut self, now: Instant, latency: Duration, readiness: &mut Readiness) {
        for side in [Side::Client, Side::Server] {
            if self.deliver_to(side, now, readiness) {
                self.send(side, now, latency, Duration::ZERO, Sent::Reset);
            }
        }
        if let Some(served) = &mut self.served {
            served.check_wakes(now);
        }
    }

    /// Returns whether bytes arrived at an end that was dropped.
    fn deliver_to(&mut self, side: Side, now: Instant, readiness: &mut Readiness) -> bool {
        let mut has_arrivals = false;
        let mut is_data_lost = false;
        let mut breaks = false;
        let end = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        while !breaks
            && let Some(at) = end.next_arrival()
            && at <= now
            && let Some((_, what)) = end.in_flight.pop_front()
        {
            if self.is_silent {
                // The bytes stay counted as in flight: a sender does not learn of free space either.
                continue;
            }
            has_arrivals = true;
            match what {
                Sent::Bytes(mut bytes) => {
                    end.bytes_in_flight = end.bytes_in_flight.saturating_sub(bytes.len());
                    breaks = self
                        .trigger
                        .as_mut()
                        .is_some_and(|trigger| trigger.count(side, &mut bytes));
                    if end.dropped {
                        is_data_lost = true;
                    } else {
                        end.arrived.extend(bytes);
                    }
                }
                Sent::Fin => end.fin = true,
                Sent::Reset => {
                    end.reset = true;
                    if readiness.is_like_windows() {
                        end.arrived.clear();
                    }
                }
            }
        }
        if has_arrivals {
            match &mut self.served {
                Some(served) if side == Side::Server => served.notify(),
                _ => self.report(side, true, false, readiness),
            }
        }
        if breaks {
            self.break_now(now);
            // Both ends learn of it now, whichever of them received first.
            self.deliver_to(side, now, readiness);
            self.deliver_to(side.other(), now, readiness);
        }
        is_data_lost
    }

    /// What has arrived stays; everything that is on its way is lost.
    fn break_now(&mut self, now: Instant) {
        let Some(trigger) = self.trigger.take() else {
            return;
        };
        match trigger.how() {
            Break::Silence => self.is_silent = true,
            Break::Reset => {
                for end in [&mut self.client, &mut self.server] {
                    end.clear_in_flight();
                    end.put_in_flight(now, Sent::Reset);
                }
            }
        }
    }

    /// Tells the writer on the other side that there is space again, if it waits for it.
    fn report_space(&mut self, side: Side, readiness: &mut Readiness) {
        if std::mem::take(&mut self.end(side).is_awaited) {
            self.report(side.other(), false, true, readiness);
        }
    }

    fn report(&mut self, side: Side, readable: bool, writable: bool, readiness: &mut Readiness) {
        let is_refused = matches!(self.stage, Stage::Refused);
        let end = self.end(side);
        let closed = end.fin || end.reset || is_refused;
        let ready = Ready {
            readable: readable || closed,
            writable: writable || end.reset || is_refused,
            closed,
        };
        readiness.report_armed(end.interest, &mut end.armed, ready);
    }

    /// The function that serves the connection, if it is to be called now.
    pub(super) fn take_due_serve(&mut self) -> Option<Serve> {
        self.served.as_mut()?.take_due()
    }

    /// What the function is called with.
    pub(super) fn begin_call(&mut self, now: Instant, readiness: &mut Readiness) -> Option<Peer> {
        let served = self.served.as_mut()?;
        let closed = self.server.fin || self.server.reset;
        let peer = served.begin_call(self.server.arrived.drain(..), closed, now);
        self.report_space(Side::Server, readiness);
        Some(peer)
    }

    /// The function returned: puts in flight what it sends.
    pub(super) fn end_call(&mut self, serve: Serve, peer: Peer, now: Instant, latency: Duration) {
        let Some(served) = &mut self.served else {
            return;
        };
        for (pause, what) in served.end_call(serve, peer) {
            self.send(Side::Server, now, latency, pause, what);
        }
    }

    /// Whether the client's end is gone.
    pub(super) fn is_client_dropped(&self) -> bool {
        self.client.dropped
    }

    /// When the next thing happens on this connection by itself.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let connecting = match self.stage {
            Stage::Connecting { at, .. } => at,
            Stage::Open | Stage::Refused => None,
        };
        let waking = self.served.as_ref().and_then(|it| it.next_wake(now));
        [
            connecting,
            self.client.next_arrival(),
            self.server.next_arrival(),
            waking,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
