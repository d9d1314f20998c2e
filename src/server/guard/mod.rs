//! Which requests are let in: Host and Origin checks against DNS rebinding and cross-site requests,
//! CORS, a token per run, basic and bearer credentials, and a rate limit. Only heads are looked at,
//! before any handler runs; nothing here knows routes, sockets or a clock.
//!
//! A server on 127.0.0.1 can be reached by every page that the player has open. `Origin` stops
//! scripts of other sites, but a name that was rebound to 127.0.0.1 looks like the same origin; its
//! `Host` gives it away. So both are checked, and for a loopback bind both are on unless turned off.
//!
//! | file | holds |
//! |---|---|
//! | `hosts` | the hosts that the server serves (RFC 9110 §7.2) |
//! | `origin` | which site caused a request: `Origin` (RFC 6454 §7), `Sec-Fetch-*` |
//! | `cors` | what pages of other origins may do (Fetch §3.3) |
//! | `token` | the token of one run |
//! | `auth` | basic and bearer credentials (RFC 7617, RFC 6750) |
//! | `rate_limit` | requests per address and time |
//! | `scope` | which paths a rule is for |
//! | `secret` | comparison in constant time |

mod auth;
mod cors;
mod hosts;
mod origin;
mod rate_limit;
mod scope;
pub(super) mod secret;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode};

use crate::proto::FieldLines;
use crate::server::host::{HostField, InvalidHost};
pub use auth::{Auth, InvalidAuth};
pub use cors::{Cors, InvalidCors};
use hosts::Hosts;
use origin::Initiator;
pub use origin::{InvalidOrigin, WebOrigin};
pub use rate_limit::{RateLimit, RateRule};
pub use token::{RUN_TOKEN_FIELD, RUN_TOKEN_QUERY, RunToken, TokenScope};

/// The checks that a request passes before a handler sees it.
#[derive(Debug)]
pub struct Guard {
    hosts: Option<Hosts>,
    checks_origin: bool,
    cors: Option<Cors>,
    rate_limit: Option<RateLimit>,
    token: Option<token::TokenCheck>,
    auth: Vec<Auth>,
}

/// What a guard looks at.
#[derive(Clone, Copy)]
pub struct GuardRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The request target as it is on the wire.
    pub target: &'a str,
    /// The field lines.
    pub fields: &'a FieldLines,
    /// The host that a trusted proxy was asked for, if it reports one: it counts instead of `Host`.
    pub forwarded_host: Option<&'a HostField>,
    /// The client's address; behind trusted proxies what they say it is.
    pub client: IpAddr,
    /// Whether the connection is secure, for the port that a `Host` without one means.
    pub is_secure: bool,
}

/// A guard's decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on; add these fields to the response.
    Allow(HeaderMap),
    /// Send this response, and run no handler.
    Refuse(Refusal),
    /// A CORS preflight: respond with 204 and these fields, and run no handler.
    Preflight(HeaderMap),
}

/// The response to a request that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Fields of the response: the challenge, when to come back, what CORS needs.
    pub headers: HeaderMap,
    /// Why. Its text contains no secret and may be sent as content.
    pub reason: RefusalReason,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// `Host` or the target names a host that the server does not serve: 421.
    ForeignHost,
    /// `Host` or `Origin` is malformed or repeated: 400.
    Malformed,
    /// `Origin` is of another site that CORS does not allow: 403.
    ForeignOrigin,
    /// The browser says that another site made it ask: 403.
    CrossSite,
    /// The client asked too often: 429.
    TooManyRequests,
    /// The token of this run is missing or wrong: 401.
    Token,
    /// Credentials are missing or wrong: 401.
    Credentials,
}

impl Guard {
    /// The guard for a server that listens here: for a loopback address [`local`](Self::local), else
    /// [`open`](Self::open).
    pub fn for_address(bound: SocketAddr) -> Self {
        if bound.ip().to_canonical().is_loopback() {
            Self::local(bound.port())
        } else {
            Self::open()
        }
    }

    /// Host and Origin checks for a server of this machine on this port: only requests for `localhost`,
    /// names below it and loopback addresses, with any port, and only pages from there with this port
    /// or the port of the request.
    pub fn local(port: u16) -> Self {
        Self {
            hosts: Some(Hosts::local(port)),
            checks_origin: true,
            ..Self::open()
        }
    }

    /// No checks at all, until some are added.
    pub fn open() -> Self {
        Self {
            hosts: None,
            checks_origin: false,
            cors: None,
            rate_limit: None,
            token: None,
            auth: Vec::new(),
        }
    }

    /// Serves this host, too: `game.example`, with any port, or `game.example:8080`. A guard
    /// that checked no hosts so far serves only those named here.
    ///
    /// Fails when this is not a host.
    pub fn allow_host(mut self, host: &str) -> Result<Self, InvalidHost> {
        let host = host.parse()?;
        self.hosts.get_or_insert_with(Hosts::none).allow(host);
        Ok(self)
    }

    /// Whether requests that pages of other sites made are refused. On for
    /// [`local`](Self::local), else off.
    #[must_use]
    pub fn check_origin(mut self, on: bool) -> Self {
        self.checks_origin = on;
        self
    }

    /// Lets pages of other origins in. Off by default.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Limits how often a client may ask. Off by default.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// Asks for this token. Off by default.
    #[must_use]
    pub fn require_token(mut self, token: RunToken, scope: TokenScope) -> Self {
        self.token = Some(token::TokenCheck::new(token, scope));
        self
    }

    /// Asks for credentials. Of several rules for a path, all have to be met.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth.push(auth);
        self
    }

    /// Judges a request: host, origin, preflight, rate, token, credentials, in this order. The
    /// first that fails decides.
    pub fn check(&mut self, request: &GuardRequest<'_>, now: Instant) -> Decision {
        match self.judge(request, now) {
            Ok(verdict) => verdict,
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    fn judge(&mut self, request: &GuardRequest<'_>, now: Instant) -> Result<Decision, Refusal> {
        if let Some(hosts) = &self.hosts {
            hosts.check(request)?;
        }
        let mut headers = HeaderMap::new();
        if self.checks_origin || self.cors.is_some() {
            let initiator = Initiator::of(request, self.hosts.as_ref())?;
            let mut is_let_in = false;
            if let Some(cors) = &self.cors {
                if let Some(headers) = cors.preflight(request, &initiator) {
                    return Ok(Decision::Preflight(headers));
                }
                is_let_in = cors.allows(&initiator);
                headers = cors.headers(&initiator);
            }
            if self.checks_origin && !is_let_in {
                initiator.check()?;
            }
        }
        match self.admit(request, now) {
            Ok(()) => Ok(Decision::Allow(headers)),
            // Without these a page that is let in could not read why it failed.
            Err(mut refusal) => {
                refusal.headers.extend(headers);
                Err(refusal)
            }
        }
    }

    fn admit(&mut self, request: &GuardRequest<'_>, now: Instant) -> Result<(), Refusal> {
        if let Some(limit) = &mut self.rate_limit {
            limit.check(request.client, request.target, now)?;
        }
        if let Some(token) = &mut self.token {
            token.check(request)?;
        }
        self.auth.iter().try_for_each(|auth| auth.check(request))
    }
}

impl Refusal {
    fn new(status: StatusCode, reason: RefusalReason) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            reason,
        }
    }

    fn malformed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, RefusalReason::Malformed)
    }
}

impl fmt::Debug for GuardRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardRequest")
            .field("method", self.method)
            .field("client", &self.client)
            .field("is_secure", &self.is_secure)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForeignHost => "this server does not serve that host",
            Self::Malformed => "malformed or repeated Host or Origin",
            Self::ForeignOrigin => "requests from pages of that origin are not allowed",
            Self::CrossSite => "requests from pages of other sites are not allowed",
            Self::TooManyRequests => "too many requests",
            Self::Token => "the token of this run is missing or wrong",
            Self::Credentials => "credentials are missing or wrong",
        })
    }
}
