//! Accepting connections, and which connection is closed for a new one when there are too many.
//!
//! A connection is idle when it has nothing under way and its socket holds no bytes. The socket is asked
//! after the connection has had its first turn: a request that has arrived but has not been read yet does
//! not count as idle. The same connection is closed when the system has no more sockets.

use std::net::IpAddr;
use std::time::Duration;

use super::Server;
use super::client::Client;
use super::connection::Connection;
use super::fault::ServerFault;
use super::wake_queue::ConnectionId;
use crate::clock::Instant;
use crate::transport::link::Link;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;
use crate::transport::socket::Socket;

/// How long the server stops accepting after the system ran out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections are accepted before those that are open get a turn, so that a flood of new clients does
/// not use up the budget of those before them.
const ACCEPTS_PER_TURN: usize = 8;

impl Server {
    /// Whether a client may be waiting and a connection may be added.
    pub(super) fn can_accept(&mut self, active_now: Instant) -> bool {
        let Some(listener) = &self.listener else {
            return false;
        };
        self.accept_again.is_none_or(|at| at <= active_now)
            && listener.is_ready(&mut self.reactor)
            && (self.connections.open() < self.app.limits.connections
                || self.longest_idle(None).is_some())
    }

    /// Accepts connections as long as there are clients, places and budget, but only a few in one turn.
    pub(super) fn accept(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut moved = false;
        let mut left = ACCEPTS_PER_TURN;
        let mut has_made_room = false;
        self.accepts_more = false;
        while self.accepts_left > 0 && self.can_accept(active_now) {
            if left == 0 {
                self.accepts_more = true;
                break;
            }
            left -= 1;
            let Some(listener) = &mut self.listener else {
                break;
            };
            let local = listener.address();
            let slot = self.connections.reserve();
            self.reactor.set_key(Key(slot));
            match listener.accept(&mut self.reactor) {
                Ok(Some((socket, peer))) => {
                    moved = true;
                    meter.note_work();
                    self.accepts_left -= 1;
                    let local = socket.local_address().unwrap_or(local);
                    let client = Client::new(self.next_number(), peer, local);
                    self.admit(socket, slot, client, active_now);
                }
                Ok(None) => {
                    self.connections.release(slot);
                    break;
                }
                Err(error) => {
                    self.connections.release(slot);
                    self.app.report(&ServerFault::Accept(error), None);
                    if !has_made_room && self.close_longest_idle(None) {
                        // Only one: the system also refuses when no client waits.
                        has_made_room = true;
                        continue;
                    }
                    self.accept_again = active_now.checked_add(ACCEPT_PAUSE);
                    break;
                }
            }
            if meter.exhausted() {
                break;
            }
        }
        moved
    }

    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Adds a connection, in place of an idle one if there are too many.
    fn admit(&mut self, socket: Socket, slot: usize, client: Client, active_now: Instant) {
        let ip = client.peer_addr().ip().to_canonical();
        let is_over = self.connections.of_ip(ip) >= self.limit_of(ip);
        if is_over && !self.close_longest_idle(Some(ip)) {
            self.app.metrics.refused += 1;
            self.connections.release(slot);
            socket.close(&mut self.reactor);
            return;
        }
        if self.connections.open() >= self.app.limits.connections {
            self.close_longest_idle(None);
        }
        let id = ConnectionId {
            slot,
            serial: client.number(),
        };
        self.app.metrics.accepted += 1;
        let (link, is_secure) = match &self.tls {
            None => (Link::plain(socket), false),
            Some(options) => match Link::accept_tls(socket, options) {
                Ok(link) => (link, true),
                Err((socket, error)) => {
                    self.connections.release(slot);
                    socket.close(&mut self.reactor);
                    self.app
                        .report(&ServerFault::Connection(error), Some(&client));
                    return;
                }
            },
        };
        let connection = Connection::new(link, is_secure, client, id, &self.app, active_now);
        self.connections.insert(Box::new(connection));
        self.app.hooks.connected(&client);
    }

    /// How many connections one address may have. A trusted proxy carries many clients, and programs on this
    /// machine are limited by the total alone.
    fn limit_of(&self, ip: IpAddr) -> usize {
        if ip.is_loopback() || self.app.proxies.contains(ip) {
            self.app.limits.connections
        } else {
            self.app.limits.connections_per_ip
        }
    }

    /// Closes the connection that has been idle for the longest time, of one address or of all. Returns
    /// whether there was one.
    fn close_longest_idle(&mut self, ip: Option<IpAddr>) -> bool {
        let idle = self.longest_idle(ip);
        match idle.and_then(|slot| self.connections.take(slot)) {
            Some(connection) => {
                self.close(connection);
                true
            }
            None => false,
        }
    }

    /// The connection that has been idle for the longest time. Connections whose sockets turn out to hold
    /// bytes get a turn.
    fn longest_idle(&mut self, ip: Option<IpAddr>) -> Option<usize> {
        loop {
            let idle = self
                .connections
                .iter()
                .filter(|it| it.is_idle() && ip.is_none_or(|ip| it.ip() == ip))
                .min_by_key(|it| it.idle_since())?;
            let slot = idle.id.slot;
            if !idle.has_input(&mut self.reactor) {
                return Some(slot);
            }
            self.connections.enqueue(slot);
        }
    }
}
