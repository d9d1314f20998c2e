//! A network in memory with its own clock, for tests of this library and of games that use it.
//!
//! [`MemoryNetwork`] replaces the operating system: names, addresses that accept, refuse or ignore
//! connections, latency, short reads and writes, connections that break, and a clock that moves only
//! when a test advances it. The same client code runs over it as over real sockets. Given the same
//! calls, it behaves the same each time.
//!
//! HTTP is not known here. Servers that answer requests by rules are in `mock`, behind the feature
//! `test-util`.
//!
//! # A server of bytes
//!
//! Below HTTP a connection is bytes, and a [`Peer`] may send any:
//!
//! ```
//! use httpoll::{HttpClient, Method, Status, memory::MemoryNetwork};
//!
//! let network = MemoryNetwork::new();
//! network.add_name("game.example", &["10.0.0.1".parse()?]);
//! network.serve("10.0.0.1:80".parse()?, || {
//!     |peer: &mut httpoll::memory::Peer| {
//!         if peer.received().ends_with(b"\r\n\r\n") {
//!             peer.take_received();
//!             peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
//!         }
//!     }
//! });
//!
//! let mut http = HttpClient::on_memory(&network);
//! http.connect_to_host("game.example", -1, None)?;
//! while http.get_status() != Status::Connected {
//!     http.poll()?;
//! }
//! http.request(Method::Get, "/", &[], "")?;
//! while http.get_status() == Status::Requesting {
//!     http.poll()?;
//! }
//! assert_eq!(http.read_response_body_chunk()?, "hi");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod connect_error;
mod connection;
mod fault;
mod net;
mod peer;
mod readiness;
mod served;
mod side;
mod stream;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use clock::LONGEST;
#[cfg(feature = "test-util")]
pub(crate) use clock::later;
pub use connect_error::ConnectError;
pub use fault::{Break, ConnectionFault, Direction};
#[cfg(feature = "test-util")]
pub(crate) use peer::Serve;
pub use peer::{Peer, PeerWaker};
pub(crate) use readiness::{Interest, ReadyEvent};
pub use stream::MemoryStream;

use net::{Call, Host, Listening, Net, OpenServe};
use side::Side;

use crate::clock::Instant;

/// A network in memory with a virtual clock. Clones are the same network.
#[derive(Clone)]
pub struct MemoryNetwork(Arc<Mutex<Net>>);

impl MemoryNetwork {
    /// An empty network: no names, every address refuses, no latency.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Net::new(Instant::now()))))
    }

    /// The virtual time. It moves only by [`advance`](Self::advance), by calls that wait and by the
    /// costs of [`set_work`](Self::set_work).
    pub fn now(&self) -> Instant {
        self.net().clock.now()
    }

    /// The virtual time of day: 2026-01-01 00:00:00 UTC when the network was made.
    pub fn wall(&self) -> SystemTime {
        const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);
        SystemTime::UNIX_EPOCH + NEW_YEAR_2026 + self.net().clock.elapsed()
    }

    /// Moves the clock. Bytes whose time has come arrive, and functions that serve connections are
    /// called; reactors learn of it in their next poll.
    pub fn advance(&self, by: Duration) {
        self.net().clock.advance(by);
        self.settle();
    }

    /// How long bytes travel one way, from now on. Default zero: they arrive by the next poll.
    pub fn set_latency(&self, latency: Duration) {
        self.net().latency = latency.min(LONGEST);
    }

    /// How often clients, agents, servers and groups on this network asked what is ready, since the network was made.
    /// On sockets, each time is a system call. For a test of what a frame costs.
    pub fn polls(&self) -> u64 {
        self.net().polls
    }

    /// The most bytes that one read or one write moves. `None`, the default, is no limit.
    pub fn set_transfer_limit(&self, bytes: Option<usize>) {
        self.net().transfer_limit = bytes;
    }

    /// How many bytes one direction of a connection holds before writes would block. Default
    /// 256 KiB. Applies to connections opened later.
    pub fn set_capacity(&self, bytes: usize) {
        self.net().capacity = bytes;
    }

    /// Sets the address that servers see of clients whose connections they accept from now on. Default
    /// 127.0.0.1.
    pub fn set_client_address(&self, address: IpAddr) {
        self.net().client_address = address;
    }

    /// Makes connections fail or break. From now on `choose` is called for each new connection, with its
    /// address and its number among those to that address, from 0. It is called under the network's
    /// lock and must not use the network.
    pub fn set_connection_faults(
        &self,
        choose: impl FnMut(SocketAddr, usize) -> Option<ConnectionFault> + Send + 'static,
    ) {
        self.net().choose_fault = Some(Box::new(choose));
    }

    /// Reports ready sockets in any order, and sometimes only some of them, the others in a later poll,
    /// as this seed decides. A kernel with more events than it is asked for does the same. Default: all
    /// events, in the order in which they happened.
    pub fn shuffle_readiness(&self, seed: u64) {
        self.net().readiness.shuffle(seed);
    }

    /// From now on the network behaves as Windows does where that differs from Linux, which it imitates by default:
    ///
    /// - A socket is reported as readable once, until a read has failed with [`io::ErrorKind::WouldBlock`]. The same
    ///   holds for writes, and for connections that wait to be accepted. Linux reports each arrival.
    /// - A reset discards what arrived and was not read. Linux keeps it.
    pub fn imitate_windows(&self) {
        self.net().readiness.imitate_windows();
    }

    /// How much virtual time the calls of clients and servers take: each that connects, reads or writes,
    /// and each KiB that it moves. Default zero: budgets of time are never spent.
    pub fn set_work(&self, call: Duration, kib: Duration) {
        self.net().clock.set_costs(call, kib);
    }

    /// Lets a host name resolve to these addresses, in this order. A name with an empty list does not
    /// exist, as do names that were never added.
    pub fn add_name(&self, name: &str, addresses: &[IpAddr]) {
        self.add_slow_name(name, addresses, Duration::ZERO);
    }

    /// Like [`add_name`](Self::add_name), with a lookup that takes `delay`.
    pub fn add_slow_name(&self, name: &str, addresses: &[IpAddr], delay: Duration) {
        self.net().add_name(name, addresses, delay);
    }

    /// The addresses of a host. An address literal is its own address; a name without an address gets
    /// one that nothing else uses.
    pub fn addresses_of(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return vec![address];
        }
        let mut net = self.net();
        let (_, known) = net.resolve(host);
        if !known.is_empty() {
            return known;
        }
        let address = net.unused_address();
        net.add_name(host, &[address], Duration::ZERO);
        vec![address]
    }

    /// Serves an address. `open` makes one function for each connection. That function is called when
    /// the connection opens, when bytes or the client's end arrive, and when a [`Peer`] asked for a
    /// call.
    pub fn serve<F, P>(&self, address: SocketAddr, mut open: F)
    where
        F: FnMut() -> P + Send + 'static,
        P: FnMut(&mut Peer) + Send + 'static,
    {
        self.serve_some(address, Box::new(move || Some(Box::new(open()))));
    }

    /// Like [`serve`](Self::serve); a connection for which `open` returns `None` is refused. `open`
    /// runs under the network's lock.
    pub(crate) fn serve_some(&self, address: SocketAddr, open: OpenServe) {
        let previous = self.net().set_host(address, Host::Serve(open));
        drop(previous);
    }

    /// Accepts connections to an address, for a test that takes them by [`accept`](Self::accept)
    /// and acts as the server itself.
    pub fn listen(&self, address: SocketAddr) {
        let listening = Host::Listen(Listening::default());
        let previous = self.net().set_host(address, listening);
        drop(previous);
    }

    /// The server's end of the oldest connection to a [listening](Self::listen) address that was
    /// not accepted yet.
    pub fn accept(&self, address: SocketAddr) -> Option<MemoryStream> {
        let mut net = self.net();
        net.run_due();
        let connection = net.accept(address)?;
        drop(net);
        Some(MemoryStream::server(self.clone(), connection))
    }

    /// Makes an address fail connections in this way.
    pub fn refuse(&self, address: SocketAddr, how: ConnectError) {
        let previous = self.net().set_host(address, Host::Refuse(how));
        drop(previous);
    }

    /// A pair of connected streams, without address or listener.
    pub fn pair(&self) -> (MemoryStream, MemoryStream) {
        let connection = self.net().open_pair();
        (
            MemoryStream::client(self.clone(), connection),
            MemoryStream::server(self.clone(), connection),
        )
    }

    /// How many connections to `address` were started since the network was made.
    pub fn connections_to(&self, address: SocketAddr) -> usize {
        self.net().connections_to(address)
    }

    /// How many connections have at least one end that was not dropped.
    pub fn open_connections(&self) -> usize {
        self.net().open_connections()
    }

    /// Stops accepting connections to an address: from now on they are refused. Those that nobody
    /// accepted are reset.
    pub fn stop_listening(&self, address: SocketAddr) {
        self.net().stop_listening(address);
    }

    /// Starts a connection to `address`, for a test that acts as the client itself. It is established
    /// when the other side has polled; until then reads and writes fail with
    /// [`io::ErrorKind::NotConnected`].
    ///
    /// # Errors
    /// [`io::ErrorKind::NetworkUnreachable`] for an [unreachable](ConnectError::Unreachable) address.
    pub fn connect(&self, address: SocketAddr) -> io::Result<MemoryStream> {
        let connection = self.net().connect(address)?;
        Ok(MemoryStream::client(self.clone(), connection))
    }

    /// The addresses of a name, none if it does not exist, and when the lookup is over.
    pub(crate) fn resolve(&self, name: &str) -> (Instant, Vec<IpAddr>) {
        self.net().resolve(name)
    }

    /// Whether the two are the same network.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A queue of readiness events for one poller.
    pub(crate) fn open_queue(&self) -> usize {
        self.net().readiness.open_queue()
    }

    /// Lets everything happen that is due, and hands out the queue's events.
    pub(crate) fn poll_events(&self, queue: usize, mut each: impl FnMut(ReadyEvent)) {
        self.settle();
        let mut net = self.net();
        net.polls += 1;
        for event in net.readiness.take_events(queue) {
            each(event);
        }
    }

    /// Moves the clock to the next thing that happens, at most to `until`; not at all while events wait
    /// in the queue.
    pub(crate) fn sleep_until(&self, queue: usize, until: Option<Instant>) {
        self.settle();
        let mut net = self.net();
        if net.readiness.has_events(queue) {
            return;
        }
        if let Some(time) = [net.next_due(), until].into_iter().flatten().min() {
            net.clock.advance_to(time);
        }
    }

    #[cfg(feature = "server")]
    pub(crate) fn register_listener(&self, address: SocketAddr, interest: Interest) {
        self.net().register_listener(address, interest);
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        // A function that panicked in a test must not hide its own panic behind a poisoned lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what has arrived and calls the functions that serve connections, until nothing more is
    /// due at the present time.
    fn settle(&self) {
        loop {
            let call = {
                let mut net = self.net();
                net.run_due();
                net.next_call()
            };
            match call {
                Some(call) => self.make(call),
                None => return,
            }
        }
    }

    /// The same for one connection.
    fn settle_connection(&self, connection: usize) {
        loop {
            let call = {
                let mut net = self.net();
                net.run_due_on(connection);
                net.next_call_on(connection)
            };
            match call {
                Some(call) => self.make(call),
                None => return,
            }
        }
    }

    /// Calls a function that serves a connection. It runs without the lock: it may use the network, too.
    fn make(&self, mut call: Call) {
        (call.serve)(&mut call.peer);
        let over = self.net().end_call(call);
        drop(over);
    }

    /// Drops one end of a connection. The other end learns of it at once if there is no latency.
    fn drop_end(&self, connection: usize, side: Side) {
        let over = self.net().drop_end(connection, side);
        drop(over);
        // A second panic of the same test, in a function that serves a connection, would abort.
        if !std::thread::panicking() {
            self.settle_connection(connection);
        }
    }
}

impl Default for MemoryNetwork {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNetwork").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
