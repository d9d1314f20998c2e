//! [`Persistence`]: whether a connection may carry another exchange, and if not, why (RFC 9112 §9.3). This
//! file evaluates single messages; `state` keeps the first reason to close.

use http::Version;

use super::fields::FieldLines;

/// Whether the connection may carry another exchange after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Persistence {
    /// Both messages are complete, and there is no reason to close.
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
    /// A 204, which has no content, had a `Content-Length` other than 0: content may follow all the same (RFC 9110
    /// §8.6).
    ContentLengthWithoutContent,
    /// A response had both `Content-Length` and `Transfer-Encoding`, so its end is uncertain (RFC 9112
    /// §6.3).
    ContentLengthWithTransferEncoding,
    /// A final response was sent while the client was waiting for `100 Continue`, so it is unknown whether
    /// content follows (RFC 9110 §10.1.1).
    ContentNotAsked,
    /// A message was HTTP/1.0 and did not ask for `keep-alive` (RFC 9112 §9.3).
    Http10,
    /// A response was sent although no request had arrived (RFC 9112 §9.5).
    NoRequest,
    /// The peer sent `Connection: close` (RFC 9112 §9.6).
    PeerAsked,
    /// The peer closed its side.
    PeerClosed,
    /// The peer broke the protocol or exceeded a limit.
    ProtocolError,
    /// The connection now belongs to another protocol (RFC 9110 §7.8, §9.3.6).
    Switched,
    /// An HTTP/1.0 message was chunked (RFC 9112 §6.1).
    TransferEncodingInHttp10,
    /// A response that has no content because of its status (204, 304) declared a transfer coding: the end
    /// of a chunked body may follow (RFC 9112 §6.3).
    TransferEncodingWithoutContent,
    /// The exchange is not complete yet.
    Unfinished,
    /// The response was sent, but the request's content was not received completely.
    UnreadContent,
    /// The response arrived, but the request's content was not sent completely (RFC 9112 §9.3).
    UnsentContent,
    /// We sent `Connection: close` (RFC 9112 §9.6).
    WeAsked,
}

/// Whether a message asks for the connection to end. A `close` token takes precedence over `keep-alive`,
/// and HTTP/1.0 means close unless it asks for `keep-alive` (RFC 9112 §9.3). `asked` is the reason to
/// report for `close`.
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
