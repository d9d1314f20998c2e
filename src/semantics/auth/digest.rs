//! Digest (RFC 7616): a challenge of the server, its nonce, and the count of the nonce's uses. Choosing
//! between schemes belongs to `auth`.
//!
//! Realms and nonces are bytes: they are hashed and sent back as they were received, whatever their
//! encoding. User names and passwords are hashed in UTF-8, which is what `charset=UTF-8` asks for (RFC 7616
//! §4). Without that parameter no encoding is specified, and most clients use UTF-8.

use http::{HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Digest;

use super::{Challenge, named, sensitive};
use crate::error::AuthFault;

/// What `username*` holds as it is: `attr-char` of RFC 8187 §3.2.1.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The hash functions, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512Trunc256,
}

/// The algorithms by name (RFC 7616 §6.1), and whether they are of the `-sess` kind.
const ALGORITHMS: [(&str, Algorithm, bool); 6] = [
    ("MD5", Algorithm::Md5, false),
    ("MD5-sess", Algorithm::Md5, true),
    ("SHA-256", Algorithm::Sha256, false),
    ("SHA-256-sess", Algorithm::Sha256, true),
    ("SHA-512-256", Algorithm::Sha512Trunc256, false),
    ("SHA-512-256-sess", Algorithm::Sha512Trunc256, true),
];

impl Algorithm {
    /// The hash of the parts, with colons between them, in hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Self::Md5 => hexadecimal(&md5::Md5::digest(text)),
            Self::Sha256 => hexadecimal(&sha2::Sha256::digest(text)),
            Self::Sha512Trunc256 => hexadecimal(&sha2::Sha512_256::digest(text)),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A challenge, a nonce of the server, and the count of its uses.
#[derive(Debug)]
pub(super) struct DigestSession {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    /// The nonce of the challenge. The `-sess` algorithms keep it when the nonce changes (RFC 7616 §3.4.2).
    first_nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    /// The algorithm's name, if the challenge has one.
    name: Option<&'static str>,
    algorithm: Algorithm,
    keeps_key: bool,
    /// Without it, the response is computed as in RFC 2069, which servers that old still expect.
    has_qop: bool,
    hashes_user: bool,
    is_utf8: bool,
    stale: bool,
    count: u32,
    /// The same for all uses of a challenge: the `-sess` algorithms take the first one (RFC 7616 §3.4.2), and
    /// the count makes each response unique.
    cnonce: String,
}

impl DigestSession {
    /// Uses the Digest challenge with the strongest algorithm. Among equals, the first. If none can be
    /// used, the fault is that of the first.
    pub(super) fn strongest(challenges: &[Challenge], cnonce: &str) -> Result<Self, AuthFault> {
        let mut strongest: Option<Self> = None;
        let mut first_fault = None;
        for challenge in challenges.iter().filter(|challenge| challenge.is("Digest")) {
            match Self::of(challenge, cnonce) {
                Err(fault) => drop(first_fault.get_or_insert(fault)),
                Ok(session) => {
                    if strongest
                        .as_ref()
                        .is_none_or(|best| session.algorithm > best.algorithm)
                    {
                        strongest = Some(session);
                    }
                }
            }
        }
        strongest.ok_or_else(|| first_fault.unwrap_or(AuthFault::InvalidChallenge))
    }

    fn of(challenge: &Challenge, cnonce: &str) -> Result<Self, AuthFault> {
        let required = |name| {
            quotable(challenge, name)?
                .map(<[u8]>::to_vec)
                .ok_or(AuthFault::InvalidDigest(name))
        };
        let is = |name, wanted: &str| {
            let value = parameter(challenge, name)?;
            Ok(value.is_some_and(|value| value.eq_ignore_ascii_case(wanted.as_bytes())))
        };
        let (name, algorithm, keeps_key) = match parameter(challenge, "algorithm")? {
            None => (None, Algorithm::Md5, false),
            Some(given) => ALGORITHMS
                .into_iter()
                .find(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(given))
                .map(|(name, algorithm, keeps_key)| (Some(name), algorithm, keeps_key))
                .ok_or_else(|| unsupported("algorithm", given))?,
        };
        let qop = parameter(challenge, "qop")?;
        if let Some(offered) = qop
            && !offered
                .split(|byte| *byte == b',')
                .any(|it| it.trim_ascii().eq_ignore_ascii_case(b"auth"))
        {
            return Err(unsupported("qop", offered));
        }
        let nonce = required("nonce")?;
        Ok(Self {
            realm: required("realm")?,
            first_nonce: nonce.clone(),
            nonce,
            opaque: quotable(challenge, "opaque")?.map(<[u8]>::to_vec),
            name,
            algorithm,
            keeps_key,
            has_qop: qop.is_some(),
            hashes_user: is("userhash", "true")?,
            is_utf8: is("charset", "UTF-8")?,
            stale: is("stale", "true")?,
            count: 0,
            cnonce: cnonce.to_owned(),
        })
    }

    /// Whether the server said that the credentials were right but the nonce too old.
    pub(super) fn stale(&self) -> bool {
        self.stale
    }

    /// Uses this nonce from now on (`nextnonce`, RFC 7616 §3.5). Its count begins at 1.
    pub(super) fn renew(&mut self, nonce: &[u8]) {
        // A count that began again with the same nonce would look like an attack.
        if nonce != self.nonce && !nonce.is_empty() && is_quotable(nonce) {
            self.nonce = nonce.to_vec();
            self.count = 0;
        }
    }

    /// The field for one request. `None` when the nonce was used as often as can be counted: a request
    /// without credentials then brings another one.
    pub(super) fn respond(
        &mut self,
        user: &str,
        password: &str,
        method: &Method,
        target: &str,
    ) -> Result<Option<HeaderValue>, AuthFault> {
        if user.contains(char::is_control) {
            return Err(AuthFault::InvalidUser);
        }
        let Some(count) = self.count.checked_add(1) else {
            return Ok(None);
        };
        self.count = count;
        let count = format!("{count:08x}");
        let response = self.response(user, password, method, target, &count);

        let mut out = Parameters(b"Digest ".to_vec());
        if self.hashes_user {
            let hash = self.algorithm.hash(&[user.as_bytes(), &self.realm]);
            out.quoted("username", hash.as_bytes());
            out.plain("userhash", "true");
        } else if self.is_utf8 && !user.is_ascii() {
            let escaped = utf8_percent_encode(user, ESCAPED);
            out.plain("username*", &format!("UTF-8''{escaped}"));
        } else {
            // Servers that do not say `charset` are older than `username*`.
            out.quoted("username", user.as_bytes());
        }
        out.quoted("realm", &self.realm);
        out.quoted("uri", target.as_bytes());
        out.quoted("nonce", &self.nonce);
        if let Some(name) = self.name {
            out.plain("algorithm", name);
        }
        if self.has_qop {
            out.plain("nc", &count);
            out.quoted("cnonce", self.cnonce.as_bytes());
            out.plain("qop", "auth");
        }
        out.quoted("response", response.as_bytes());
        if let Some(opaque) = &self.opaque {
            out.quoted("opaque", opaque);
        }
        let value = sensitive(out.0).ok_or(AuthFault::InvalidChallenge)?;
        Ok(Some(value))
    }

    /// The value of `response` (RFC 7616 §3.4.1; without `qop` RFC 2069 §2.1.2).
    fn response(
        &self,
        user: &str,
        password: &str,
        method: &Method,
        target: &str,
        count: &str,
    ) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let cnonce = self.cnonce.as_bytes();
        let mut key = hash(&[user.as_bytes(), &self.realm, password.as_bytes()]);
        if self.keeps_key {
            key = hash(&[key.as_bytes(), &self.first_nonce, cnonce]);
        }
        let request = hash(&[method.as_str().as_bytes(), target.as_bytes()]);
        let (key, request) = (key.as_bytes(), request.as_bytes());
        if self.has_qop {
            let count = count.as_bytes();
            hash(&[key, &self.nonce, count, cnonce, b"auth", request])
        } else {
            hash(&[key, &self.nonce, request])
        }
    }
}

/// The parameters of a field, in the order in which they were added.
struct Parameters(Vec<u8>);

impl Parameters {
    fn plain(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.0.extend_from_slice(value.as_bytes());
    }

    fn quoted(&mut self, name: &str, value: &[u8]) {
        self.begin(name);
        self.0.push(b'"');
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                self.0.push(b'\\');
            }
            self.0.push(*byte);
        }
        self.0.push(b'"');
    }

    fn begin(&mut self, name: &str) {
        if !self.0.ends_with(b"Digest ") {
            self.0.extend_from_slice(b", ");
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
    }
}

/// A parameter's value. Which of two is meant cannot be known (RFC 9110 §11.2: only one may be there).
fn parameter<'a>(
    challenge: &'a Challenge,
    name: &'static str,
) -> Result<Option<&'a [u8]>, AuthFault> {
    let mut values = challenge.parameters.iter().filter(|it| named(it, name));
    let value = values.next();
    if values.next().is_some() {
        return Err(AuthFault::InvalidDigest(name));
    }
    Ok(value.map(|(_, value)| value.as_slice()))
}

/// A parameter's value that can be sent back.
fn quotable<'a>(
    challenge: &'a Challenge,
    name: &'static str,
) -> Result<Option<&'a [u8]>, AuthFault> {
    let value = parameter(challenge, name)?;
    if value.is_some_and(|value| !is_quotable(value)) {
        return Err(AuthFault::InvalidDigest(name));
    }
    Ok(value)
}

/// Whether a quoted string may hold these bytes (RFC 9110 §5.6.4).
fn is_quotable(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

/// `given` comes from the peer: its beginning, in printable characters.
fn unsupported(name: &str, given: &[u8]) -> AuthFault {
    let printable = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    };
    let given = given.iter().take(64).map(printable).collect::<String>();
    AuthFault::UnsupportedDigest(format!("{name}={given}"))
}
