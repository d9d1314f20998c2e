//! Shutdown a server: at once, or gracefully, which takes polls.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::Server;

/// A graceful shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// When what is still open is cut.
    pub(super) deadline: Instant,
}

impl Server {
    /// Begins a graceful shutdown: no connection is accepted any more, idle connections are closed, and
    /// each response from now on is the last of its connection. Go on polling until
    /// [`is_closed`](Self::is_closed); what is still open after `timeout` is closed then.
    pub fn shutdown(&mut self, timeout: Duration) {
        let now = self.reactor.active_time(self.reactor.clock().now());
        self.app.draining = true;
        if let Some(listener) = self.listener.take() {
            listener.close(&mut self.reactor);
        }
        let deadline = now.checked_add(timeout).unwrap_or(now);
        self.shutdown = Some(Shutdown { deadline });
        self.close_idle();
        // WebSockets and event streams do not end by themselves: each gets a turn and is ended.
        for slot in self.connections.slots() {
            self.connections.enqueue(slot);
        }
    }

    /// Stops listening and hands the listener out, to be given to another server by
    /// [`ServerBuilder::from_listener`](super::ServerBuilder::from_listener), for example after the code
    /// was loaded again. The address stays taken, and clients that wait to be accepted are accepted by
    /// the other server. Connections that are open stay with this server: end them with
    /// [`shutdown`](Self::shutdown).
    ///
    /// `None` when it is not listening, or on an in-memory network.
    pub fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()?.into_std(&mut self.reactor)
    }

    /// Closes everything now: the listener and all connections. Responders, streams and topics that
    /// are still held see that it is closed; `on_disconnect` hooks run.
    pub fn close_now(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.close(&mut self.reactor);
        }
        self.shutdown = None;
        self.app.pulled.clear();
        let now = self.reactor.active_time(self.reactor.clock().now());
        for slot in self.connections.slots() {
            if let Some(mut connection) = self.connections.take(slot) {
                connection.note_sent(false, &mut self.app, now);
                self.close(connection);
            }
        }
    }

    /// Whether nothing is open any more.
    pub fn is_closed(&self) -> bool {
        self.listener.is_none() && self.connections.open() == 0
    }

    /// Closes what has nothing under way.
    fn close_idle(&mut self) {
        let idle: Vec<usize> = self
            .connections
            .iter()
            .filter(|connection| connection.is_idle())
            .map(|connection| connection.id.slot)
            .collect();
        for slot in idle {
            if let Some(connection) = self.connections.take(slot) {
                self.close(connection);
            }
        }
    }

    pub(super) fn advance_shutdown(&mut self, active_now: Instant) -> bool {
        let Some(shutdown) = &self.shutdown else {
            return false;
        };
        if self.connections.open() == 0 {
            self.shutdown = None;
            return true;
        }
        if shutdown.deadline <= active_now {
            self.close_now();
            return true;
        }
        false
    }
}
