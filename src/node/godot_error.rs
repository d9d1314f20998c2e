//! Godot's error codes, for programs that are ported from Godot.

use crate::error::{Error, ErrorKind, Misuse, NetworkFault};
use crate::phase::Phase;

/// Godot's `@GlobalScope.Error`, as far as its `HTTPClient` uses it, with the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum GodotError {
    /// `OK`
    Ok = 0,
    /// `ERR_UNAVAILABLE`
    Unavailable = 2,
    /// `ERR_UNCONFIGURED`
    Unconfigured = 3,
    /// `ERR_CANT_CONNECT`
    CantConnect = 25,
    /// `ERR_CANT_RESOLVE`
    CantResolve = 26,
    /// `ERR_CONNECTION_ERROR`
    ConnectionError = 27,
    /// `ERR_INVALID_DATA`
    InvalidData = 30,
    /// `ERR_INVALID_PARAMETER`
    InvalidParameter = 31,
}

impl From<&Error> for GodotError {
    /// The code that Godot's `HTTPClient` would return. The map loses much: Godot has one code for every
    /// misuse and one for every failure of a connection.
    ///
    /// | [`ErrorKind`] | Godot |
    /// |---|---|
    /// | `Misuse(NotConnected)` | `ERR_UNCONFIGURED` |
    /// | `Misuse(TlsNotBuilt)` | `ERR_UNAVAILABLE` |
    /// | `Misuse(..)` | `ERR_INVALID_PARAMETER` |
    /// | `RequestBody` | `ERR_INVALID_DATA` |
    /// | `Network(Unresolved)`, `Timeout(Resolve)` | `ERR_CANT_RESOLVE` |
    /// | `Network(ConnectFailed)`, `Proxy(..)`, `Timeout(Connect)`, `Timeout(Tunnel)` | `ERR_CANT_CONNECT` |
    /// | a failed TLS handshake, in the poll in which it fails | `ERR_CANT_CONNECT` |
    /// | everything else | `ERR_CONNECTION_ERROR` |
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Misuse(Misuse::NotConnected) => Self::Unconfigured,
            ErrorKind::Misuse(Misuse::TlsNotBuilt) => Self::Unavailable,
            ErrorKind::Misuse(_) => Self::InvalidParameter,
            ErrorKind::RequestBody => Self::InvalidData,
            ErrorKind::Network(NetworkFault::Unresolved) | ErrorKind::Timeout(Phase::Resolve) => {
                Self::CantResolve
            }
            ErrorKind::Network(NetworkFault::ConnectFailed)
            | ErrorKind::Proxy(_)
            | ErrorKind::Timeout(Phase::Connect | Phase::Tunnel) => Self::CantConnect,
            // Godot's `poll` returns this once, and `ERR_CONNECTION_ERROR` in the polls after it.
            ErrorKind::Tls(_) | ErrorKind::Timeout(_)
                if error.phase() == Some(Phase::TlsHandshake) && !error.was_reported_before() =>
            {
                Self::CantConnect
            }
            _ => Self::ConnectionError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ProxyFault, TlsFault};

    #[test]
    fn every_error_maps_to_the_documented_godot_code() {
        for (kind, code) in [
            (Misuse::NotConnected.into(), GodotError::Unconfigured),
            (Misuse::TlsNotBuilt.into(), GodotError::Unavailable),
            (Misuse::WrongStatus.into(), GodotError::InvalidParameter),
            (ErrorKind::RequestBody, GodotError::InvalidData),
            (
                ErrorKind::Network(NetworkFault::Unresolved),
                GodotError::CantResolve,
            ),
            (ErrorKind::Timeout(Phase::Resolve), GodotError::CantResolve),
            (
                ErrorKind::Network(NetworkFault::ConnectFailed),
                GodotError::CantConnect,
            ),
            (
                ErrorKind::Proxy(ProxyFault::AuthenticationRequired),
                GodotError::CantConnect,
            ),
            (ErrorKind::Timeout(Phase::Connect), GodotError::CantConnect),
            (
                TlsFault::CertificateExpired.into(),
                GodotError::ConnectionError,
            ),
            (
                ErrorKind::Timeout(Phase::AwaitHead),
                GodotError::ConnectionError,
            ),
        ] {
            let shown = format!("{kind:?}");
            assert_eq!(GodotError::from(&Error::new(kind)), code, "{shown}");
        }
        let error = Error::new(TlsFault::NotTls.into()).at(Phase::TlsHandshake, "https://a.b");
        assert_eq!(GodotError::from(&error), GodotError::CantConnect);
        let later = error.reported_before();
        assert_eq!(GodotError::from(&later), GodotError::ConnectionError);
        assert_eq!(GodotError::CantConnect as u8, 25);
        assert_eq!(GodotError::InvalidParameter as u8, 31);
    }
}
