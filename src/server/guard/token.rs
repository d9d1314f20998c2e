//! The token of one run. It is made at each start and given to the programs that may use the server (by the
//! port file, or by the link that opens the page). Requests that change something need it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};

use super::secret::is_same_secret;
use super::{GuardRequest, Refusal, RefusalReason};
use crate::server::target::query_of;

/// The field that may hold a token. Pages of other sites cannot set it without a preflight.
pub const RUN_TOKEN_FIELD: &str = "x-run-token";

/// The query parameter that may hold a token, once: links end up in histories and logs.
pub const RUN_TOKEN_QUERY: &str = "token";

/// A secret that lives as long as the server. `Debug` hides it.
#[derive(Clone)]
pub struct RunToken(String);

/// Which requests need the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenScope {
    /// Requests that may change something: all methods except `GET`, `HEAD` and `OPTIONS`.
    #[default]
    UnsafeMethods,
    /// All requests.
    EveryRequest,
}

impl RunToken {
    /// A token of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The token as it is sent: 43 letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is(&self, given: &[u8]) -> bool {
        is_same_secret(given, self.0.as_bytes())
    }
}

impl fmt::Debug for RunToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToken(..)")
    }
}

/// The check for a token.
#[derive(Debug)]
pub(super) struct TokenCheck {
    token: RunToken,
    scope: TokenScope,
    query: Query,
}

/// Whether a query may still hold the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    Open,
    Used,
}

impl TokenCheck {
    pub(super) fn new(token: RunToken, scope: TokenScope) -> Self {
        Self {
            token,
            scope,
            query: Query::Open,
        }
    }

    pub(super) fn check(&mut self, request: &GuardRequest<'_>) -> Result<(), Refusal> {
        let in_fields = bearer(request)
            .into_iter()
            .chain(request.fields.get(RUN_TOKEN_FIELD))
            .any(|given| self.token.is(given));
        // A token in a query is used up even if the request did not need it: the link has been opened.
        if in_fields || self.takes_query(request.target) || !self.needs(request.method) {
            return Ok(());
        }
        let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::Token);
        refusal
            .headers
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Err(refusal)
    }

    fn needs(&self, method: &Method) -> bool {
        match self.scope {
            TokenScope::EveryRequest => true,
            TokenScope::UnsafeMethods => {
                !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            }
        }
    }

    fn takes_query(&mut self, target: &str) -> bool {
        let given = query_of(target)
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == RUN_TOKEN_QUERY);
        let is_taken = self.query == Query::Open
            && given.is_some_and(|(_, given)| self.token.is(given.as_bytes()));
        if is_taken {
            self.query = Query::Used;
        }
        is_taken
    }
}

/// The credentials of `Authorization: Bearer` (RFC 6750 §2.1).
pub(super) fn bearer<'a>(request: &GuardRequest<'a>) -> Option<&'a [u8]> {
    credentials(request, b"bearer")
}

/// What follows this scheme in `Authorization` (RFC 9110 §11.4).
pub(super) fn credentials<'a>(request: &GuardRequest<'a>, scheme: &[u8]) -> Option<&'a [u8]> {
    let value = request.fields.get("authorization")?;
    let end = value.iter().position(|&byte| byte == b' ')?;
    let (given, rest) = value.split_at(end);
    given
        .eq_ignore_ascii_case(scheme)
        .then(|| rest.trim_ascii_start())
}
