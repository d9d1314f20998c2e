//! Login in the player's own browser: the address to open, and the one request that comes back to a port of
//! this machine (RFC 8252 §7.3, §8; PKCE by RFC 7636; the issuer check of RFC 9207). It has no socket and no
//! clock: the server binds port 0 of 127.0.0.1 and passes requests on. A client, not this module, exchanges
//! the code for tokens.
//!
//! ```text
//! Waiting ──callback with the right state──▶ Done(code or error)
//!    └─────────deadline, cancel────────────▶ Done(error)
//! ```

#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::page::{self, OAuthAnswer};
use crate::clock::Instant;
use crate::server::guard::secret::is_same_secret;
use crate::server::target::{path_of, query_of};

/// The path of the address to which the browser is redirected.
pub const CALLBACK_PATH: &str = "/callback";

/// What the login requests, and from which server. The endpoint has to be `https`, or `http` on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthRequest {
    /// The authorization endpoint (RFC 6749 §3.1). Its own query is kept.
    pub authorization_endpoint: Url,
    /// The game's public client identifier (RFC 6749 §2.2).
    pub client_id: String,
    /// The scopes, separated by spaces; empty for no scope (RFC 6749 §3.3).
    pub scope: String,
    /// More parameters, such as `prompt` or `login_hint`. They cannot replace the parameters of the protocol.
    pub parameters: Vec<(String, String)>,
    /// The issuer that the response has to name (RFC 9207). `None` turns the check off.
    pub issuer: Option<String>,
}

impl OAuthRequest {
    /// A login without scopes, further parameters and issuer: set those as fields.
    #[must_use]
    pub fn new(authorization_endpoint: Url, client_id: impl Into<String>) -> Self {
        Self {
            authorization_endpoint,
            client_id: client_id.into(),
            scope: String::new(),
            parameters: Vec::new(),
            issuer: None,
        }
    }
}

/// One login, from the address to open to the authorization code. `Debug` hides the secrets.
pub struct OAuthLogin {
    url: Url,
    redirect_uri: String,
    issuer: Option<String>,
    state: String,
    verifier: String,
    deadline: Instant,
    progress: Progress,
}

/// What the token request needs in addition to the client identifier (RFC 6749 §4.1.3, RFC 7636 §4.5).
/// `Debug` hides the code and the verifier.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationCode {
    /// `code`
    pub code: String,
    /// `code_verifier`
    pub verifier: String,
    /// `redirect_uri`
    pub redirect_uri: String,
}

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthError {
    /// The authorization endpoint is neither `https` nor on this machine, or it has a fragment
    /// (RFC 6749 §3.1).
    Endpoint,
    /// The authorization server refused. This is its `error` code, such as `access_denied`
    /// (RFC 6749 §4.1.2.1).
    Refused(String),
    /// The response names an issuer other than the expected one, or no issuer (RFC 9207 §2.4).
    Issuer,
    /// The response has the right state, but neither a code nor an error.
    NoCode,
    /// The player did not finish the login in time.
    TimedOut,
    /// The game cancelled it.
    Cancelled,
}

enum Progress {
    Waiting,
    Done(Result<AuthorizationCode, OAuthError>),
    Taken,
}

impl OAuthLogin {
    /// A login whose server is bound to this port of 127.0.0.1, with 64 bytes from a cryptographic random source.
    /// The login fails at `deadline`; it usually should allow some minutes.
    pub fn new(
        request: &OAuthRequest,
        port: u16,
        random: [u8; 64],
        deadline: Instant,
    ) -> Result<Self, OAuthError> {
        if !is_trustworthy(&request.authorization_endpoint) {
            return Err(OAuthError::Endpoint);
        }
        let (for_state, for_verifier) = random.split_at(32);
        let state = URL_SAFE_NO_PAD.encode(for_state);
        // 32 bytes make the 43 letters that RFC 7636 §4.1 asks for.
        let verifier = URL_SAFE_NO_PAD.encode(for_verifier);
        // The address instead of `localhost`, which may resolve to anything (RFC 8252 §8.3).
        let redirect_uri = format!("http://127.0.0.1:{port}{CALLBACK_PATH}");
        let own = [
            ("response_type", "code"),
            ("client_id", &request.client_id),
            ("redirect_uri", &redirect_uri),
            ("state", &state),
            ("code_challenge", &code_challenge(&verifier)),
            ("code_challenge_method", "S256"),
        ];
        let scope = Some(("scope", request.scope.as_str())).filter(|(_, scope)| !scope.is_empty());
        let is_own = |name: &str| name == "scope" || own.iter().any(|(own, _)| *own == name);
        let more = request.parameters.iter().filter(|(name, _)| !is_own(name));
        let mut url = request.authorization_endpoint.clone();
        url.query_pairs_mut()
            .extend_pairs(own.iter().copied().chain(scope))
            .extend_pairs(more);
        Ok(Self {
            url,
            redirect_uri,
            issuer: request.issuer.clone(),
            state,
            verifier,
            deadline,
            progress: Progress::Waiting,
        })
    }

    /// The address to open in the player's browser. It contains the secret state: show it only to the player.
    pub fn authorization_url(&self) -> &Url {
        &self.url
    }

    /// The address to which the browser is redirected: `http://127.0.0.1:PORT/callback`.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Takes a request to the loopback server. Returns the response.
    ///
    /// Only the first `GET` of the callback with the right state ends the login. Any other request (for a
    /// favicon, or a callback that some page forged) is refused and changes nothing.
    pub fn receive(&mut self, method: &Method, target: &str) -> OAuthAnswer {
        if path_of(target) != CALLBACK_PATH {
            return page::answer(StatusCode::NOT_FOUND, page::NOTHING_HERE);
        }
        if *method != Method::GET {
            let mut answer = page::answer(StatusCode::METHOD_NOT_ALLOWED, page::NOTHING_HERE);
            answer
                .headers
                .insert(header::ALLOW, HeaderValue::from_static("GET"));
            return answer;
        }
        if !matches!(self.progress, Progress::Waiting) {
            return page::answer(StatusCode::GONE, page::OVER);
        }
        let Some(callback) = Callback::parse(query_of(target).unwrap_or_default()) else {
            return page::answer(StatusCode::BAD_REQUEST, page::NOT_THIS_LOGIN);
        };
        let given = callback.state.unwrap_or_default();
        if !is_same_secret(given.as_bytes(), self.state.as_bytes()) {
            return page::answer(StatusCode::BAD_REQUEST, page::NOT_THIS_LOGIN);
        }
        let outcome = self.judge(callback.issuer, callback.code, callback.error);
        let mut answer = match &outcome {
            Ok(_) => page::answer(StatusCode::OK, page::WELCOME),
            Err(_) => page::answer(StatusCode::OK, page::FAILED),
        };
        answer.is_last = true;
        self.progress = Progress::Done(outcome);
        answer
    }

    /// Ends the login when its deadline has passed. Returns whether the login has ended, for any reason.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        if matches!(self.progress, Progress::Waiting) && now >= self.deadline {
            self.progress = Progress::Done(Err(OAuthError::TimedOut));
        }
        !matches!(self.progress, Progress::Waiting)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Cancels the login, unless it has ended.
    pub fn cancel(&mut self) {
        if matches!(self.progress, Progress::Waiting) {
            self.progress = Progress::Done(Err(OAuthError::Cancelled));
        }
    }

    /// The result, once. `None` while the login is under way and after the result was taken.
    pub fn take_outcome(&mut self) -> Option<Result<AuthorizationCode, OAuthError>> {
        match std::mem::replace(&mut self.progress, Progress::Taken) {
            Progress::Done(outcome) => Some(outcome),
            before @ (Progress::Waiting | Progress::Taken) => {
                self.progress = before;
                None
            }
        }
    }

    fn judge(
        &self,
        issuer: Option<String>,
        code: Option<String>,
        error: Option<String>,
    ) -> Result<AuthorizationCode, OAuthError> {
        if self.issuer.is_some() && issuer != self.issuer {
            return Err(OAuthError::Issuer);
        }
        if let Some(error) = error {
            return Err(OAuthError::Refused(printable(&error)));
        }
        let code = code.filter(|code| !code.is_empty());
        Ok(AuthorizationCode {
            code: code.ok_or(OAuthError::NoCode)?,
            verifier: self.verifier.clone(),
            redirect_uri: self.redirect_uri.clone(),
        })
    }
}

/// The parameters of a callback. No parameter may occur twice (RFC 6749 §3.1).
#[derive(Default)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

impl Callback {
    fn parse(query: &str) -> Option<Self> {
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "state" => &mut callback.state,
                "code" => &mut callback.code,
                "error" => &mut callback.error,
                "iss" => &mut callback.issuer,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(callback)
    }
}

/// The `code_challenge` of a `code_verifier` by the method `S256` (RFC 7636 §4.2): its SHA-256 in base64url without
/// padding. [`OAuthLoopback`](super::OAuthLoopback) puts it into the address by itself; an authorization server
/// compares with it.
pub fn code_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Nobody may read or change the page that asks for the password on its way.
fn is_trustworthy(endpoint: &Url) -> bool {
    let is_loopback = || match endpoint.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = endpoint.scheme() == "https" || (endpoint.scheme() == "http" && is_loopback());
    is_safe && endpoint.fragment().is_none()
}

/// An error code that RFC 6749 §4.1.2.1 allows: it will be shown and logged.
fn printable(error: &str) -> String {
    error
        .chars()
        .filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\'))
        .take(64)
        .collect()
}

impl fmt::Debug for OAuthLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthLogin")
            .field("redirect_uri", &self.redirect_uri)
            .field("is_waiting", &matches!(self.progress, Progress::Waiting))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint => {
                f.write_str("the authorization endpoint is not https, or it has a fragment")
            }
            Self::Refused(code) => write!(f, "the authorization server refused: {code}"),
            Self::Issuer => f.write_str("the response comes from another authorization server"),
            Self::NoCode => f.write_str("the response holds neither a code nor an error"),
            Self::TimedOut => f.write_str("the browser did not return in time"),
            Self::Cancelled => f.write_str("the login was cancelled"),
        }
    }
}

impl std::error::Error for OAuthError {}
