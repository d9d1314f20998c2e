//! [`MockRequest`]: a request as a mock server received it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::Method;
use serde_core::de::DeserializeOwned;
use url::form_urlencoded;

use super::fault::Fault;
use crate::clock::Instant;
use crate::proto::FieldLines;

/// A request as a [`MockServer`](super::MockServer) received it.
///
/// `Debug` shows neither the query nor credentials.
#[derive(Clone)]
#[non_exhaustive]
pub struct MockRequest {
    /// The method (RFC 9110 §9).
    pub method: Method,
    /// The request target as it was on the wire (RFC 9112 §3.2), query included.
    pub target: String,
    /// The header section, line by line.
    pub headers: FieldLines,
    /// The content, with its chunks joined. For a request to which an [early](super::MockRule::early)
    /// rule responded: what has arrived so far.
    pub body: Bytes,
    /// The trailer section of chunked content (RFC 9110 §6.5).
    pub trailers: FieldLines,
    /// The number of its connection to this server, from 0 in the order in which they were opened;
    /// refused connections count.
    pub connection: usize,
    /// Its number on that connection, from 0.
    pub number: usize,
    /// The virtual time at which it was complete, or at which the server responded if that was
    /// earlier.
    pub at: Instant,
    /// The number of the rule that matched, from 1 in the order in which they were made; `None` if
    /// none matched.
    pub rule: Option<usize>,
    /// What the seed of [`MockServer::faults`](super::MockServer::faults) did to the response.
    pub fault: Option<Fault>,
}

impl MockRequest {
    /// The path of the target, still percent-encoded, without the query. For a target in
    /// absolute-form this is what follows the authority; for any other form, all of it.
    pub fn path(&self) -> &str {
        self.split().0
    }

    /// The query of the target, still percent-encoded, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.split().1
    }

    /// The value of the first pair of this name in the query, decoded as in forms (`+` is a space).
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The value of the first header line of this name, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?).ok()
    }

    /// The content as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The content as a value of any type that can be read from JSON, such as [`serde_json::Value`].
    ///
    /// # Errors
    /// If it is not JSON, or not that of a `T`. The error says where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    pub(super) fn query_pairs(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    fn split(&self) -> (&str, Option<&str>) {
        let target = match self.target.split_once("://") {
            // RFC 9112 §3.2.2; any target that starts with a slash is in origin-form.
            Some((_, rest)) if !self.target.starts_with('/') => match rest.find(['/', '?']) {
                Some(end) => rest.get(end..).unwrap_or_default(),
                None => "/",
            },
            _ => &self.target,
        };
        match target.split_once('?') {
            Some(("", query)) => ("/", Some(query)),
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        }
    }
}

impl fmt::Debug for MockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.query().is_some() {
            "?(hidden)"
        } else {
            ""
        };
        f.debug_struct("MockRequest")
            .field("method", &self.method)
            .field("target", &format_args!("{}{query}", self.path()))
            .field("headers", &self.headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("connection", &self.connection)
            .field("number", &self.number)
            .field("rule", &self.rule)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn request(method: Method, target: &str) -> MockRequest {
        MockRequest {
            method,
            target: target.to_owned(),
            headers: FieldLines::new(),
            body: Bytes::new(),
            trailers: FieldLines::new(),
            connection: 0,
            number: 0,
            at: Instant::now(),
            rule: None,
            fault: None,
        }
    }

    #[test]
    fn targets_of_each_form() {
        for (target, path, query) in [
            ("/a?b=c", "/a", Some("b=c")),
            ("/a", "/a", None),
            ("/a?", "/a", Some("")),
            ("/a?u=http://x/y", "/a", Some("u=http://x/y")),
            ("/go/http://x/y", "/go/http://x/y", None),
            ("http://game.example/a?b", "/a", Some("b")),
            ("http://game.example?b", "/", Some("b")),
            ("http://game.example", "/", None),
            ("*", "*", None),
            ("game.example:443", "game.example:443", None),
        ] {
            let request = request(Method::GET, target);
            assert_eq!((request.path(), request.query()), (path, query), "{target}");
        }
    }

    #[test]
    fn query_values_are_decoded_and_hidden_from_debug() {
        let request = request(Method::GET, "/a?key=s%C3%A9cret+x&key=2");
        assert_eq!(request.query_value("key").as_deref(), Some("s\u{e9}cret x"));
        assert_eq!(request.query_value("other"), None);
        let debug = format!("{request:?}");
        assert!(debug.contains("/a?(hidden)") && !debug.contains("cret"));
    }
}
