//! [`MockServer`]: its addresses, its rules and its log.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Method;

use super::connection::MockConnection;
use super::fault::{FaultRates, Faults};
use super::request::MockRequest;
use super::rule::MockRule;
use super::state::{MockConnections, Shared};
use crate::error::ErrorKind;
use crate::transport::memory::{MemoryNetwork, Peer, Serve};

/// An HTTP/1.1 server on a [`MemoryNetwork`] that responds by rules and logs all requests. Clones are
/// the same server. It lives as long as the network.
///
/// Rules are tried in the order in which they were made; the first that matches responds. A request
/// without a matching rule gets a 404 whose content says, for each rule, why it did not match.
/// Connections are kept alive, requests may be pipelined, `HEAD` is treated like `GET`, and `100
/// Continue` is sent to clients that wait for it. The server does not speak TLS: point a game under
/// test at `http` addresses.
///
/// ```
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::mock::{MockResponse, MockServer};
/// use httpoll::{HttpClient, Method, Status};
///
/// let network = MemoryNetwork::new();
/// let server = MockServer::on(&network, "game.example", 80);
/// server.get("/scores").reply(MockResponse::ok().text("[7, 5]"));
///
/// let mut http = HttpClient::on_memory(&network);
/// http.connect_to_host("game.example", -1, None)?;
/// while http.get_status() != Status::Connected {
///     http.poll()?;
/// }
/// http.request(Method::Get, "/scores", &[], "")?;
/// while http.get_status() == Status::Requesting {
///     http.poll()?;
/// }
/// assert_eq!(http.read_response_body_chunk()?, "[7, 5]");
///
/// assert_eq!(server.requests()[0].path(), "/scores");
/// assert!(server.unmatched().is_empty());
/// # Ok::<(), httpoll::Error>(())
/// ```
#[derive(Clone)]
pub struct MockServer {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
}

impl MockServer {
    /// A server without rules at this host and port. It replaces what was there.
    ///
    /// The host may be an address. If it is a name that the network knows, the server listens at all
    /// of its addresses; if not, the name is added with a new address.
    pub fn on(network: &MemoryNetwork, host: &str, port: u16) -> Self {
        let addresses = network.addresses_of(host);
        let at = |address: IpAddr| SocketAddr::new(address, port);
        let server = Self {
            shared: Arc::default(),
            addresses: addresses.into_iter().map(at).collect(),
        };
        for &address in &server.addresses {
            let shared = server.shared.clone();
            network.serve_some(address, Box::new(move || open(&shared)));
        }
        server
    }

    /// The addresses where it listens: one, unless the name has several.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A rule for requests of this method (`GET` takes `HEAD`, too) and path. In the path, `*`
    /// matches any characters within one segment, and a segment `**` matches any number of segments.
    /// A query after a `?` requires its pairs; the request may have more.
    #[must_use]
    pub fn when(&self, method: Method, path: &str) -> MockRule {
        self.rule(Some(method), path)
    }

    /// A rule for any method: [`when`](Self::when).
    #[must_use]
    pub fn any(&self, path: &str) -> MockRule {
        self.rule(None, path)
    }

    /// A rule for `GET` and `HEAD`: [`when`](Self::when).
    #[must_use]
    pub fn get(&self, path: &str) -> MockRule {
        self.when(Method::GET, path)
    }

    /// A rule for `POST`: [`when`](Self::when).
    #[must_use]
    pub fn post(&self, path: &str) -> MockRule {
        self.when(Method::POST, path)
    }

    /// A rule for `PUT`: [`when`](Self::when).
    #[must_use]
    pub fn put(&self, path: &str) -> MockRule {
        self.when(Method::PUT, path)
    }

    /// A rule for `DELETE`: [`when`](Self::when).
    #[must_use]
    pub fn delete(&self, path: &str) -> MockRule {
        self.when(Method::DELETE, path)
    }

    /// Injects faults from now on, as this seed decides.
    pub fn faults(&self, seed: u64, rates: FaultRates) {
        self.shared.state().faults = Some(Faults { seed, rates });
    }

    /// Whether clients that wait for `100 Continue` (RFC 9110 §10.1.1) get one. Default true.
    pub fn set_continues(&self, continues: bool) {
        self.shared.state().continues = continues;
    }

    /// All requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<MockRequest> {
        self.shared.state().requests.clone()
    }

    /// The requests that no rule matched. Empty if all goes well.
    pub fn unmatched(&self) -> Vec<MockRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.rule.is_none());
        requests
    }

    /// The rules that matched no request, one line each. Empty if all goes well.
    pub fn unused(&self) -> Vec<String> {
        let rules = self.shared.state().rules.clone();
        let unused = rules.iter().filter(|rule| rule.hits() == 0);
        unused.map(MockRule::describe).collect()
    }

    /// Protocol errors of clients, and connections that broke in the middle of a request. A protocol
    /// error gets a 400.
    pub fn errors(&self) -> Vec<ErrorKind> {
        self.shared.state().errors.clone()
    }

    /// The counts of its connections.
    pub fn connections(&self) -> MockConnections {
        self.shared.state().connections
    }

    fn rule(&self, method: Option<Method>, path: &str) -> MockRule {
        let mut state = self.shared.state();
        let rule = MockRule::new(state.rules.len() + 1, method, path);
        state.rules.push(rule.clone());
        rule
    }
}

impl fmt::Debug for MockServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockServer")
            .field("addresses", &self.addresses)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

fn open(shared: &Arc<Shared>) -> Option<Serve> {
    let (number, opened) = shared.open_connection()?;
    let mut connection = MockConnection::new(shared.clone(), number, opened);
    Some(Box::new(move |peer: &mut Peer| connection.call(peer)))
}
