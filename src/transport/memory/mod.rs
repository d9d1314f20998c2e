//! A network in memory with a clock of its own, for tests: of this library, and of games that use
//! it.
//!
//! [`MemoryNetwork`] stands in for the operating system: names, addresses that answer, refuse or
//! swallow connections, latency, short reads and writes, cuts and resets, and a clock that moves
//! only when it is told to. The same client code runs over it as over real sockets; given the same
//! calls, it does the same each time.
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

mod fault;
mod net;
mod peer;
mod stream;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fault::Shuffle;
pub use fault::{Break, ConnectionFault, Direction};
use net::{Host, Listening, Net};
pub use peer::{Peer, PeerWaker};
pub use stream::MemoryStream;

#[cfg(feature = "test-util")]
pub(crate) use net::later;
pub(crate) use net::{Interest, Looked};
pub(crate) use peer::Serve;

/// How an address treats connections that nobody serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Answers with a reset after one round trip, as a closed port does. This is also what every
    /// address does that nothing was said about.
    Refused,
    /// Never answers, as a dead route or a firewall does.
    BlackHole,
    /// Fails at once, as an address family without a route does.
    Unreachable,
}

/// A network in memory. Clones are the same network.
#[derive(Clone)]
pub struct MemoryNetwork(Arc<Mutex<Net>>);

impl MemoryNetwork {
    /// An empty network: no names, every address refuses, no latency.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Net::new(Instant::now()))))
    }

    /// The virtual time. It moves only by [`advance`](Self::advance) and by calls that wait.
    pub fn now(&self) -> Instant {
        self.net().now
    }

    /// The virtual time of day: 2026-01-01 00:00:00 UTC when the network was made.
    pub fn wall(&self) -> SystemTime {
        const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);
        let net = self.net();
        SystemTime::UNIX_EPOCH + NEW_YEAR_2026 + net.now.saturating_duration_since(net.began)
    }

    /// Moves the clock. What falls due happens at the next poll.
    pub fn advance(&self, by: Duration) {
        self.net().now += by;
    }

    /// How long bytes travel one way, from now on. Default zero: they arrive by the next poll.
    pub fn set_latency(&self, latency: Duration) {
        self.net().latency = latency;
    }

    /// The most bytes that one read or one write moves. `None`, the default: as many as fit.
    pub fn set_transfer_limit(&self, bytes: Option<usize>) {
        self.net().transfer_limit = bytes;
    }

    /// How many bytes one direction of a connection holds before writes would block. Default
    /// 256 KiB. Holds for connections opened later.
    pub fn set_capacity(&self, bytes: usize) {
        self.net().capacity = bytes;
    }

    /// Lets connections break. From now on `decide` is asked about each new one, by its address and its
    /// number among those to that address, from 0. It is called under the network's lock and must not
    /// use the network.
    pub fn set_connection_faults(
        &self,
        decide: impl FnMut(SocketAddr, usize) -> Option<ConnectionFault> + Send + 'static,
    ) {
        self.net().decide_fault = Some(Box::new(decide));
    }

    /// Reports sockets ready in any order, and at times only some of those that are, the others at a
    /// later look; as this seed decides. So does a kernel that has more to report than it is asked for.
    /// Default: all, in the order in which it happened.
    pub fn shuffle_readiness(&self, seed: u64) {
        self.net().shuffle = Some(Shuffle::new(seed));
    }

    /// How much virtual time a client's calls take: each that connects, reads or writes, and each KiB that
    /// it moves. Default zero: no budget of time is ever spent.
    pub fn set_work(&self, call: Duration, kib: Duration) {
        self.net().work = (call, kib);
    }

    /// Lets a host name resolve to these addresses, in this order. An empty list is a name that
    /// does not exist, as are names that were never added.
    pub fn add_name(&self, name: &str, addresses: &[IpAddr]) {
        self.add_slow_name(name, addresses, Duration::ZERO);
    }

    /// The same, with an answer that takes a while.
    pub fn add_slow_name(&self, name: &str, addresses: &[IpAddr], delay: Duration) {
        self.net()
            .names
            .insert(name.to_ascii_lowercase(), (addresses.to_vec(), delay));
    }

    /// Serves an address: `open` makes what answers one connection, and that is called when the
    /// connection opens and whenever bytes or the client's end arrive.
    pub fn serve<F, P>(&self, address: SocketAddr, mut open: F)
    where
        F: FnMut() -> P + Send + 'static,
        P: FnMut(&mut Peer) + Send + 'static,
    {
        self.serve_some(address, Box::new(move || Some(Box::new(open()))));
    }

    /// The same; a connection for which `open` makes nothing is refused. `open` runs under the
    /// network's lock.
    pub(crate) fn serve_some(
        &self,
        address: SocketAddr,
        open: Box<dyn FnMut() -> Option<Serve> + Send>,
    ) {
        let before = self.net().hosts.insert(address, Host::Serve(open));
        // Without the lock: a server may own clients of this very network.
        drop(before);
    }

    /// The addresses of a name, chosen and added if it has none yet; an address literal is its own.
    #[cfg(feature = "test-util")]
    pub(crate) fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return vec![address];
        }
        let (_, known) = self.resolve(name);
        if !known.is_empty() {
            return known;
        }
        let address = self.net().unused_address();
        self.add_name(name, &[address]);
        vec![address]
    }

    /// Accepts connections to an address, for a test that takes them by [`accept`](Self::accept)
    /// and plays the server itself.
    pub fn listen(&self, address: SocketAddr) {
        self.net()
            .hosts
            .insert(address, Host::Listen(Listening::default()));
    }

    /// The server's end of the oldest connection to a [listening](Self::listen) address that was
    /// not taken yet.
    pub fn accept(&self, address: SocketAddr) -> Option<MemoryStream> {
        let mut net = self.net();
        net.run_due();
        let connection = match net.hosts.get_mut(&address) {
            Some(Host::Listen(listening)) => listening.waiting.pop_front()?,
            _ => return None,
        };
        drop(net);
        Some(MemoryStream::server(self.clone(), connection))
    }

    /// Makes an address treat connections like this.
    pub fn refuse(&self, address: SocketAddr, how: ConnectError) {
        self.net().hosts.insert(address, Host::Refuse(how));
    }

    /// A pair of connected streams, without address or listener.
    pub fn pair(&self) -> (MemoryStream, MemoryStream) {
        let connection = self.net().open_pair();
        (
            MemoryStream::client(self.clone(), connection),
            MemoryStream::server(self.clone(), connection),
        )
    }

    /// How many connections to `address` were asked for since the network was made.
    pub fn connections_to(&self, address: SocketAddr) -> usize {
        self.net().asked.get(&address).copied().unwrap_or(0)
    }

    /// How many connections have a living end.
    pub fn open_connections(&self) -> usize {
        self.net().connections.len()
    }

    /// Stops accepting connections to an address: from now on they are refused. Those that nobody
    /// took are reset.
    pub fn stop_listening(&self, address: SocketAddr) {
        let mut net = self.net();
        if let Some(Host::Listen(listening)) = net.hosts.remove(&address) {
            for connection in listening.waiting {
                net.abandon(connection);
            }
        }
    }

    /// Asks for a connection to `address`, for a test that plays the client itself. It is there when
    /// the other side has polled; what is read and written before fails with
    /// [`io::ErrorKind::NotConnected`].
    ///
    /// # Errors
    /// [`io::ErrorKind::NetworkUnreachable`] for an [unreachable](ConnectError::Unreachable) address.
    pub fn connect(&self, address: SocketAddr) -> io::Result<MemoryStream> {
        let connection = self.net().connect(address)?;
        Ok(MemoryStream::client(self.clone(), connection))
    }

    /// The addresses of a name and when they are known; `None` when the name does not exist.
    pub(crate) fn resolve(&self, name: &str) -> (Instant, Vec<IpAddr>) {
        let net = self.net();
        match net.names.get(&name.to_ascii_lowercase()) {
            Some((addresses, delay)) => (net.now + *delay, addresses.clone()),
            None => (net.now, Vec::new()),
        }
    }

    /// A queue of readiness events for one reactor.
    pub(crate) fn open_queue(&self) -> usize {
        self.net().open_queue()
    }

    /// Lets everything happen that is due, peers included, and moves the queue's events out.
    pub(crate) fn look(&self, queue: usize, mut each: impl FnMut(Looked)) {
        self.settle();
        let mut net = self.net();
        for event in net.take_events(queue) {
            each(event);
        }
    }

    /// Moves the clock to the next thing that happens, at most to `until`; not at all while events wait
    /// in the queue.
    pub(crate) fn sleep_until(&self, queue: usize, until: Option<Instant>) {
        self.settle();
        let mut net = self.net();
        if net.has_events(queue) {
            return;
        }
        let next = match (net.next_due(), until) {
            (Some(due), Some(until)) => due.min(until),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return,
        };
        net.now = net.now.max(next);
    }

    #[cfg(feature = "server")]
    pub(crate) fn register_listener(&self, address: SocketAddr, interest: Interest) {
        self.net().register_listener(address, interest);
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        // A peer that panicked in a test must not hide its own panic behind a poisoned lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs deliveries and peers until nothing more is due at the present time.
    fn settle(&self) {
        loop {
            let mut net = self.net();
            net.run_due();
            let Some((connection, mut serve)) = net.next_peer() else {
                return;
            };
            let mut peer = net.begin_peer(connection);
            // The peer runs without the lock: it may look at the network, too.
            drop(net);
            serve(&mut peer);
            self.net().end_peer(connection, serve, peer);
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
