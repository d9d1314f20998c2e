//! The end of an exchange, of a deadline, and of the connection.

use http::StatusCode;

use super::state::{Current, Incoming, Pace, Source, Stage};
use super::{Connection, Context, Step};
use crate::clock::Instant;
use crate::proto::{CloseReason, Persistence};
use crate::server::app::App;
use crate::server::fault::{ServerFault, TimeoutKind};
use crate::server::hooks::Sent;
use crate::transport::reactor::Reactor;

impl Connection {
    /// The response has been sent: decides what comes next.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) -> Step {
        let complete = matches!(self.stage, Stage::Responding(Source::Done));
        let is_rest_wanted = match &self.incoming {
            Incoming::Over => false,
            // The handler is still reading the request's content.
            Incoming::Streaming(inbox) => !inbox.is_dropped(),
            // The rest of the request is short: once it has arrived, the connection can be used again.
            Incoming::Discarding(_) => {
                self.exchange.persistence() == Persistence::Close(CloseReason::UnreadContent)
            }
        };
        if complete && is_rest_wanted && !self.input_over {
            return match self.read(cx) {
                Ok(step) => step,
                Err(_) => Step::Over,
            };
        }
        self.note_sent(complete, cx.app, cx.now);
        if !complete {
            return Step::Over;
        }
        match self.exchange.persistence() {
            Persistence::Reuse if !cx.app.draining && self.exchange.next_cycle().is_ok() => {
                self.cut_content();
                self.current = Current::default();
                self.reading = Pace::start(cx.now);
                self.enter(Stage::Head, cx.now);
                Step::Moved
            }
            _ => self.begin_closing(self.exchange.remote_done(), cx),
        }
    }

    /// Closes at once if the client has nothing under way: it has sent everything, and nothing behind it. Otherwise
    /// it ends the server's side and waits for the client to end its own: closing with unread bytes causes a reset,
    /// which may overtake the response (RFC 9112 §9.6).
    pub(super) fn begin_closing(&mut self, is_all_sent: bool, cx: &mut Context<'_>) -> Step {
        let is_quiet = is_all_sent && self.recv.is_empty() && !self.link.is_readable(cx.reactor);
        if self.input_over || is_quiet {
            return Step::Over;
        }
        self.cut_content();
        self.link.shutdown_write(cx.reactor);
        self.enter(Stage::Lingering, cx.now);
        Step::Moved
    }

    /// Reports that the response under way, if there is one, is over.
    pub(in crate::server) fn note_sent(&mut self, complete: bool, app: &mut App, now: Instant) {
        let Some(status) = self.current.status.take() else {
            return;
        };
        if !app.wants_sent() {
            return;
        }
        let current = std::mem::take(&mut self.current);
        let took = current.started.map_or_else(Default::default, |started| {
            now.saturating_duration_since(started)
        });
        app.sent(Sent {
            client: self.client,
            ip: current.ip.unwrap_or(self.client.peer_addr().ip()),
            method: current.method,
            path: current.path,
            version: current.version,
            agent: current.agent,
            status,
            bytes: current.sent,
            took,
            complete,
        });
    }

    /// Handles a deadline that has passed. Returns whether this closes the connection.
    pub(in crate::server) fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        if let Stage::Responding(Source::Pipe(pipe)) = &self.stage
            && !self.is_sending()
            && let Some(beat) = pipe.beat()
        {
            let beat = beat.bytes.clone();
            self.send_piece(&beat, cx);
            return false;
        }
        #[cfg(feature = "websocket")]
        if !self.is_sending()
            && let Stage::Socket(socket) = &mut self.stage
        {
            socket.handle_timeout(cx.now);
            return false;
        }
        if matches!(&self.stage, Stage::Responding(Source::File(_))) && !self.is_sending() {
            let late = ServerFault::TimedOut(TimeoutKind::Disk);
            cx.app.report(&late, Some(&self.client));
            self.note_sent(false, cx.app, cx.now);
            return true;
        }
        if let Stage::Waiting(slot) = &self.stage
            && matches!(self.incoming, Incoming::Over)
            && let Some(response) = slot.take_timeout_response()
        {
            slot.close();
            self.respond(*response, cx);
            return false;
        }
        let slowness = match &self.stage {
            Stage::Handshaking => TimeoutKind::Handshake,
            Stage::Head if self.has_begun() => TimeoutKind::Head,
            Stage::Head | Stage::Lingering => return true,
            Stage::Collecting(collecting) if collecting.waits_for_disk => TimeoutKind::Disk,
            Stage::Collecting(_) => TimeoutKind::Content,
            Stage::Storing(_) => TimeoutKind::Disk,
            Stage::Ready(_) => return false,
            Stage::Locating(_) => TimeoutKind::Disk,
            Stage::Waiting(_) => match &self.incoming {
                Incoming::Streaming(inbox) if inbox.has_room() => TimeoutKind::Content,
                _ => TimeoutKind::Answer,
            },
            Stage::Responding(_) if self.is_sending() => TimeoutKind::Reading,
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => TimeoutKind::Reading,
            Stage::Responding(_) => TimeoutKind::Content,
        };
        cx.app
            .report(&ServerFault::TimedOut(slowness), Some(&self.client));
        match slowness {
            TimeoutKind::Handshake | TimeoutKind::Reading => {
                self.note_sent(false, cx.app, cx.now);
                true
            }
            TimeoutKind::Head => {
                self.respond_plainly(StatusCode::REQUEST_TIMEOUT, cx);
                false
            }
            TimeoutKind::Content => {
                let is_answered = matches!(self.stage, Stage::Responding(_));
                if let Stage::Waiting(slot) = &self.stage {
                    slot.close();
                }
                self.cut_content();
                if !is_answered {
                    self.respond_plainly(StatusCode::REQUEST_TIMEOUT, cx);
                }
                false
            }
            TimeoutKind::Answer | TimeoutKind::Disk => {
                if let Stage::Waiting(slot) = &self.stage {
                    slot.close();
                }
                self.respond_plainly(StatusCode::GATEWAY_TIMEOUT, cx);
                false
            }
        }
    }

    /// Closes the socket and everything that depends on it: responders, streams and WebSockets.
    pub(in crate::server) fn close(mut self, reactor: &mut Reactor) {
        match &self.stage {
            Stage::Waiting(slot) => slot.close(),
            Stage::Responding(Source::Pipe(pipe)) => pipe.close(),
            #[cfg(feature = "websocket")]
            Stage::Socket(socket) => socket.report_end(),
            _ => {}
        }
        self.cut_content();
        let pool = reactor.pool().clone();
        self.recv.clear(&pool);
        self.link.close(reactor);
    }
}
