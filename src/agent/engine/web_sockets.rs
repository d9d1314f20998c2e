//! Open WebSockets: bytes between the link and the machine, messages to the caller.

use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use super::step::Step;
use crate::agent::event::Event;
use crate::agent::id::RequestId;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::timers::Timer;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::response_state::ResponseState;
use crate::agent::transfer::state::State;
use crate::agent::web_socket::cost;
use crate::agent::web_socket::{End, OpenSocket};
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::ResponseHead;
use crate::semantics::websocket::{WebSocketEvent, WebSocketMachine, WebSocketMessage};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::LinkRead;
use crate::transport::meter::BudgetMeter;

/// Bytes of messages that the caller has not pulled, beyond which nothing more is read.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

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
        recv.append(self.reactor.pool(), |room| {
            room.extend_from_slice(&leftover[taken..]);
        });
        let socket = Box::new(OpenSocket {
            link,
            recv,
            machine,
            end: End::Open,
            armed: None,
        });
        self.events.push(Event::WebSocketOpen {
            id: transfer.id,
            head: (*head).clone(),
            subprotocol,
        });
        let response = ResponseState {
            timings,
            connection,
            ..ResponseState::new(head, NextAction::Deliver)
        };
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
        let is_finished = socket.machine.is_finished() || socket.end == End::Received;
        match moved {
            Err(error) => return self.fail_on(transfer, key, error),
            Ok(_) if is_finished => return self.finish(transfer),
            Ok(_) => {}
        }
        if meter.exhausted() {
            self.run_queue.schedule(key);
        }
        Step {
            moved: moved.unwrap_or(false),
            is_over: false,
        }
    }

    fn move_frames(
        &mut self,
        id: RequestId,
        socket: &mut OpenSocket,
        unread: &mut usize,
        paused: bool,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        let mut moved = false;
        loop {
            moved |= self.take_events(id, socket, unread, active_now)?;
            let mut progressed = self.write_frames(socket, active_now, meter)?;
            let taken = socket.machine.receive(socket.recv.unread(), active_now);
            socket.recv.consume(taken, self.reactor.pool());
            progressed |= taken > 0;
            let has_room = *unread < WINDOW_BYTES && !paused;
            if socket.recv.is_empty() && has_room && socket.end == End::Open && !meter.exhausted() {
                match socket
                    .link
                    .read(&mut self.reactor, meter, &mut socket.recv)?
                {
                    LinkRead::Data(_) => progressed = true,
                    LinkRead::Blocked => {}
                    LinkRead::Closed | LinkRead::Truncated => {
                        socket.end = End::Received;
                        socket.machine.receive_eof();
                        progressed = true;
                    }
                }
            }
            if !progressed {
                break;
            }
            moved = true;
        }
        socket.machine.handle_timeout(active_now);
        moved |= self.take_events(id, socket, unread, active_now)?;
        moved |= self.write_frames(socket, active_now, meter)?;
        Ok(moved)
    }

    fn take_events(
        &mut self,
        id: RequestId,
        socket: &mut OpenSocket,
        unread: &mut usize,
        active_now: Instant,
    ) -> Result<bool, Error> {
        let mut any = false;
        while *unread < WINDOW_BYTES {
            let next = socket.machine.next_event(active_now);
            let Some(event) = next.map_err(ErrorKind::WebSocket)? else {
                break;
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
        Ok(any)
    }

    fn write_frames(
        &mut self,
        socket: &mut OpenSocket,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        let mut any = false;
        loop {
            let out = socket.machine.poll_transmit();
            if out.is_empty() {
                socket.link.flush(&mut self.reactor, meter)?;
                return Ok(any);
            }
            let count = socket.link.write(&mut self.reactor, meter, out)?;
            if count == 0 {
                return Ok(any);
            }
            any = true;
            socket.machine.transmitted(count, active_now);
        }
    }

    pub(crate) fn send_message(
        &mut self,
        id: RequestId,
        message: &WebSocketMessage,
    ) -> Result<(), Error> {
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
            }
            Ok::<_, Error>(transfer.connection())
        });
        if let Some(key) = closed.transpose()?.flatten() {
            self.run_queue.schedule(key);
        }
        Ok(())
    }
}
