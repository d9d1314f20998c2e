//! Shuts down a server: at once, or gracefully, which takes several polls.

use std::net::TcpListener;
use std::time::Duration;

use super::Server;
use crate::clock::Instant;

/// A graceful shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// When connections that are still open are cut.
    pub(super) deadline: Option<Instant>,
}

impl Server {
    /// Starts a graceful shutdown. The server accepts no more connections, closes idle ones, and makes each
    /// response from now on the last of its connection. Continue to poll until [`is_closed`](Self::is_closed).
    /// Connections that are still open after `timeout` are closed.
    pub fn shutdown(&mut self, timeout: Duration) {
        let now = self.reactor.active_time(self.reactor.clock().now());
        self.app.draining = true;
        if let Some(listener) = self.listener.take() {
            listener.close(&mut self.reactor);
        }
        // A time that the clock cannot represent is never reached.
        let deadline = now.checked_add(timeout);
        self.shutdown = Some(Shutdown { deadline });
        self.close_idle();
        // WebSockets and event streams do not end by themselves: each gets a turn in which it is ended.
        for slot in self.connections.slots() {
            self.connections.enqueue(slot);
        }
    }

    /// Stops listening and returns the listener, to be given to another server by
    /// [`ServerBuilder::from_listener`](super::ServerBuilder::from_listener), for example after the code
    /// was reloaded. The address stays bound, and the other server accepts the clients that wait. Connections
    /// that are open stay with this server: end them with [`shutdown`](Self::shutdown).
    ///
    /// `None` when it is not listening, or on an in-memory network.
    pub fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()?.into_std(&mut self.reactor)
    }

    /// Closes everything now: the listener and all connections. Responders, streams and topics that the program
    /// still holds see that they are closed; `on_disconnect` hooks run.
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

    /// Whether everything is closed.
    pub fn is_closed(&self) -> bool {
        self.listener.is_none() && self.connections.open() == 0
    }

    /// Closes the connections that have nothing under way.
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
        if shutdown.deadline.is_some_and(|at| at <= active_now) {
            self.close_now();
            return true;
        }
        false
    }
}
