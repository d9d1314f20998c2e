//! The checks on a head that is sent, the framing fields that it needs, and its bytes (RFC 9112 §3, §4,
//! §6.2). `outgoing` frames the content.

use http::{Method, StatusCode, Version};

use super::fields::{FieldLines, write_line};
use super::framing::content_length;
use super::grammar::is_field_value;
use super::head::{RequestHead, ResponseHead};
use super::outgoing::Outgoing;
use super::target::{has_valid_host, is_valid_target};
use crate::error::Misuse;

/// How much content a message will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyLength {
    /// No content.
    None,
    /// This many bytes; sent with `Content-Length`.
    Known(u64),
    /// Not known in advance: sent in chunks, or, by a server to an HTTP/1.0 client, until the
    /// connection closes (RFC 9112 §6.3).
    Unknown,
}

/// What a head declares about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The field to add.
    pub(super) added: Added,
    /// The framing of the content.
    pub(super) outgoing: Outgoing,
}

/// A framing field that the caller's head lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// No field is lacking.
    Nothing,
    /// `Content-Length`
    ContentLength(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// What a response needs to know about its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered<'a> {
    /// The request's method.
    pub(super) method: &'a Method,
    /// Whether chunks can be sent, because both messages are HTTP/1.1.
    pub(super) understands_chunks: bool,
}

/// Checks a request head (RFC 9112 §3.2, §6) and plans its content.
pub(super) fn plan_request(head: &RequestHead, body: BodyLength) -> Result<Plan, Misuse> {
    if !head.target.is_ascii() || !is_valid_target(&head.method, &head.target) {
        return Err(Misuse::InvalidTarget);
    }
    if !has_valid_host(sent_version(head.version), &head.fields) {
        return Err(Misuse::InvalidHost);
    }
    let is_contentless = matches!(head.method, Method::CONNECT | Method::TRACE);
    if is_contentless && !matches!(body, BodyLength::None | BodyLength::Known(0)) {
        return Err(Misuse::TooMuchContent);
    }
    let expects_content = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    let (added, outgoing) = match (body, Declared::by(&head.fields)?) {
        (BodyLength::None | BodyLength::Known(0), Declared::Length(0)) => {
            (Added::Nothing, Outgoing::Nothing)
        }
        (BodyLength::None, Declared::Nothing) if expects_content => {
            (Added::ContentLength(0), Outgoing::Nothing)
        }
        (BodyLength::None, Declared::Nothing) => (Added::Nothing, Outgoing::Nothing),
        (BodyLength::Known(_), Declared::Nothing) if is_contentless => {
            (Added::Nothing, Outgoing::Nothing)
        }
        (BodyLength::Known(length), Declared::Nothing) => {
            (Added::ContentLength(length), Outgoing::length(length))
        }
        (BodyLength::Known(length), Declared::Length(same)) if length == same => {
            (Added::Nothing, Outgoing::length(length))
        }
        (BodyLength::Unknown, _) if head.version == Version::HTTP_10 => {
            return Err(Misuse::FramingHeader);
        }
        (BodyLength::Unknown, Declared::Nothing) => (Added::Chunked, Outgoing::Chunked),
        (BodyLength::Unknown, Declared::Chunked) => (Added::Nothing, Outgoing::Chunked),
        _ => return Err(Misuse::FramingHeader),
    };
    Ok(Plan { added, outgoing })
}

/// Checks a response head (RFC 9110 §8.6, §15; RFC 9112 §6) and plans its content.
pub(super) fn plan_response(
    head: &ResponseHead,
    body: BodyLength,
    answered: Answered<'_>,
) -> Result<Plan, Misuse> {
    if !is_field_value(head.reason.as_bytes()) {
        return Err(Misuse::InvalidHeader);
    }
    let declared = Declared::by(&head.fields)?;
    let tunnels = *answered.method == Method::CONNECT && head.status.is_success();
    let is_empty = matches!(body, BodyLength::None | BodyLength::Known(0));
    let (added, outgoing) = match (head.status, body, declared) {
        (status, ..) if status.is_informational() || tunnels => {
            if declared != Declared::Nothing {
                return Err(Misuse::FramingHeader);
            }
            if !is_empty {
                return Err(Misuse::TooMuchContent);
            }
            (Added::Nothing, Outgoing::Nothing)
        }
        (StatusCode::RESET_CONTENT, ..) if !is_empty => return Err(Misuse::TooMuchContent),
        (StatusCode::NO_CONTENT, _, Declared::Nothing) => (Added::Nothing, suppressed(body)),
        (StatusCode::NO_CONTENT, ..) => return Err(Misuse::FramingHeader),
        (status, body, declared)
            if status == StatusCode::NOT_MODIFIED || *answered.method == Method::HEAD =>
        {
            // The head describes the content that a GET would return. `chunked` may be omitted (RFC 9110
            // §9.3.2), and it makes some clients wait for a chunk.
            match (body, declared) {
                (BodyLength::Known(length), Declared::Nothing) => {
                    (Added::ContentLength(length), suppressed(body))
                }
                (BodyLength::Known(length), Declared::Length(other)) if length != other => {
                    return Err(Misuse::FramingHeader);
                }
                (BodyLength::Known(_), Declared::Chunked)
                | (BodyLength::Unknown, Declared::Length(_)) => {
                    return Err(Misuse::FramingHeader);
                }
                _ => (Added::Nothing, suppressed(body)),
            }
        }
        (_, BodyLength::None | BodyLength::Known(0), Declared::Nothing) => {
            (Added::ContentLength(0), Outgoing::Nothing)
        }
        (_, BodyLength::None, Declared::Length(0)) => (Added::Nothing, Outgoing::Nothing),
        (_, BodyLength::Known(length), Declared::Nothing) => {
            (Added::ContentLength(length), Outgoing::length(length))
        }
        (_, BodyLength::Known(length), Declared::Length(same)) if length == same => {
            (Added::Nothing, Outgoing::length(length))
        }
        (_, BodyLength::Unknown, Declared::Nothing) if answered.understands_chunks => {
            (Added::Chunked, Outgoing::Chunked)
        }
        (_, BodyLength::Unknown, Declared::Chunked) if answered.understands_chunks => {
            (Added::Nothing, Outgoing::Chunked)
        }
        (_, BodyLength::Unknown, Declared::Nothing) => (Added::Nothing, Outgoing::UntilClose),
        _ => return Err(Misuse::FramingHeader),
    };
    Ok(Plan { added, outgoing })
}

/// Appends a request head.
pub(super) fn write_request(head: &RequestHead, added: Added, out: &mut Vec<u8>) {
    let version = version_text(head.version);
    for part in [
        head.method.as_str(),
        " ",
        &head.target,
        " ",
        version,
        "\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    head.fields.write_to(out);
    write_added(added, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head, with a `Connection` field of this token if there is one.
pub(super) fn write_response(
    head: &ResponseHead,
    added: Added,
    connection: Option<&str>,
    out: &mut Vec<u8>,
) {
    let (version, status) = (version_text(head.version), head.status.as_str());
    for part in [version, " ", status, " ", &head.reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    head.fields.write_to(out);
    write_added(added, out);
    if let Some(token) = connection {
        write_line(b"Connection", token.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// The version with which a head is sent.
pub(super) fn sent_version(version: Version) -> Version {
    match version {
        Version::HTTP_10 => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

/// The framing that the caller's own fields declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    Nothing,
    Length(u64),
    Chunked,
}

impl Declared {
    fn by(fields: &FieldLines) -> Result<Self, Misuse> {
        let length = content_length(fields).map_err(|_| Misuse::FramingHeader)?;
        let lengths = fields.get_all("content-length").count();
        let mut codings = fields.get_all("transfer-encoding");
        match (length, lengths, codings.next(), codings.next()) {
            (None, _, None, _) => Ok(Self::Nothing),
            (Some(length), 1, None, _) => Ok(Self::Length(length)),
            (None, _, Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                Ok(Self::Chunked)
            }
            _ => Err(Misuse::FramingHeader),
        }
    }
}

fn suppressed(body: BodyLength) -> Outgoing {
    match body {
        BodyLength::None | BodyLength::Known(0) => Outgoing::Nothing,
        BodyLength::Known(_) | BodyLength::Unknown => Outgoing::Suppressed,
    }
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn write_added(added: Added, out: &mut Vec<u8>) {
    match added {
        Added::Nothing => {}
        Added::ContentLength(length) => {
            write_line(b"Content-Length", length.to_string().as_bytes(), out);
        }
        Added::Chunked => write_line(b"Transfer-Encoding", b"chunked", out),
    }
}

#[cfg(feature = "agent")]
impl RequestHead {
    /// Returns the head as it is sent before content of this length, with the framing field that it gets
    /// (RFC 9112 §6). A head that cannot be sent is returned unchanged.
    pub(crate) fn as_sent(&self, content: BodyLength) -> Self {
        let mut sent = self.clone();
        match plan_request(self, content).map(|plan| plan.added) {
            Ok(Added::ContentLength(length)) => {
                let length = length.to_string();
                sent.fields.push("Content-Length", length.as_bytes());
            }
            Ok(Added::Chunked) => sent.fields.push("Transfer-Encoding", b"chunked"),
            Ok(Added::Nothing) | Err(_) => {}
        }
        sent
    }
}

#[cfg(test)]
mod tests;
