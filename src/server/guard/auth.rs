//! Basic (RFC 7617) and bearer (RFC 6750) credentials for a path and the paths below it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{self, HeaderValue};

use super::scope::Scope;
use super::secret::is_same_secret;
use super::token::{bearer, credentials};
use super::{GuardRequest, Refusal, RefusalReason};

/// Credentials that a part of the server requires. `Debug` hides them.
///
/// Without TLS others can read them on the way.
#[derive(Clone)]
pub struct Auth {
    scope: Scope,
    realm: String,
    accepted: Accepted,
}

/// Why these credentials cannot be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAuth {
    /// The realm holds control characters or letters beyond ASCII.
    Realm,
    /// The name of a user holds a colon or control characters (RFC 7617 §2), or a password holds control
    /// characters.
    User,
    /// A bearer token is empty, or holds characters that no token may hold (RFC 6750 §2.1).
    Token,
}

#[derive(Clone)]
enum Accepted {
    /// `name:password`
    Users(Vec<String>),
    Tokens(Vec<String>),
}

impl Auth {
    /// Requires the name and password of one of these users below this path.
    pub fn basic<'a>(
        path: &str,
        realm: &str,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidAuth> {
        let users = users.into_iter().map(|(name, password)| {
            let is_clean =
                !name.contains(':') && !name.chars().chain(password.chars()).any(char::is_control);
            is_clean
                .then(|| format!("{name}:{password}"))
                .ok_or(InvalidAuth::User)
        });
        Self::new(
            path,
            realm,
            Accepted::Users(users.collect::<Result<_, _>>()?),
        )
    }

    /// Requires one of these bearer tokens below this path.
    pub fn bearer<'a>(
        path: &str,
        realm: &str,
        tokens: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidAuth> {
        let tokens = tokens.into_iter().map(|token| {
            let is_token = !token.is_empty()
                && token
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
            is_token.then(|| token.to_owned()).ok_or(InvalidAuth::Token)
        });
        Self::new(
            path,
            realm,
            Accepted::Tokens(tokens.collect::<Result<_, _>>()?),
        )
    }

    fn new(path: &str, realm: &str, accepted: Accepted) -> Result<Self, InvalidAuth> {
        if !realm.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(InvalidAuth::Realm);
        }
        Ok(Self {
            scope: Scope::new(path),
            realm: realm.replace('\\', "\\\\").replace('"', "\\\""),
            accepted,
        })
    }

    pub(super) fn check(&self, request: &GuardRequest<'_>) -> Result<(), Refusal> {
        if !self.scope.covers(request.target) {
            return Ok(());
        }
        let given = match &self.accepted {
            Accepted::Users(_) => credentials(request, b"basic")
                .map(|given| STANDARD.decode(given).unwrap_or_default()),
            Accepted::Tokens(_) => bearer(request).map(<[u8]>::to_vec),
        };
        let (Accepted::Users(accepted) | Accepted::Tokens(accepted)) = &self.accepted;
        // Every secret is compared, so that the time does not show which one was nearly right.
        let matches = given.as_ref().map_or(0, |given| {
            accepted
                .iter()
                .filter(|expected| is_same_secret(given, expected.as_bytes()))
                .count()
        });
        if matches > 0 {
            Ok(())
        } else {
            Err(self.challenge(given.is_some()))
        }
    }

    fn challenge(&self, was_given: bool) -> Refusal {
        let realm = &self.realm;
        let challenge = match (&self.accepted, was_given) {
            (Accepted::Users(_), _) => format!("Basic realm=\"{realm}\", charset=\"UTF-8\""),
            (Accepted::Tokens(_), false) => format!("Bearer realm=\"{realm}\""),
            // RFC 6750 §3.1
            (Accepted::Tokens(_), true) => {
                format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")
            }
        };
        let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::Credentials);
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            refusal.headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        refusal
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("scope", &self.scope)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for InvalidAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Realm => "a realm is visible ASCII",
            Self::User => {
                "a user's name holds no colon, and neither it nor the password a control character"
            }
            Self::Token => "a bearer token is letters, digits and -._~+/=",
        })
    }
}

impl std::error::Error for InvalidAuth {}
