//! [`MockServer`]: where it listens, what its rules are, what it has seen.

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

/// An HTTP/1.1 server on a [`MemoryNetwork`] that answers by rules and remembers what it was asked.
/// Clones are the same server; it lives as long as the network.
///
/// The first rule that takes a request answers it, in the order in which they were made. What no
/// rule takes is answered by a 404 whose content says why not, rule by rule. Connections are kept
/// alive, requests may be pipelined, `HEAD` is answered like `GET`, `100 Continue` is sent to
/// whoever waits for it. TLS is not spoken: a game under test is pointed at `http` addresses.
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
    /// A server without rules at this host and port, in place of what was there.
    ///
    /// A host may be an address. Else, if the network knows the name, the server answers at all of
    /// its addresses; if not, the name is added, with an address of its own.
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

    /// Where it listens: one address, unless the name has several.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A rule for requests of this method (`GET` takes `HEAD`, too) and path. In the path `*` stands
    /// for any characters within one segment, a segment `**` for any number of segments; a query
    /// behind a `?` asks for its pairs, among others.
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

    /// Lets things go wrong from now on, as this seed decides.
    pub fn faults(&self, seed: u64, rates: FaultRates) {
        self.shared.state().faults = Some(Faults { seed, rates });
    }

    /// Whether clients that wait for `100 Continue` (RFC 9110 §10.1.1) get one. Default true.
    pub fn set_continues(&self, continues: bool) {
        self.shared.state().continues = continues;
    }

    /// Every request so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<MockRequest> {
        self.shared.state().requests.clone()
    }

    /// The requests that no rule took: none, if all goes well.
    pub fn unmatched(&self) -> Vec<MockRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.rule.is_none());
        requests
    }

    /// The rules that took no request, one line each: none, if all goes well.
    pub fn unused(&self) -> Vec<String> {
        let rules = self.shared.state().rules.clone();
        let unused = rules.iter().filter(|rule| rule.hits() == 0);
        unused.map(MockRule::describe).collect()
    }

    /// How clients broke the protocol, or their connection in the middle of a request. The former
    /// were answered by a 400.
    pub fn errors(&self) -> Vec<ErrorKind> {
        self.shared.state().errors.clone()
    }

    /// How many connections it has had.
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
