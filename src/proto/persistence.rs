//! [`Persistence`]: whether a connection may carry another exchange, and if not, why (RFC 9112 §9.3).
//! Here is what one message says about it; `state` keeps what was said first.

use http::Version;

use super::fields::FieldLines;

/// Whether the connection may carry another exchange once this one is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// Both messages are complete and nothing speaks against another exchange.
    Reuse,
    /// The connection ends with this exchange.
    Close(CloseReason),
}

/// Why a connection cannot be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The content ends where the connection ends (RFC 9112 §6.3).
    CloseDelimited,
    /// A response had `Content-Length` and `Transfer-Encoding` both; where it ends is open to doubt
    /// (RFC 9112 §6.3).
    ContentLengthWithTransferEncoding,
    /// A final response went out while the client was waiting for `100 Continue`; nobody can know
    /// whether content follows (RFC 9110 §10.1.1).
    ContentNotAsked,
    /// A message was HTTP/1.0 and did not ask for `keep-alive` (RFC 9112 §9.3).
    Http10,
    /// A response went out although no request had come (RFC 9112 §9.5).
    NoRequest,
    /// The peer sent `Connection: close` (RFC 9112 §9.6).
    PeerAsked,
    /// The peer closed its side.
    PeerClosed,
    /// The peer broke the protocol or went over a limit.
    ProtocolError,
    /// The connection belongs to another protocol now (RFC 9110 §7.8, §9.3.6).
    Switched,
    /// An HTTP/1.0 message was chunked (RFC 9112 §6.1).
    TransferEncodingInHttp10,
    /// A response that has no content by its status (204, 304) declared a transfer coding: the end of a
    /// chunked body may follow (RFC 9112 §6.3).
    TransferEncodingWithoutContent,
    /// The exchange is not done yet.
    Unfinished,
    /// The request's content was not received to its end, though the response was sent.
    UnreadContent,
    /// The request's content was not sent to its end, though the response came (RFC 9112 §9.3).
    UnsentContent,
    /// We sent `Connection: close` (RFC 9112 §9.6).
    WeAsked,
}

/// Whether a message wants the connection to end: a `close` token beats `keep-alive`, HTTP/1.0
/// means close unless `keep-alive` is asked for (RFC 9112 §9.3). `asked` is the reason that
/// `close` stands for.
pub(super) fn wish_to_close(
    version: Version,
    fields: &FieldLines,
    asked: CloseReason,
) -> Option<CloseReason> {
    if fields.has_token("connection", "close") {
        Some(asked)
    } else if version == Version::HTTP_10 && !fields.has_token("connection", "keep-alive") {
        Some(CloseReason::Http10)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persistence() {
        let asked = CloseReason::PeerAsked;
        for (version, lines, expected) in [
            (Version::HTTP_11, &[][..], None),
            (Version::HTTP_11, &["close"], Some(asked)),
            (Version::HTTP_11, &["Close"], Some(asked)),
            (Version::HTTP_11, &["closed"], None),
            (Version::HTTP_11, &["keep-alive"], None),
            (Version::HTTP_11, &["keep-alive, close"], Some(asked)),
            (Version::HTTP_11, &["keep-alive", "x", "close"], Some(asked)),
            (Version::HTTP_11, &["upgrade,close"], Some(asked)),
            (Version::HTTP_10, &[], Some(CloseReason::Http10)),
            (Version::HTTP_10, &["x"], Some(CloseReason::Http10)),
            (Version::HTTP_10, &["Keep-Alive"], None),
            (Version::HTTP_10, &["keep-alive", "close"], Some(asked)),
        ] {
            let mut fields = FieldLines::new();
            for line in lines {
                fields.append("connection", line).unwrap();
            }
            assert_eq!(
                wish_to_close(version, &fields, asked),
                expected,
                "{version:?} {lines:?}"
            );
        }
    }
}
