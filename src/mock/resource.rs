//! Resources: content in parts and conditional responses (RFC 9110 §13, §14), as from a plain file
//! server.

use std::ops::Range;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::request::MockRequest;
use super::response::{MockContent, MockResponse};
use crate::proto::FieldLines;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selected {
    Whole,
    Part(Range<usize>),
    Unsatisfiable,
}

/// What to send for this request: a part of a resource instead of the resource, an explanation
/// instead of an invalid response.
pub(super) fn respond(response: MockResponse, request: &MockRequest) -> MockResponse {
    if let Some((name, misuse)) = &response.mistake {
        return MockResponse::unsendable(&format!("header {name:?}: {misuse}"));
    }
    if let Err(status) = response.status {
        return MockResponse::unsendable(&format!("{status} is not a status code"));
    }
    match response.content.clone() {
        MockContent::Resource(content) => respond_with(&content, response, request),
        _ => response,
    }
}

/// `response` with the content, or the part of it, that `request` asks for. A status other than 200
/// stays and gets all content.
fn respond_with(
    content: &Bytes,
    mut response: MockResponse,
    request: &MockRequest,
) -> MockResponse {
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    if response.status != Ok(StatusCode::OK) || !is_read {
        response.content = MockContent::Whole(content.clone());
        return response;
    }
    let mut response = response.header("Accept-Ranges", "bytes");
    if is_unchanged(&response.fields, request) {
        return response.status(304).bytes(Bytes::new());
    }
    match select(content.len(), &response.fields, request) {
        Selected::Whole => response.content = MockContent::Whole(content.clone()),
        Selected::Part(part) => {
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, content.len());
            response = response.status(206).header("Content-Range", range);
            response.content = MockContent::Whole(content.slice(part));
        }
        Selected::Unsatisfiable => {
            let range = format!("bytes */{}", content.len());
            response = response.status(416).header("Content-Range", range);
            response.content = MockContent::Whole(Bytes::new());
        }
    }
    response
}

fn select(length: usize, validators: &FieldLines, request: &MockRequest) -> Selected {
    // Ranges are defined for GET alone (RFC 9110 §14.2).
    if request.method != Method::GET || !if_range_holds(validators, request) {
        return Selected::Whole;
    }
    match request.header("range") {
        Some(range) => parse_range(range, length),
        None => Selected::Whole,
    }
}

/// One part of `length` bytes. A malformed range, other units and several parts select everything, as
/// a server may (RFC 9110 §14.2).
fn parse_range(text: &str, length: usize) -> Selected {
    let Some((unit, set)) = text.split_once('=') else {
        return Selected::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-') else {
        return Selected::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selected::Whole;
    }
    match (number(first), number(last)) {
        (Some(Some(first)), Some(Some(last))) if last < first => Selected::Whole,
        (Some(Some(first)), Some(_)) if first >= length => Selected::Unsatisfiable,
        (Some(Some(first)), Some(Some(last))) => Selected::Part(first..length.min(last + 1)),
        (Some(Some(first)), Some(None)) => Selected::Part(first..length),
        (Some(None), Some(Some(0))) => Selected::Unsatisfiable,
        (Some(None), Some(Some(_))) if length == 0 => Selected::Unsatisfiable,
        (Some(None), Some(Some(suffix))) => Selected::Part(length.saturating_sub(suffix)..length),
        _ => Selected::Whole,
    }
}

/// A number, or `Some(None)` for empty text; `None` for anything else. A number that is too large
/// becomes the largest one.
fn number(text: &str) -> Option<Option<usize>> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // One less than the maximum, so that `last + 1` does not overflow.
    let value = || text.parse().unwrap_or(usize::MAX).min(usize::MAX - 1);
    Some((!text.is_empty()).then(value))
}

/// Whether `Range` applies: there is no `If-Range`, or its validator matches by a strong comparison
/// (RFC 9110 §13.1.5).
fn if_range_holds(validators: &FieldLines, request: &MockRequest) -> bool {
    let Some(condition) = request.headers.get("if-range") else {
        return true;
    };
    if condition.starts_with(b"\"") || condition.starts_with(b"W/") {
        condition.starts_with(b"\"") && validators.get("etag") == Some(condition)
    } else {
        validators.get("last-modified") == Some(condition)
    }
}

/// Whether the response is a 304: `If-None-Match` by a weak comparison, otherwise `If-Modified-Since`
/// (RFC 9110 §13.1.2, §13.1.3).
fn is_unchanged(validators: &FieldLines, request: &MockRequest) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    if request.headers.contains("if-none-match") {
        let ours = validators.get("etag").map(opaque);
        let mut tags = request.headers.list("if-none-match");
        return tags.any(|tag| tag == b"*" || Some(opaque(tag)) == ours);
    }
    let since = request.headers.get("if-modified-since");
    since.is_some() && since == validators.get("last-modified")
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::request;
    use super::*;

    #[test]
    fn ranges_rfc_9110_section_14() {
        for (text, length, expected) in [
            ("bytes=0-3", 10, Selected::Part(0..4)),
            ("bytes=4-", 10, Selected::Part(4..10)),
            ("bytes=-3", 10, Selected::Part(7..10)),
            ("bytes=-30", 10, Selected::Part(0..10)),
            ("bytes=5-99", 10, Selected::Part(5..10)),
            ("Bytes = 5-5", 10, Selected::Part(5..6)),
            ("bytes=10-", 10, Selected::Unsatisfiable),
            ("bytes=-0", 10, Selected::Unsatisfiable),
            ("bytes=-1", 0, Selected::Unsatisfiable),
            ("bytes=0-", 0, Selected::Unsatisfiable),
            ("bytes=5-4", 10, Selected::Whole),
            ("bytes=-", 10, Selected::Whole),
            ("bytes=a-b", 10, Selected::Whole),
            ("bytes=1-2,4-5", 10, Selected::Whole),
            ("pages=1-2", 10, Selected::Whole),
            ("bytes", 10, Selected::Whole),
            ("bytes=+1-2", 10, Selected::Whole),
            ("bytes=0-99999999999999999999999", 10, Selected::Part(0..10)),
            (
                "bytes=99999999999999999999999-",
                10,
                Selected::Unsatisfiable,
            ),
            ("bytes=-99999999999999999999999", 10, Selected::Part(0..10)),
        ] {
            assert_eq!(parse_range(text, length), expected, "{text} of {length}");
        }
    }

    #[test]
    fn conditions_rfc_9110_section_13() {
        const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
        for (etag, lines, status) in [
            ("\"a\"", &[][..], 200),
            ("\"a\"", &[("Range", "bytes=1-")], 206),
            ("\"a\"", &[("Range", "bytes=9-")], 416),
            (
                "\"a\"",
                &[("Range", "bytes=1-"), ("If-Range", "\"a\"")],
                206,
            ),
            (
                "\"a\"",
                &[("Range", "bytes=1-"), ("If-Range", "\"b\"")],
                200,
            ),
            (
                "W/\"a\"",
                &[("Range", "bytes=1-"), ("If-Range", "W/\"a\"")],
                200,
            ),
            ("\"a\"", &[("Range", "bytes=1-"), ("If-Range", OLD)], 206),
            ("\"a\"", &[("Range", "bytes=1-"), ("If-Range", NEW)], 200),
            ("\"a\"", &[("If-None-Match", "\"a\"")], 304),
            ("\"a\"", &[("If-None-Match", "\"b\", W/\"a\"")], 304),
            ("\"a\"", &[("If-None-Match", "*")], 304),
            (
                "\"a\"",
                &[("If-None-Match", "\"b\""), ("If-Modified-Since", OLD)],
                200,
            ),
            ("\"a\"", &[("If-Modified-Since", OLD)], 304),
            ("\"a\"", &[("If-Modified-Since", NEW)], 200),
            (
                "\"a\"",
                &[("If-None-Match", "\"a\""), ("Range", "bytes=1-")],
                304,
            ),
        ] {
            let mut request = request(Method::GET, "/");
            for (name, value) in lines {
                request.headers.append(name, value).unwrap();
            }
            let response = MockResponse::resource("abc").etag(etag).last_modified(OLD);
            let response = respond(response, &request);
            assert_eq!(
                response.status.unwrap().as_u16(),
                status,
                "{etag} {lines:?}"
            );
            let range = response.fields.get("content-range");
            assert_eq!(
                range,
                match status {
                    206 => Some(&b"bytes 1-2/3"[..]),
                    416 => Some(&b"bytes */3"[..]),
                    _ => None,
                }
            );
        }
    }

    #[test]
    fn other_methods_and_statuses_get_all_content() {
        let mut asked = request(Method::POST, "/");
        asked.headers.append("Range", "bytes=1-").unwrap();
        let response = respond(MockResponse::resource("abc"), &asked);
        assert_eq!(response.content_len(), 3);
        asked.method = Method::GET;
        let response = respond(MockResponse::resource("abc").status(404), &asked);
        assert_eq!(response.status.unwrap().as_u16(), 404);
        assert_eq!(response.content_len(), 3);
    }
}
