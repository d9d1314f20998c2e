//! [`AuthFault`]: why a request could not be authenticated (RFC 9110 §11).

use std::error::Error as StdError;
use std::fmt;

/// Why a request could not be authenticated. A response with status 401 is delivered with it, content included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFault {
    /// A user name or password with control characters, a Basic user name with a colon
    /// (RFC 7617 §2), or text in a URL that is not UTF-8.
    InvalidUser,
    /// A token with characters that RFC 6750 §2.1 does not allow.
    InvalidToken,
    /// The response has status 401 and no valid challenge (RFC 9110 §11.6.1).
    InvalidChallenge,
    /// The credentials fit none of the schemes that the server offers; holds the names of these schemes.
    Unsupported(String),
    /// The server requires Digest, and the feature `digest-auth` is off.
    DigestNotBuilt,
    /// The server requires a form of Digest that is not supported: an algorithm other than MD5,
    /// SHA-256 and SHA-512-256, or a quality of protection other than `auth`. Holds the parameter, such as
    /// `algorithm=SHA-1`.
    UnsupportedDigest(String),
    /// In the server's Digest challenge this parameter is missing, is there twice, or holds control
    /// characters (RFC 7616 §3.3).
    InvalidDigest(&'static str),
    /// The server refused the credentials. The agent reports this not as an error but by the response with
    /// status 401.
    Rejected,
}

impl fmt::Display for AuthFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUser => f.write_str(
                "the user name or password has control characters, is not UTF-8, or, for Basic, \
                 the name has a colon",
            ),
            Self::InvalidToken => {
                f.write_str("the bearer token has characters other than A-Z a-z 0-9 - . _ ~ + / =")
            }
            Self::InvalidChallenge => {
                f.write_str("the server requires credentials, but its challenge (WWW-Authenticate) is missing or invalid")
            }
            Self::Unsupported(schemes) => write!(
                f,
                "the server accepts only credentials of the scheme {schemes}; give Credentials of that kind"
            ),
            Self::DigestNotBuilt => {
                f.write_str("the server requires Digest; build with the feature digest-auth")
            }
            Self::UnsupportedDigest(parameter) => write!(
                f,
                "the server requires Digest with {parameter}; supported are the algorithms MD5, SHA-256 and \
                 SHA-512-256, with qop=auth or none"
            ),
            Self::InvalidDigest(parameter) => write!(
                f,
                "in the server's Digest challenge (WWW-Authenticate) {parameter} is missing, is there twice, \
                 or has control characters"
            ),
            Self::Rejected => f.write_str("the server refused the credentials; check them"),
        }
    }
}

impl StdError for AuthFault {}
