//! How long the content of a received message is (RFC 9112 §6.3): one function with one `match` for each
//! role. Reading the content is in `incoming`; what a *sent* message declares is in `emit`.

use http::{Method, StatusCode, Version};

use super::fields::FieldLines;
use super::grammar::trim_ows;
use super::head::{RequestHead, ResponseHead};
use super::persistence::CloseReason;
use crate::error::PeerMisbehaved;

/// Where the content of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no content.
    Empty,
    /// After this many bytes.
    Length(u64),
    /// After the last chunk and its trailer section.
    Chunked,
    /// Where the connection ends.
    UntilClose,
    /// There is no content, and HTTP ends with this head.
    Tunnel,
}

/// The framing of a message, and its effect on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framed {
    /// Where the content ends.
    pub(super) framing: Framing,
    /// Why the connection cannot be reused, if the framing forbids it.
    pub(super) close: Option<CloseReason>,
}

impl Framed {
    fn safe(framing: Framing) -> Self {
        let close = None;
        Self { framing, close }
    }

    fn closing(framing: Framing, reason: CloseReason) -> Self {
        let close = Some(reason);
        Self { framing, close }
    }
}

/// The framing of a response to a request of this method. If the status or the method allows no content,
/// invalid framing fields do no harm and are not checked.
pub(super) fn of_response(method: &Method, head: &ResponseHead) -> Result<Framed, PeerMisbehaved> {
    let coding = match TransferCoding::of(&head.fields) {
        // Old servers name the absence of a coding `identity` (RFC 2616 §3.6).
        TransferCoding::Identity => TransferCoding::Absent,
        coding => coding,
    };
    let has_length = || head.fields.contains("content-length");
    Ok(match (method, head.status, coding) {
        (_, status, _) if status.is_informational() => Framed::safe(Framing::Empty),
        (&Method::CONNECT, status, _) if status.is_success() => {
            Framed::closing(Framing::Tunnel, CloseReason::Switched)
        }
        // Neither field belongs there (RFC 9110 §8.6). Some servers still send the content that the length
        // announces, perhaps later. It must not be taken for the beginning of the next response.
        (_, StatusCode::NO_CONTENT, TransferCoding::Absent)
            if has_length() && !matches!(content_length(&head.fields), Ok(Some(0))) =>
        {
            Framed::closing(Framing::Empty, CloseReason::ContentLengthWithoutContent)
        }
        // In a response to HEAD, the coding is that of the response to GET (RFC 9112 §6.1): no content
        // follows.
        (&Method::HEAD, ..)
        | (_, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, TransferCoding::Absent) => {
            Framed::safe(Framing::Empty)
        }
        // Some servers still send the end of a chunked body, perhaps later. It must not be taken for the
        // beginning of the next response.
        (_, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => {
            Framed::closing(Framing::Empty, CloseReason::TransferEncodingWithoutContent)
        }
        (.., TransferCoding::Chunked) if has_length() => Framed::closing(
            Framing::Chunked,
            CloseReason::ContentLengthWithTransferEncoding,
        ),
        (.., TransferCoding::Chunked) if head.version == Version::HTTP_10 => {
            Framed::closing(Framing::Chunked, CloseReason::TransferEncodingInHttp10)
        }
        (.., TransferCoding::Chunked) => Framed::safe(Framing::Chunked),
        (.., TransferCoding::OthersThenChunked) => {
            return Err(PeerMisbehaved::UnsupportedTransferCoding);
        }
        (.., TransferCoding::ChunkedTwice) => return Err(PeerMisbehaved::InvalidTransferEncoding),
        (.., TransferCoding::Identity | TransferCoding::Others | TransferCoding::Malformed) => {
            Framed::closing(Framing::UntilClose, CloseReason::CloseDelimited)
        }
        (.., TransferCoding::Absent) => match content_length(&head.fields)? {
            Some(length) => Framed::safe(Framing::Length(length)),
            None => Framed::closing(Framing::UntilClose, CloseReason::CloseDelimited),
        },
    })
}

/// The framing of a request. Everything that two parsers could interpret differently is refused, because
/// that is how requests are smuggled (RFC 9112 §11.2).
pub(super) fn of_request(head: &RequestHead) -> Result<Framed, PeerMisbehaved> {
    let coding = TransferCoding::of(&head.fields);
    let has_length = head.fields.contains("content-length");
    match (coding, has_length) {
        (TransferCoding::Absent, _) => {
            let framing = match content_length(&head.fields)? {
                Some(length) => Framing::Length(length),
                None => Framing::Empty,
            };
            Ok(Framed::safe(framing))
        }
        _ if head.version == Version::HTTP_10 => Err(PeerMisbehaved::TransferEncodingInHttp10),
        (_, true) => Err(PeerMisbehaved::ContentLengthWithTransferEncoding),
        (TransferCoding::Chunked, false) if is_plainly_chunked(&head.fields) => {
            Ok(Framed::safe(Framing::Chunked))
        }
        (
            TransferCoding::Identity | TransferCoding::Others | TransferCoding::OthersThenChunked,
            false,
        ) => Err(PeerMisbehaved::UnsupportedTransferCoding),
        (
            TransferCoding::Chunked | TransferCoding::ChunkedTwice | TransferCoding::Malformed,
            false,
        ) => Err(PeerMisbehaved::InvalidTransferEncoding),
    }
}

/// What the `Transfer-Encoding` fields list (RFC 9112 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferCoding {
    /// There is no such field.
    Absent,
    /// `chunked` alone.
    Chunked,
    /// Several codings, `chunked` once and last.
    OthersThenChunked,
    /// `chunked` more than once, and last.
    ChunkedTwice,
    /// `identity` alone, which RFC 9112 no longer contains.
    Identity,
    /// Codings, but not `chunked`.
    Others,
    /// No coding at all, or `chunked` before the last.
    Malformed,
}

impl TransferCoding {
    fn of(fields: &FieldLines) -> Self {
        if !fields.contains("transfer-encoding") {
            return Self::Absent;
        }
        let (mut codings, mut chunked, mut last_is_chunked) = (0, 0, false);
        let mut identities = 0;
        for coding in fields.list("transfer-encoding") {
            last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            codings += 1;
            identities += usize::from(coding.eq_ignore_ascii_case(b"identity"));
            chunked += usize::from(last_is_chunked);
        }
        match (codings, chunked, last_is_chunked) {
            (0, ..) | (_, 1.., false) => Self::Malformed,
            (_, 0, _) if identities == codings => Self::Identity,
            (_, 0, _) => Self::Others,
            (1, ..) => Self::Chunked,
            (_, 1, true) => Self::OthersThenChunked,
            (_, _, true) => Self::ChunkedTwice,
        }
    }
}

/// Whether it is one field with one item, without commas that another parser may read as another coding.
fn is_plainly_chunked(fields: &FieldLines) -> bool {
    let mut lines = fields.get_all("transfer-encoding");
    lines
        .next()
        .is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
        && lines.next().is_none()
}

/// The length on which all `Content-Length` fields and list items agree (RFC 9110 §8.6).
pub(super) fn content_length(fields: &FieldLines) -> Result<Option<u64>, PeerMisbehaved> {
    let mut agreed = None;
    for value in fields.get_all("content-length") {
        for item in value.split(|&byte| byte == b',') {
            let length = decimal(trim_ows(item)).ok_or(PeerMisbehaved::InvalidContentLength)?;
            if *agreed.get_or_insert(length) != length {
                return Err(PeerMisbehaved::ConflictingContentLength);
            }
        }
    }
    Ok(agreed)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
