//! Which requests are accepted: Host and Origin checks against DNS rebinding and cross-site requests, CORS,
//! a token for each run, basic and bearer credentials, and a rate limit. The guard reads only heads, before
//! any handler runs. It knows no routes, sockets or clock.
//!
//! Every page that the player has open can reach a server on 127.0.0.1. `Origin` stops scripts of other
//! sites. But a name that was rebound to 127.0.0.1 looks like the same origin; only its `Host` differs. So
//! both are checked, and for a server at a loopback address both checks are on unless turned off.
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

use http::{HeaderMap, Method, StatusCode};

use crate::clock::Instant;
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

/// The parts of a request that a guard checks.
#[derive(Clone, Copy)]
pub struct GuardRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The request target as it was received.
    pub target: &'a str,
    /// The field lines.
    pub fields: &'a FieldLines,
    /// The host that the client requested from a trusted proxy, if the proxy reports it. It replaces `Host`.
    pub forwarded_host: Option<&'a HostField>,
    /// The client's address. Behind trusted proxies it is the address that they report.
    pub client: IpAddr,
    /// Whether the connection is secure. This implies the port of a `Host` that has no port.
    pub is_secure: bool,
}

/// A guard's decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Accept the request and add these fields to the response.
    Allow(HeaderMap),
    /// Send this response and run no handler.
    Refuse(Refusal),
    /// A CORS preflight: respond with 204 and these fields, and run no handler.
    Preflight(HeaderMap),
}

/// The response to a request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Fields of the response, such as the challenge, `Retry-After` and the CORS fields.
    pub headers: HeaderMap,
    /// The reason. Its text contains no secret and may be sent as content.
    pub reason: RefusalReason,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// `Host` or the target names a host that the server does not serve: 421.
    ForeignHost,
    /// The target is an `https` URL, and the connection is not secure (RFC 9110 §7.4): 421.
    NotSecure,
    /// `Host` or `Origin` is malformed or repeated: 400.
    Malformed,
    /// `Origin` is another site that CORS does not allow: 403.
    ForeignOrigin,
    /// The browser reports that another site caused the request: 403.
    CrossSite,
    /// The client sent too many requests: 429.
    TooManyRequests,
    /// The token of this run is missing or wrong: 401.
    Token,
    /// Credentials are missing or wrong: 401.
    Credentials,
}

impl Guard {
    /// The guard for a server that listens at this address: [`local`](Self::local) for a loopback address,
    /// otherwise [`open`](Self::open).
    pub fn for_address(bound: SocketAddr) -> Self {
        if bound.ip().to_canonical().is_loopback() {
            Self::local(bound.port())
        } else {
            Self::open()
        }
    }

    /// Host and Origin checks for a server on this machine and this port. It accepts requests for `localhost`,
    /// names below it and loopback addresses, with any port. Pages must come from such a host, with this port or
    /// the port of the request.
    pub fn local(port: u16) -> Self {
        Self {
            hosts: Some(Hosts::local(port)),
            checks_origin: true,
            ..Self::open()
        }
    }

    /// No checks until some are added, except that an `https` URL as target needs a secure connection.
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

    /// Also serves this host: `game.example`, with any port, or `game.example:8080`. A guard that did not check
    /// hosts before then serves only hosts that are named here.
    ///
    /// Fails when this is not a host.
    pub fn allow_host(mut self, host: &str) -> Result<Self, InvalidHost> {
        let host = host.parse()?;
        self.hosts.get_or_insert_with(Hosts::none).allow(host);
        Ok(self)
    }

    /// Whether requests that pages of other sites caused are refused. On for [`local`](Self::local), off
    /// otherwise.
    #[must_use]
    pub fn check_origin(mut self, on: bool) -> Self {
        self.checks_origin = on;
        self
    }

    /// Allows pages of other origins. Off by default.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Limits how many requests a client may send. Off by default.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// Requires this token. Off by default.
    #[must_use]
    pub fn require_token(mut self, token: RunToken, scope: TokenScope) -> Self {
        self.token = Some(token::TokenCheck::new(token, scope));
        self
    }

    /// Requires credentials. If several rules cover a path, a request has to satisfy all of them.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth.push(auth);
        self
    }

    /// Checks a request: host, origin, preflight, rate, token, credentials, in this order. The first check that
    /// fails decides the response.
    pub fn check(&mut self, request: &GuardRequest<'_>, now: Instant) -> Decision {
        match self.judge(request, now) {
            Ok(verdict) => verdict,
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    fn judge(&mut self, request: &GuardRequest<'_>, now: Instant) -> Result<Decision, Refusal> {
        let scheme = request.target.get(.."https://".len());
        if !request.is_secure && scheme.is_some_and(|it| it.eq_ignore_ascii_case("https://")) {
            let status = StatusCode::MISDIRECTED_REQUEST;
            return Err(Refusal::new(status, RefusalReason::NotSecure));
        }
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
            // Without these fields an allowed page could not read why its request failed.
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
            Self::NotSecure => "https URLs are only served over TLS",
            Self::Malformed => "malformed or repeated Host or Origin",
            Self::ForeignOrigin => "requests from pages of that origin are not allowed",
            Self::CrossSite => "requests from pages of other sites are not allowed",
            Self::TooManyRequests => "too many requests",
            Self::Token => "the token of this run is missing or wrong",
            Self::Credentials => "credentials are missing or wrong",
        })
    }
}
