//! Godot's codes for the result of a request, for programs translated from its `HTTPRequest`.

use crate::error::{DiskFault, DiskStep, Error, ErrorKind, NetworkFault, RedirectRefusal};
use crate::limits::Limit;
use crate::phase::Phase;

/// Godot's `HTTPRequest.Result`: the same names, order and numbers as in Godot 4.
///
/// A response with any status is `Success`. For an error use `HttpRequestResult::from(&error)`:
///
/// | [`ErrorKind`] | Godot |
/// |---|---|
/// | `Truncated` | `RESULT_CHUNKED_BODY_SIZE_MISMATCH` |
/// | `Network(ConnectFailed)`, `Proxy` | `RESULT_CANT_CONNECT` |
/// | `Network(Unresolved)` | `RESULT_CANT_RESOLVE` |
/// | `Network(Closed)` before the response head | `RESULT_NO_RESPONSE` |
/// | other `Network` errors, `Peer`, `WebSocket`, `Tls` after the handshake | `RESULT_CONNECTION_ERROR` |
/// | `Tls` in the handshake | `RESULT_TLS_HANDSHAKE_ERROR` |
/// | `Limit(BodyBytes)`, `Limit(FileBytes)` | `RESULT_BODY_SIZE_LIMIT_EXCEEDED` |
/// | `Coding` | `RESULT_BODY_DECOMPRESS_FAILED` |
/// | `File` before the first write | `RESULT_DOWNLOAD_FILE_CANT_OPEN` |
/// | `File` from the first write on | `RESULT_DOWNLOAD_FILE_WRITE_ERROR` |
/// | `Redirect(TooMany)` | `RESULT_REDIRECT_LIMIT_REACHED` |
/// | `Timeout`, `TotalTimeout` | `RESULT_TIMEOUT` |
/// | everything else | `RESULT_REQUEST_FAILED` |
///
/// ```
/// use httpoll::agent::HttpRequestResult;
/// use httpoll::{Error, ErrorKind, Phase};
///
/// let error = Error::new(ErrorKind::Timeout(Phase::Connect));
/// let result = HttpRequestResult::from(&error);
/// assert_eq!((result, result as u8), (HttpRequestResult::Timeout, 13));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum HttpRequestResult {
    /// `RESULT_SUCCESS`
    Success = 0,
    /// `RESULT_CHUNKED_BODY_SIZE_MISMATCH`
    ChunkedBodySizeMismatch = 1,
    /// `RESULT_CANT_CONNECT`
    CantConnect = 2,
    /// `RESULT_CANT_RESOLVE`
    CantResolve = 3,
    /// `RESULT_CONNECTION_ERROR`
    ConnectionError = 4,
    /// `RESULT_TLS_HANDSHAKE_ERROR`
    TlsHandshakeError = 5,
    /// `RESULT_NO_RESPONSE`
    NoResponse = 6,
    /// `RESULT_BODY_SIZE_LIMIT_EXCEEDED`
    BodySizeLimitExceeded = 7,
    /// `RESULT_BODY_DECOMPRESS_FAILED`
    BodyDecompressFailed = 8,
    /// `RESULT_REQUEST_FAILED`
    RequestFailed = 9,
    /// `RESULT_DOWNLOAD_FILE_CANT_OPEN`
    DownloadFileCantOpen = 10,
    /// `RESULT_DOWNLOAD_FILE_WRITE_ERROR`
    DownloadFileWriteError = 11,
    /// `RESULT_REDIRECT_LIMIT_REACHED`
    RedirectLimitReached = 12,
    /// `RESULT_TIMEOUT`
    Timeout = 13,
}

impl From<&Error> for HttpRequestResult {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Timeout(_) | ErrorKind::TotalTimeout(_) => Self::Timeout,
            ErrorKind::Truncated { .. } => Self::ChunkedBodySizeMismatch,
            ErrorKind::Network(NetworkFault::Unresolved) => Self::CantResolve,
            ErrorKind::Network(NetworkFault::ConnectFailed) | ErrorKind::Proxy(_) => {
                Self::CantConnect
            }
            ErrorKind::Network(NetworkFault::Closed)
                if error.phase() == Some(Phase::AwaitHead) && error.bytes_received() == 0 =>
            {
                Self::NoResponse
            }
            ErrorKind::Tls(_) if error.phase() == Some(Phase::TlsHandshake) => {
                Self::TlsHandshakeError
            }
            ErrorKind::Network(_) | ErrorKind::Peer(_) | ErrorKind::Tls(_) => Self::ConnectionError,
            #[cfg(feature = "websocket")]
            ErrorKind::WebSocket(_) => Self::ConnectionError,
            ErrorKind::Limit(Limit::BodyBytes(_) | Limit::FileBytes(_)) => {
                Self::BodySizeLimitExceeded
            }
            ErrorKind::Coding(_) => Self::BodyDecompressFailed,
            ErrorKind::Redirect(RedirectRefusal::TooMany(_)) => Self::RedirectLimitReached,
            ErrorKind::File(fault) => of_file(fault),
            _ => Self::RequestFailed,
        }
    }
}

fn of_file(fault: &DiskFault) -> HttpRequestResult {
    match fault {
        DiskFault::Io { step, .. } => match step {
            DiskStep::StartWorker | DiskStep::Locate | DiskStep::CreateFolder | DiskStep::Open => {
                HttpRequestResult::DownloadFileCantOpen
            }
            DiskStep::Read => HttpRequestResult::RequestFailed,
            _ => HttpRequestResult::DownloadFileWriteError,
        },
        DiskFault::AlreadyInUse
        | DiskFault::NoFileName
        | DiskFault::NotAFile
        | DiskFault::ReservedName
        | DiskFault::NoFileSystem => HttpRequestResult::DownloadFileCantOpen,
        DiskFault::QuotaExceeded | DiskFault::TargetInUse => {
            HttpRequestResult::DownloadFileWriteError
        }
        _ => HttpRequestResult::RequestFailed,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::{CodingFault, PeerMisbehaved, TlsFault};

    #[test]
    fn results_have_the_numbers_of_godot() {
        let numbers: Vec<u8> = [
            HttpRequestResult::Success,
            HttpRequestResult::ChunkedBodySizeMismatch,
            HttpRequestResult::CantConnect,
            HttpRequestResult::CantResolve,
            HttpRequestResult::ConnectionError,
            HttpRequestResult::TlsHandshakeError,
            HttpRequestResult::NoResponse,
            HttpRequestResult::BodySizeLimitExceeded,
            HttpRequestResult::BodyDecompressFailed,
            HttpRequestResult::RequestFailed,
            HttpRequestResult::DownloadFileCantOpen,
            HttpRequestResult::DownloadFileWriteError,
            HttpRequestResult::RedirectLimitReached,
            HttpRequestResult::Timeout,
        ]
        .map(|result| result as u8)
        .to_vec();
        assert_eq!(numbers, (0..14).collect::<Vec<u8>>());
    }

    #[test]
    fn each_error_has_the_result_of_godot() {
        use HttpRequestResult as Godot;
        let file = |step| {
            let error = io::Error::from(io::ErrorKind::PermissionDenied);
            ErrorKind::File(DiskFault::io(step, &error))
        };
        let closed = || ErrorKind::Network(NetworkFault::Closed);
        for (kind, phase, expected) in [
            (
                ErrorKind::Network(NetworkFault::Unresolved),
                Phase::Resolve,
                Godot::CantResolve,
            ),
            (
                ErrorKind::Network(NetworkFault::ConnectFailed),
                Phase::Connect,
                Godot::CantConnect,
            ),
            (
                ErrorKind::Network(NetworkFault::Broken),
                Phase::SendBody,
                Godot::ConnectionError,
            ),
            (closed(), Phase::AwaitHead, Godot::NoResponse),
            (closed(), Phase::SendBody, Godot::ConnectionError),
            (
                ErrorKind::Tls(TlsFault::NotTls),
                Phase::TlsHandshake,
                Godot::TlsHandshakeError,
            ),
            (
                ErrorKind::Tls(TlsFault::Protocol),
                Phase::ReceiveBody,
                Godot::ConnectionError,
            ),
            (
                ErrorKind::Timeout(Phase::Resolve),
                Phase::Resolve,
                Godot::Timeout,
            ),
            (
                ErrorKind::TotalTimeout(Phase::Queue),
                Phase::Queue,
                Godot::Timeout,
            ),
            (
                ErrorKind::Truncated {
                    received: 1,
                    expected: Some(2),
                },
                Phase::ReceiveBody,
                Godot::ChunkedBodySizeMismatch,
            ),
            (
                ErrorKind::Limit(Limit::BodyBytes(1)),
                Phase::ReceiveBody,
                Godot::BodySizeLimitExceeded,
            ),
            (
                ErrorKind::Limit(Limit::FileBytes(1)),
                Phase::ReceiveBody,
                Godot::BodySizeLimitExceeded,
            ),
            (
                ErrorKind::Limit(Limit::HeadBytes(1)),
                Phase::AwaitHead,
                Godot::RequestFailed,
            ),
            (
                ErrorKind::Coding(CodingFault::Corrupt("gzip")),
                Phase::ReceiveBody,
                Godot::BodyDecompressFailed,
            ),
            (
                ErrorKind::Peer(PeerMisbehaved::NotHttp),
                Phase::AwaitHead,
                Godot::ConnectionError,
            ),
            (
                ErrorKind::Redirect(RedirectRefusal::TooMany(8)),
                Phase::ReceiveBody,
                Godot::RedirectLimitReached,
            ),
            (
                ErrorKind::Status(404),
                Phase::ReceiveBody,
                Godot::RequestFailed,
            ),
            (
                file(DiskStep::Open),
                Phase::Queue,
                Godot::DownloadFileCantOpen,
            ),
            (
                file(DiskStep::Write),
                Phase::ReceiveBody,
                Godot::DownloadFileWriteError,
            ),
            (
                file(DiskStep::Rename),
                Phase::ReceiveBody,
                Godot::DownloadFileWriteError,
            ),
            (file(DiskStep::Read), Phase::SendBody, Godot::RequestFailed),
        ] {
            let error = Error::new(kind).at(phase, "http://game.example");
            assert_eq!(Godot::from(&error), expected, "{error}");
        }
    }
}
