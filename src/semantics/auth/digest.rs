//! Digest (RFC 7616), using the crate `http-auth`: one server nonce and the count of its uses.
//! Choosing between schemes belongs to `auth`.

use http::{HeaderValue, Method};
use http_auth::digest::{Algorithm, Qop};
use http_auth::{ChallengeRef, DigestClient, ParamValue, PasswordParams};

use super::{Challenge, sensitive};
use crate::error::AuthFault;

/// A nonce of the server, and the count of its uses.
#[derive(Debug)]
pub(super) struct DigestSession {
    client: DigestClient,
    cnonce: String,
}

impl DigestSession {
    /// Uses the Digest challenge with the strongest algorithm. Among equals, the first.
    pub(super) fn strongest(challenges: &[Challenge], cnonce: String) -> Result<Self, AuthFault> {
        let mut strongest: Option<DigestClient> = None;
        for challenge in challenges.iter().filter(|challenge| challenge.is("Digest")) {
            if let Some(client) = client(challenge)
                && strongest
                    .as_ref()
                    .is_none_or(|best| strength(&client) > strength(best))
            {
                strongest = Some(client);
            }
        }
        Ok(Self {
            client: strongest.ok_or(AuthFault::UnsupportedDigest)?,
            // The same for all uses of a nonce: the `-sess` algorithms take the first one (RFC 7616
            // §3.4.2), and the count makes each response unique.
            cnonce,
        })
    }

    /// Whether the server said that the credentials were right but the nonce too old.
    pub(super) fn stale(&self) -> bool {
        self.client.stale()
    }

    pub(super) fn respond(
        &mut self,
        user: &str,
        password: &str,
        method: &Method,
        target: &str,
    ) -> Result<HeaderValue, AuthFault> {
        if user.contains(char::is_control) {
            return Err(AuthFault::InvalidUser);
        }
        let parameters = PasswordParams {
            username: user,
            password,
            uri: target,
            method: method.as_str(),
            body: None,
        };
        // The function's name warns of weak cnonces. Ours is random, too, but the caller passes it
        // in, like all random values here.
        let value = self
            .client
            .respond_with_testing_cnonce(&parameters, &self.cnonce)
            .map_err(|_| AuthFault::UnsupportedDigest)?;
        sensitive(value).ok_or(AuthFault::UnsupportedDigest)
    }
}

fn client(challenge: &Challenge) -> Option<DigestClient> {
    let escaped = challenge
        .parameters
        .iter()
        .map(|(name, value)| {
            let value = if name.eq_ignore_ascii_case("algorithm") {
                canonical(value).to_owned()
            } else {
                value.replace('\\', "\\\\").replace('"', "\\\"")
            };
            (name.as_str(), value)
        })
        .collect::<Vec<_>>();
    let mut reference = ChallengeRef::new("Digest");
    for (name, value) in &escaped {
        let value = ParamValue::try_from_escaped(value).ok()?;
        reference.params.push((*name, value));
    }
    DigestClient::try_from(&reference)
        .ok()
        .filter(|client| client.qop() & Qop::Auth)
}

/// Algorithm names are tokens. Servers write them in different letter cases.
fn canonical(algorithm: &str) -> &str {
    [
        "MD5",
        "MD5-sess",
        "SHA-256",
        "SHA-256-sess",
        "SHA-512-256",
        "SHA-512-256-sess",
    ]
    .into_iter()
    .find(|name| name.eq_ignore_ascii_case(algorithm))
    .unwrap_or(algorithm)
}

fn strength(client: &DigestClient) -> u8 {
    match client.algorithm() {
        Algorithm::Sha512Trunc256 => 3,
        Algorithm::Sha256 => 2,
        _ => 1,
    }
}
