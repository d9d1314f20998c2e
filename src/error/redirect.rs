//! [`RedirectRefusal`]: why a redirect was not followed (RFC 9110 §15.4).

use std::error::Error as StdError;
use std::fmt;

/// Why a redirect was not followed. The redirect itself is delivered as the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectRefusal {
    /// More than [`RedirectPolicy::max`](crate::redirect::RedirectPolicy::max) redirects; holds that maximum.
    TooMany(u32),
    /// From `https` to `http`.
    Downgrade,
    /// To a scheme other than `http` and `https`.
    UnsupportedScheme,
    /// `Location` is not a URL reference (RFC 9110 §10.2.2), or there are several that differ.
    InvalidLocation,
    /// In a browser: the request does not follow redirects, and a browser shows a page no redirect that it does
    /// not follow. There is no response.
    NotFollowedOnWeb,
}

impl fmt::Display for RedirectRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(max) => write!(
                f,
                "more than {max} redirects (RedirectPolicy::max); perhaps the server redirects in a circle"
            ),
            Self::Downgrade => f.write_str(
                "redirected from https to http; request the http URL itself, or set \
                 RedirectPolicy::allow_downgrade",
            ),
            Self::UnsupportedScheme => f.write_str(
                "redirected to a scheme other than http and https; see the Location field of the \
                 response",
            ),
            Self::NotFollowedOnWeb => f.write_str(
                "the server redirected, which this request does not allow; in a browser, which shows no \
                 redirect, request the new URL itself or leave RedirectPolicy and AccessPolicy out",
            ),
            Self::InvalidLocation => f.write_str(
                "redirected to a Location that is not a URL, or to several; see that field of the response",
            ),
        }
    }
}

impl StdError for RedirectRefusal {}
