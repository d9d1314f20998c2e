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
use crate::agent::transfer::response_state::{Answer, Sink, Then};
use crate::agent::web_socket::cost;
use crate::agent::web_socket::{End, OpenSocket};
use crate::error::{Error, ErrorKind, Misuse, RequestRefused};
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::websocket::{WebSocketEvent, WebSocketMachine, WebSocketMessage};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::LinkRead;
use crate::transport::meter::BudgetMeter;

/// Bytes of messages that the caller has not pulled, beyond which nothing more is read.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

impl Engine {
    /// The server switched: from here on the stream carries frames.
    pub(super) fn open_web_socket(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        head: Arc<ResponseHead>,
        active_now: Instant,
    ) -> Result<Step, Error> {
        let Output::WebSocket(options) = &transfer.output else {
            return Err(Misuse::OutOfOrder.into());
        };
        let subprotocol = options
            .handshake()?
            .verify(&head)
            .map_err(ErrorKind::WebSocket)?
            .map(str::to_owned);
        let mut machine = WebSocketMachine::client(options.limits().clone(), active_now);
        let Some(pooled) = self.pool.get_mut(key) else {
            return Err(Misuse::NotConnected.into());
        };
        let timings = transfer.timings(&pooled.connection);
        let connection = Some(transfer.connection_info(&pooled.connection));
        let Some((link, leftover)) = pooled.connection.take_switched(&mut self.reactor) else {
            return Err(Misuse::OutOfOrder.into());
        };
        let mut recv = RecvBuffer::default();
        let taken = machine.receive(&leftover, active_now);
        recv.append(self.reactor.pool(), |room| {
            room.extend_from_slice(&leftover[taken..]);
        });
        transfer.socket = Some(Box::new(OpenSocket {
            link,
            recv,
            machine,
            end: End::Open,
            armed: None,
        }));
        self.events.push(Event::WebSocketOpen {
            id: transfer.id,
            head: (*head).clone(),
            subprotocol,
        });
        transfer.answer = Some(Answer {
            content_length: None,
            sink: Sink::Discard,
            then: Then::Deliver,
            decoder: None,
            undecoded: bytes::Bytes::new(),
            received: 0,
            decoded: 0,
            timings,
            connection,
            trailers: FieldLines::new(),
            from_cache: false,
            recorded: None,
            head,
        });
        self.run_queue.schedule(key);
        Ok(Step::MOVED)
    }

    /// Moves bytes and messages as far as they go.
    pub(super) fn run_web_socket(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Step {
        let Some(mut socket) = transfer.socket.take() else {
            return Step::WAITS;
        };
        let moved = self.move_frames(transfer, &mut socket, active_now, meter);
        let due = socket.machine.due();
        if let Some(at) = due
            && socket
                .armed
                .is_none_or(|armed| at < armed || armed <= active_now)
        {
            socket.armed = Some(at);
            self.timers.set(at, Timer::Request(transfer.id));
        }
        let is_finished = socket.machine.is_finished() || socket.end == End::Received;
        transfer.socket = Some(socket);
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
        transfer: &mut Transfer,
        socket: &mut OpenSocket,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        let mut moved = false;
        loop {
            moved |= self.take_events(transfer, socket, active_now)?;
            let mut progressed = self.write_frames(socket, active_now, meter)?;
            let taken = socket.machine.receive(socket.recv.unread(), active_now);
            socket.recv.consume(taken, self.reactor.pool());
            progressed |= taken > 0;
            let has_room = transfer.unread_bytes < WINDOW_BYTES && !transfer.paused;
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
        moved |= self.take_events(transfer, socket, active_now)?;
        moved |= self.write_frames(socket, active_now, meter)?;
        Ok(moved)
    }

    fn take_events(
        &mut self,
        transfer: &mut Transfer,
        socket: &mut OpenSocket,
        active_now: Instant,
    ) -> Result<bool, Error> {
        let mut any = false;
        while transfer.unread_bytes < WINDOW_BYTES {
            let next = socket.machine.next_event(active_now);
            let Some(event) = next.map_err(ErrorKind::WebSocket)? else {
                break;
            };
            any = true;
            let id = transfer.id;
            self.events.push(match event {
                WebSocketEvent::Message(message) => {
                    transfer.unread_bytes += cost(&message);
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
            let Some(socket) = &mut transfer.socket else {
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
            if let Some(socket) = &mut transfer.socket {
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
