//! [`OAuthLoopback`]: a login in the player's browser, from the listening port to the page which says that
//! the window may be closed. The rules are in `authorization_code`; this module runs the server.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::authorization_code::{AuthorizationCode, OAuthError, OAuthLogin, OAuthRequest};
use super::page::OAuthAnswer;
use crate::clock::Instant;
use crate::error::{Error, NetworkFault};
use crate::server::Server;
use crate::server::builder::ServerBuilder;
use crate::server::request::Request;
use crate::server::response::Response;
use crate::server::settings::NotFoundPolicy;
use crate::transport::memory::MemoryNetwork;

/// How long the last page may take to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// A login under way. Open [`authorization_url`](Self::authorization_url) in the browser and call
/// [`poll`](Self::poll) once a frame. It listens at a free port of 127.0.0.1 and closes by itself. Dropping
/// it cancels the login.
pub struct OAuthLoopback {
    server: Server,
    login: Shared,
}

/// Used in place of a timeout that the clock cannot represent.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Shared = Arc<Mutex<OAuthLogin>>;

/// Why a login could not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum OAuthNotStarted {
    /// The system provided no port or no random numbers.
    System(Error),
    /// The authorization request is not safe to send.
    Request(OAuthError),
}

impl OAuthLoopback {
    /// Starts to listen, with fresh secrets for this login. The login fails after `timeout`; some
    /// minutes are usual.
    ///
    /// # Errors
    /// See [`OAuthNotStarted`].
    pub fn start(request: &OAuthRequest, timeout: Duration) -> Result<Self, OAuthNotStarted> {
        let server = builder().bind_local(0).map_err(OAuthNotStarted::System)?;
        Self::on(server, request, timeout)
    }

    /// The same on an in-memory network with its virtual clock, for tests.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_on_memory(
        network: &MemoryNetwork,
        port: u16,
        request: &OAuthRequest,
        timeout: Duration,
    ) -> Result<Self, OAuthNotStarted> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = builder().on_memory(network, address);
        Self::on(server.map_err(OAuthNotStarted::System)?, request, timeout)
    }

    fn on(
        mut server: Server,
        request: &OAuthRequest,
        timeout: Duration,
    ) -> Result<Self, OAuthNotStarted> {
        let mut random = [0; 64];
        getrandom::getrandom(&mut random).map_err(|error| {
            let source = std::io::Error::other(error);
            OAuthNotStarted::System(Error::io(NetworkFault::System, source))
        })?;
        let now = server.reactor.clock().now();
        // A timeout that the clock cannot represent is longer than any login.
        let deadline = now.checked_add(timeout).unwrap_or(now + A_DAY);
        let port = server.local_addr().port();
        let login =
            OAuthLogin::new(request, port, random, deadline).map_err(OAuthNotStarted::Request)?;
        let login: Shared = Arc::new(Mutex::new(login));
        let asked = Arc::clone(&login);
        server
            .route("*", "/*", move |request: &mut Request| {
                page(lock(&asked).receive(request.method(), request.target()))
            })
            .map_err(OAuthNotStarted::System)?;
        Ok(Self { server, login })
    }

    /// The address to open in the player's browser. It contains the secret state: show it only to the player.
    pub fn authorization_url(&self) -> Url {
        lock(&self.login).authorization_url().clone()
    }

    /// The address to which the browser is redirected. The exchange of the code needs it, too.
    pub fn redirect_uri(&self) -> String {
        lock(&self.login).redirect_uri().to_owned()
    }

    /// Continues the login. Returns the result once, after the browser got the last page.
    ///
    /// # Errors
    /// As [`Server::poll`].
    pub fn poll(&mut self) -> Result<Option<Result<AuthorizationCode, OAuthError>>, Error> {
        let now = self.server.reactor.clock().now();
        self.poll_at(now)
    }

    /// Like [`poll`](Self::poll), with the time given, for tests.
    ///
    /// # Errors
    /// As [`Server::poll`].
    pub fn poll_at(
        &mut self,
        now: Instant,
    ) -> Result<Option<Result<AuthorizationCode, OAuthError>>, Error> {
        let budget = self.server.budget.clone();
        self.server.poll_at(now, &budget)?;
        if lock(&self.login).handle_timeout(now) && self.server.is_listening() {
            self.server.shutdown(LAST_PAGE);
        }
        if !self.server.is_closed() {
            return Ok(None);
        }
        Ok(lock(&self.login).take_outcome())
    }

    /// Cancels the login. [`poll`](Self::poll) then returns that result.
    pub fn cancel(&mut self) {
        lock(&self.login).cancel();
    }
}

impl fmt::Debug for OAuthLoopback {
    /// Hides the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthLoopback")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for OAuthNotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OAuthNotStarted {}

fn builder() -> ServerBuilder {
    Server::builder().not_found(NotFoundPolicy::Answer)
}

fn lock(login: &Shared) -> MutexGuard<'_, OAuthLogin> {
    login.lock().unwrap_or_else(PoisonError::into_inner)
}

fn page(answer: OAuthAnswer) -> Response {
    let mut response = Response::status(answer.status.as_u16());
    response.add_all(&answer.headers);
    response.set_body(answer.body);
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn request() -> OAuthRequest {
        let endpoint = "https://login.example/authorize".parse().unwrap();
        OAuthRequest::new(endpoint, "game")
    }

    fn state(url: &Url) -> String {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned()
    }

    #[test]
    fn a_login_ends_with_its_callback() {
        let network = MemoryNetwork::new();
        let timeout = Duration::from_secs(60);
        let mut login =
            OAuthLoopback::start_on_memory(&network, 4000, &request(), timeout).unwrap();
        assert_eq!(login.redirect_uri(), "http://127.0.0.1:4000/callback");
        let mut browser = network.connect("127.0.0.1:4000".parse().unwrap()).unwrap();
        assert!(login.poll().unwrap().is_none());
        let state = state(&login.authorization_url());
        let mut page = Vec::new();
        let mut outcome = None;
        for target in [
            "/favicon.ico",
            "/callback?code=forged&state=x",
            &format!("/callback?code=c0de&state={state}"),
        ] {
            write!(
                browser,
                "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n"
            )
            .unwrap();
            for _ in 0..5 {
                outcome = outcome.or(login.poll().unwrap());
            }
            let _ = browser.read_to_end(&mut page);
        }
        let page = String::from_utf8(page).unwrap();
        assert!(
            page.contains("404 Not Found")
                && page.contains("400 Bad Request")
                && page.contains("200 OK")
        );
        assert_eq!(outcome.unwrap().unwrap().code, "c0de");
        assert!(login.poll().unwrap().is_none());
        assert!(!login.server.is_listening());
    }

    #[test]
    fn a_login_has_a_deadline_and_can_be_given_up() {
        let network = MemoryNetwork::new();
        let timeout = Duration::from_secs(60);
        let mut login =
            OAuthLoopback::start_on_memory(&network, 4000, &request(), timeout).unwrap();
        network.advance(timeout);
        assert!(matches!(login.poll(), Ok(Some(Err(OAuthError::TimedOut)))));
        let mut login =
            OAuthLoopback::start_on_memory(&network, 4001, &request(), timeout).unwrap();
        login.cancel();
        assert!(matches!(login.poll(), Ok(Some(Err(OAuthError::Cancelled)))));
        let real = OAuthLoopback::start(&request(), timeout).unwrap();
        assert!(real.redirect_uri().starts_with("http://127.0.0.1:"));
        assert!(!format!("{real:?}").contains(&state(&real.authorization_url())));
    }
}
