//! Open WebSockets: bytes between the link and the machine, messages to the caller.

use std::sync::Arc;

use super::Engine;
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::id::RequestId;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::ResponseState;
use crate::agent::transfer::state::State;
use crate::agent::web_socket::{End, OpenSocket, Outcome, cost};
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::ResponseHead;
use crate::semantics::websocket::{
    CloseFrame, WebSocketEvent, WebSocketMachine, WebSocketMessage, close_code,
};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::LinkRead;
use crate::transport::meter::{BudgetMeter, RemainingBudget};

/// Bytes of messages that the caller has not pulled, beyond which nothing more is read.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// So many reads come before a write: if the peer has closed, the write causes a reset, and with a reset Windows
/// discards what was not read. More would let a peer that sends without end keep frames from being written. A poll
/// whose budget was spent by a read counts as all of them.
const READS_BEFORE_WRITE: u8 = 16;

/// Reads of what a peer has sent that broke the protocol.
const DISCARDED_READS: usize = 16;

impl Engine {
    /// The server switched to WebSocket: the stream carries frames from here on.
    pub(super) fn open_web_socket(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        head: Arc<ResponseHead>,
    ) -> Result<Step, Error> {
        let active_now = self.active_time();
        let Output::WebSocket(options) = &transfer.request.output else {
            return Err(Error::internal("a handshake that was not asked for"));
        };
        let subprotocol = options
            .handshake()?
            .verify(&head)
            .map_err(ErrorKind::WebSocket)?
            .map(str::to_owned);
        let mut machine = WebSocketMachine::client(options.limits().clone(), active_now);
        let close_frame = options.close_frame.clone();
        let Some(pooled) = self.pool.get_mut(key) else {
            return Err(Error::internal("a handshake without its connection"));
        };
        let timings = transfer.timings(&pooled.connection);
        let connection = Some(transfer.connection_info(&pooled.connection));
        let Some((link, leftover)) = pooled.connection.take_switched(&mut self.reactor) else {
            return Err(Error::internal("a switch without its stream"));
        };
        let mut recv = RecvBuffer::default();
        let taken = machine.receive(&leftover, active_now);
        recv.append(&leftover[taken..], self.reactor.pool());
        if let Some(CloseFrame { code, reason }) = close_frame {
            // The code was checked when the caller gave it.
            let _ = machine.close(code, &reason, active_now);
        }
        let socket = Box::new(OpenSocket::new(link, recv, machine));
        self.events.push(Event::WebSocketOpen {
            id: transfer.id,
            head: (*head).clone(),
            subprotocol,
        });
        let mut response = ResponseState::new(head, NextAction::Deliver);
        response.result.timings = timings;
        response.result.connection = connection;
        transfer.state = State::WebSocket {
            connection: key,
            response,
            socket,
        };
        self.run_queue.schedule(key);
        Ok(Step::MOVED)
    }

    /// Moves bytes and messages as far as possible.
    pub(super) fn run_web_socket(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Step {
        let id = transfer.id;
        let paused = transfer.paused;
        let State::WebSocket { socket, .. } = &mut transfer.state else {
            return Step::WAITS;
        };
        let unread = &mut transfer.delivery.unread_bytes;
        let moved = self.move_frames(id, socket, unread, paused, active_now, meter);
        let due = socket.machine.due();
        if let Some(at) = due
            && socket
                .armed
                .is_none_or(|armed| at < armed || armed <= active_now)
        {
            socket.armed = Some(at);
            self.timers.set(at, Timer::Request(id));
        }
        match socket.outcome() {
            None => {}
            Some(Outcome::Closed) => return self.finish(transfer),
            Some(Outcome::Failed(error)) => {
                self.discard_unread(socket, meter);
                return self.fail_on(transfer, key, error);
            }
        }
        if meter.exhausted() {
            self.run_queue.schedule(key);
        }
        Step {
            moved,
            is_over: false,
        }
    }

    /// Delivers what arrived before it notices an error of the stream, and reads before it writes.
    fn move_frames(
        &mut self,
        id: RequestId,
        socket: &mut OpenSocket,
        unread: &mut usize,
        paused: bool,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let mut moved = false;
        loop {
            let mut progressed = self.take_events(id, socket, unread, active_now);
            let taken = socket.machine.receive(socket.recv.unread(), active_now);
            socket.recv.consume(taken, self.reactor.pool());
            progressed |= taken > 0;
            let may_read = *unread < WINDOW_BYTES && !paused;
            let must_write = socket.reads >= READS_BEFORE_WRITE;
            if may_read && !must_write && self.read_frames(socket, meter) {
                socket.reads += 1;
                moved = true;
                continue;
            }
            if meter.exhausted() {
                // The next poll writes first.
                socket.reads = READS_BEFORE_WRITE;
                moved |= progressed;
                break;
            }
            progressed |= self.write_frames(socket, active_now, meter) || may_read && must_write;
            socket.reads = 0;
            if !progressed {
                break;
            }
            moved = true;
            meter.note_work();
            if meter.exhausted() {
                // A deadline that has passed is judged when everything that arrived was looked at.
                return true;
            }
        }
        socket.machine.handle_timeout(active_now);
        moved |= self.take_events(id, socket, unread, active_now);
        if !meter.exhausted() {
            moved |= self.write_frames(socket, active_now, meter);
        }
        moved
    }

    fn take_events(
        &mut self,
        id: RequestId,
        socket: &mut OpenSocket,
        unread: &mut usize,
        active_now: Instant,
    ) -> bool {
        let mut any = false;
        while *unread < WINDOW_BYTES && socket.fault.is_none() {
            let event = match socket.machine.next_event(active_now) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(fault) => {
                    socket.fail(fault);
                    return true;
                }
            };
            any = true;
            self.events.push(match event {
                WebSocketEvent::Message(message) => {
                    *unread += cost(&message);
                    Event::WebSocketMessage { id, message }
                }
                WebSocketEvent::Closed(frame) => Event::WebSocketClosed { id, frame },
            });
        }
        any
    }

    fn write_frames(
        &mut self,
        socket: &mut OpenSocket,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let mut any = false;
        loop {
            if socket.write_error.is_some() {
                socket.machine.discard_outgoing();
                return any;
            }
            let out = socket.machine.poll_transmit();
            let written = if out.is_empty() {
                socket.link.flush(&mut self.reactor, meter).map(|_| 0)
            } else {
                socket.link.write(&mut self.reactor, meter, out)
            };
            match written {
                Ok(0) => return any,
                Ok(count) => {
                    any = true;
                    socket.machine.transmitted(count, active_now);
                }
                Err(error) => socket.end_sending(error),
            }
        }
    }

    /// Reads the next frames, once those before are with the machine.
    fn read_frames(&mut self, socket: &mut OpenSocket, meter: &mut BudgetMeter) -> bool {
        if !socket.recv.is_empty() || !matches!(socket.end, End::Open) || meter.exhausted() {
            return false;
        }
        let read = socket.link.read(&mut self.reactor, meter, &mut socket.recv);
        let end = match read {
            Ok(LinkRead::Data(_)) => return true,
            // After a failed write, too: the stream becomes readable when the system notices its end.
            Ok(LinkRead::Blocked) => return false,
            Ok(LinkRead::Closed | LinkRead::Truncated) => match &socket.write_error {
                Some(error) => End::Broken(error.clone()),
                None => End::Received,
            },
            Err(error) => End::Broken(error),
        };
        socket.end_stream(end);
        true
    }

    /// Takes what the peer has sent off the socket, so that closing it does not reset the connection before
    /// the peer has read our close frame.
    fn discard_unread(&mut self, socket: &mut OpenSocket, meter: &mut BudgetMeter) {
        for _ in 0..DISCARDED_READS {
            let count = socket.recv.unread().len();
            socket.recv.consume(count, self.reactor.pool());
            let read = socket.link.read(&mut self.reactor, meter, &mut socket.recv);
            if !matches!(read, Ok(LinkRead::Data(_))) {
                return;
            }
        }
    }

    /// Tells the peer of an open WebSocket that this end goes away (RFC 6455 §7.4.1), after the messages that wait.
    /// What the socket does not take at once is lost: nothing waits for a connection that is about to close.
    pub(super) fn leave_web_socket(&mut self, transfer: &mut Transfer) {
        let State::WebSocket { socket, .. } = &mut transfer.state else {
            return;
        };
        let active_now = self.active_time();
        if !socket.machine.is_open()
            || socket
                .machine
                .close(close_code::GOING_AWAY, "", active_now)
                .is_err()
        {
            return;
        }
        let unlimited = RemainingBudget::unlimited();
        let mut meter = BudgetMeter::start(self.reactor.clock(), &unlimited);
        self.write_frames(socket, active_now, &mut meter);
        self.discard_unread(socket, &mut meter);
    }

    pub(crate) fn send_message(
        &mut self,
        id: RequestId,
        message: &WebSocketMessage,
    ) -> Result<(), Error> {
        self.idle = None;
        let active_now = self.active_time();
        let sent = self.transfers.update(id, |transfer| {
            let State::WebSocket { socket, .. } = &mut transfer.state else {
                return Err(ErrorKind::Refused(RequestRefused::NoWebSocket).into());
            };
            let sent = socket.machine.send(message, active_now);
            sent.map_err(ErrorKind::WebSocket)?;
            Ok::<_, Error>(transfer.connection())
        });
        let Some(sent) = sent else {
            return Err(ErrorKind::Refused(RequestRefused::NoWebSocket).into());
        };
        if let Some(key) = sent? {
            self.run_queue.schedule(key);
        }
        Ok(())
    }

    pub(crate) fn close_web_socket(
        &mut self,
        id: RequestId,
        code: u16,
        reason: &str,
    ) -> Result<(), Error> {
        self.admit_by_id(id);
        let active_now = self.active_time();
        let closed = self.transfers.update(id, |transfer| {
            if let State::WebSocket { socket, .. } = &mut transfer.state {
                let closed = socket.machine.close(code, reason, active_now);
                closed.map_err(ErrorKind::WebSocket)?;
            } else if let Output::WebSocket(options) = &mut transfer.request.output {
                let reason = reason.to_owned();
                let close_frame = CloseFrame { code, reason };
                close_frame.check().map_err(ErrorKind::WebSocket)?;
                options.close_frame.get_or_insert(close_frame);
            }
            Ok::<_, Error>(transfer.connection())
        });
        if let Some(key) = closed.transpose()?.flatten() {
            self.run_queue.schedule(key);
        }
        Ok(())
    }
}
