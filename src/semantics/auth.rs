//! HTTP authentication: credentials, and the fields that carry them (RFC 9110 §11, Basic RFC 7617,
//! Bearer RFC 6750, Digest RFC 7616).
//!
//! One [`AuthSession`] belongs to one set of credentials and one protection space, that is, to an
//! origin or a proxy. One [`AuthAttempt`] belongs to one request. The agent finds credentials and
//! assigns requests to sessions. `redirect` keeps credentials from crossing origins.
//!
//! ```text
//! Basic, Bearer:  authorize → field ─── 401 ──► Rejected
//! Digest, Any:    authorize → none ──── 401 ──► challenged → authorize → field ── 401 ──► Rejected
//!                                                   ▲                              │
//!                                                   └────────── stale, once ───────┘
//! ```

mod challenge;
#[cfg(feature = "digest-auth")]
mod digest;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use url::Url;

use challenge::Challenge;
#[cfg(feature = "digest-auth")]
use challenge::Parameter;
#[cfg(feature = "digest-auth")]
use digest::DigestSession;

use crate::error::AuthFault;

/// The credentials to send, and the scheme. `Debug` shows neither names nor secrets.
///
/// What a response with status 401 leads to:
///
/// - A challenge that the credentials answer: the request is sent again, once (with Digest once more when the
///   nonce was stale). Content from a reader cannot be sent again; then the 401 is the response.
/// - The server refused the credentials: the 401 is the response.
/// - A challenge that they cannot answer (another scheme, an unknown algorithm, a missing nonce or realm, no
///   valid challenge at all): `Event::Failed` with `ErrorKind::Auth`, whose [`AuthFault`] names the scheme or
///   parameter. The response comes with the error, with its head and at most 1 MiB of its content.
///
/// A request without credentials, or with an `Authorization` field of its own, gets each 401 as a response.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credentials {
    /// Basic (RFC 7617), sent with the first request. Everyone on the network path can read them
    /// unless the URL is `https`.
    Basic {
        /// The user's name. It must not contain a colon or control characters.
        user: String,
        /// The password. It must not contain control characters.
        password: String,
    },
    /// A bearer token (RFC 6750), sent with the first request.
    Bearer(String),
    /// Digest (RFC 7616), sent only in response to a challenge. Needs the feature `digest-auth`.
    ///
    /// Later requests to the origin are sent with it at once, with the nonce of the challenge or of
    /// `Authentication-Info`. The name and the password are hashed in UTF-8; the server's realm and nonce
    /// as the bytes that it sent.
    Digest {
        /// The user's name.
        user: String,
        /// The password. It is never sent.
        password: String,
    },
    /// The strongest scheme that the server offers (curl's `--anyauth`), Digest before Basic. Sent
    /// only in response to a challenge.
    Any {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

impl Credentials {
    /// Basic credentials from the user name and password in a URL, percent-decoded. `None` when the
    /// URL has neither.
    ///
    /// # Errors
    /// [`AuthFault::InvalidUser`] when they are not UTF-8.
    pub fn from_url(url: &Url) -> Result<Option<Self>, AuthFault> {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        let decode = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map(|text| text.into_owned())
                .map_err(|_| AuthFault::InvalidUser)
        };
        Ok(Some(Self::Basic {
            user: decode(url.username())?,
            password: decode(url.password().unwrap_or_default())?,
        }))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self {
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::Digest { .. } => "Digest",
            Self::Any { .. } => "Any",
        };
        f.debug_struct(scheme).finish_non_exhaustive()
    }
}

/// The known requirements of one protection space, and the credentials for it.
#[derive(Debug)]
pub(crate) struct AuthSession {
    credentials: Credentials,
    scheme: Scheme,
}

#[derive(Debug)]
enum Scheme {
    /// No challenge has arrived, and the scheme cannot be guessed.
    Unknown,
    Basic,
    Bearer,
    #[cfg(feature = "digest-auth")]
    Digest(Box<DigestSession>),
}

/// What one request has tried so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthAttempt {
    sent: Sent,
    /// Whether a stale Digest nonce was already replaced once.
    #[cfg(feature = "digest-auth")]
    renewed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sent {
    #[default]
    Nothing,
    /// The same field each time: another challenge means that the server rejected it.
    Fixed,
    /// Digest with a nonce from an earlier request, which may have expired.
    #[cfg(feature = "digest-auth")]
    Remembered,
    /// Digest with a nonce from a challenge to this request.
    #[cfg(feature = "digest-auth")]
    Answer,
}

impl AuthSession {
    pub(crate) fn new(credentials: Credentials) -> Self {
        let scheme = match credentials {
            Credentials::Basic { .. } => Scheme::Basic,
            Credentials::Bearer(_) => Scheme::Bearer,
            Credentials::Digest { .. } | Credentials::Any { .. } => Scheme::Unknown,
        };
        Self {
            credentials,
            scheme,
        }
    }

    /// The session of this attempt.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The value of `Authorization` or `Proxy-Authorization` for a request about to be sent, marked
    /// as sensitive. `None` until a challenge names the scheme. `target` is the request target
    /// exactly as on the request line.
    pub(crate) fn authorize(
        &mut self,
        attempt: &mut AuthAttempt,
        method: &Method,
        target: &str,
    ) -> Result<Option<HeaderValue>, AuthFault> {
        match (&mut self.scheme, &self.credentials) {
            (
                Scheme::Basic,
                Credentials::Basic { user, password } | Credentials::Any { user, password },
            ) => {
                attempt.sent = Sent::Fixed;
                basic(user, password).map(Some)
            }
            (Scheme::Bearer, Credentials::Bearer(token)) => {
                attempt.sent = Sent::Fixed;
                bearer(token).map(Some)
            }
            #[cfg(feature = "digest-auth")]
            (
                Scheme::Digest(session),
                Credentials::Digest { user, password } | Credentials::Any { user, password },
            ) => {
                if attempt.sent != Sent::Answer {
                    attempt.sent = Sent::Remembered;
                }
                session.respond(user, password, method, target)
            }
            _ => {
                // Only Digest needs the method and target, which it signs.
                let _ = (method, target);
                Ok(None)
            }
        }
    }

    /// Processes the challenges of a 401 or 407: the values of all its `WWW-Authenticate` or
    /// `Proxy-Authenticate` fields. After `Ok`, send the request again with a field from
    /// [`authorize`](Self::authorize). `cnonce` must be random.
    ///
    /// A request responds to one challenge, and to one more when its credentials were right but the
    /// nonce was stale (RFC 7616 §3.3). So no server can keep a request in a loop.
    pub(crate) fn challenged<'a>(
        &mut self,
        attempt: &mut AuthAttempt,
        fields: impl IntoIterator<Item = &'a [u8]>,
        cnonce: [u8; 16],
    ) -> Result<(), AuthFault> {
        let challenges = fields
            .into_iter()
            .flat_map(challenge::parse)
            .collect::<Vec<_>>();
        if challenges.is_empty() {
            return Err(match attempt.sent {
                Sent::Nothing => AuthFault::InvalidChallenge,
                // Many servers refuse credentials without a challenge.
                _ => AuthFault::Rejected,
            });
        }
        match self.credentials {
            Credentials::Digest { .. } => self.answer_digest(attempt, &challenges, cnonce),
            Credentials::Any { .. } => {
                let offers_basic = challenges.iter().any(|challenge| challenge.is("Basic"));
                match self.answer_digest(attempt, &challenges, cnonce) {
                    Err(AuthFault::Rejected) => Err(AuthFault::Rejected),
                    Err(_) if offers_basic => self.answer_basic(attempt),
                    answer => answer,
                }
            }
            Credentials::Basic { .. } => answer_fixed(attempt, &challenges, "Basic"),
            Credentials::Bearer(_) => answer_fixed(attempt, &challenges, "Bearer"),
        }
    }

    /// Processes the values of `Authentication-Info` in the response to a request that was sent with Digest: the
    /// nonce for the next request (RFC 7616 §3.5).
    #[cfg(feature = "digest-auth")]
    pub(crate) fn take_info<'a>(
        &mut self,
        attempt: &AuthAttempt,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) {
        if let Scheme::Digest(session) = &mut self.scheme
            && matches!(attempt.sent, Sent::Remembered | Sent::Answer)
        {
            for parameter in fields.into_iter().flat_map(challenge::parse_info) {
                if named(&parameter, "nextnonce") {
                    session.renew(&parameter.1);
                }
            }
        }
    }

    fn answer_basic(&mut self, attempt: &AuthAttempt) -> Result<(), AuthFault> {
        match attempt.sent {
            Sent::Nothing => {}
            #[cfg(feature = "digest-auth")]
            Sent::Remembered => {}
            _ => return Err(AuthFault::Rejected),
        }
        self.scheme = Scheme::Basic;
        Ok(())
    }

    #[cfg(not(feature = "digest-auth"))]
    fn answer_digest(
        &mut self,
        _attempt: &mut AuthAttempt,
        challenges: &[Challenge],
        _cnonce: [u8; 16],
    ) -> Result<(), AuthFault> {
        offered(challenges, "Digest").and(Err(AuthFault::DigestNotBuilt))
    }

    #[cfg(feature = "digest-auth")]
    fn answer_digest(
        &mut self,
        attempt: &mut AuthAttempt,
        challenges: &[Challenge],
        cnonce: [u8; 16],
    ) -> Result<(), AuthFault> {
        offered(challenges, "Digest")?;
        let cnonce = format!("{:032x}", u128::from_be_bytes(cnonce));
        let session = DigestSession::strongest(challenges, &cnonce)?;
        if attempt.sent == Sent::Answer {
            if attempt.renewed || !session.stale() {
                return Err(AuthFault::Rejected);
            }
            attempt.renewed = true;
        }
        attempt.sent = Sent::Answer;
        self.scheme = Scheme::Digest(Box::new(session));
        Ok(())
    }
}

/// Normally the field was already sent, and the server refuses it or wants another scheme. It was not sent only
/// when the caller left it out.
fn answer_fixed(
    attempt: &AuthAttempt,
    challenges: &[Challenge],
    scheme: &str,
) -> Result<(), AuthFault> {
    offered(challenges, scheme)?;
    match attempt.sent {
        Sent::Fixed => Err(AuthFault::Rejected),
        _ => Ok(()),
    }
}

/// Whether a parameter has this name.
#[cfg(feature = "digest-auth")]
fn named(parameter: &Parameter, name: &str) -> bool {
    parameter.0.eq_ignore_ascii_case(name)
}

fn offered(challenges: &[Challenge], scheme: &str) -> Result<(), AuthFault> {
    if challenges.iter().any(|challenge| challenge.is(scheme)) {
        return Ok(());
    }
    let mut schemes = challenges
        .iter()
        .map(|challenge| challenge.scheme.as_str())
        .collect::<Vec<_>>();
    schemes.dedup();
    schemes.truncate(8);
    Err(AuthFault::Unsupported(schemes.join(", ")))
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, AuthFault> {
    // RFC 7617 §2: the name must not contain a colon, which would end it. Control characters are
    // forbidden.
    if user.contains(':') || user.contains(char::is_control) || password.contains(char::is_control)
    {
        return Err(AuthFault::InvalidUser);
    }
    let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    sensitive(value.into_bytes()).ok_or(AuthFault::InvalidUser)
}

fn bearer(token: &str) -> Result<HeaderValue, AuthFault> {
    // RFC 6750 §2.1: b64token.
    let value = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if value.is_empty() || !value.bytes().all(allowed) {
        return Err(AuthFault::InvalidToken);
    }
    sensitive(format!("Bearer {token}").into_bytes()).ok_or(AuthFault::InvalidToken)
}

fn sensitive(value: Vec<u8>) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;
