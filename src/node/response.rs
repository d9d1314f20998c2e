//! The getters of [`HttpClient`] for the latest response and for the bytes moved. None of them makes
//! progress.

use std::collections::BTreeMap;
use std::time::Duration;

use super::HttpClient;
use crate::connection::Response;
use crate::proto::{FieldLines, ResponseHead};

impl HttpClient {
    /// Whether a response head has arrived (Godot's `has_response`). Unlike Godot's, it stays true until
    /// the next request or `close`, also for a head without headers.
    pub fn has_response(&self) -> bool {
        self.connection.response().is_some()
    }

    /// Returns the response's status code, or 0 if there is no response (Godot's `get_response_code`). For
    /// names see [`response_code`](crate::node::response_code).
    pub fn get_response_code(&self) -> u16 {
        self.response().map_or(0, |it| it.head.status.as_u16())
    }

    /// Returns the response head: version, status, reason and fields, in order, in their original case,
    /// with duplicates. It stays readable until the next request or `close`. Godot has no counterpart.
    pub fn get_response_head(&self) -> Option<&ResponseHead> {
        self.response().map(|it| &*it.head)
    }

    /// Returns the response's headers as `Name: value`, in order, in their original case, with duplicates
    /// (Godot's `get_response_headers`). Unlike Godot's, the call does not remove them.
    pub fn get_response_headers(&self) -> Vec<String> {
        self.fields()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    }

    /// Returns the response's headers by name (Godot's `get_response_headers_as_dictionary`). The values of
    /// a repeated name are joined by `"; "`, as Godot documents. Names are compared case-insensitively, and
    /// the case of the first one is kept. For `Set-Cookie`, which must not be joined, use
    /// [`get_response_headers`](Self::get_response_headers).
    pub fn get_response_headers_as_dictionary(&self) -> BTreeMap<String, String> {
        let mut dictionary = BTreeMap::<String, String>::new();
        for (name, value) in self.fields() {
            let value = String::from_utf8_lossy(value);
            let present = dictionary
                .iter_mut()
                .find(|(present, _)| present.eq_ignore_ascii_case(name));
            match present {
                Some((_, joined)) => {
                    joined.push_str("; ");
                    joined.push_str(&value);
                }
                None => {
                    dictionary.insert(name.to_owned(), value.into_owned());
                }
            }
        }
        dictionary
    }

    /// Returns the length of the response's content in bytes (Godot's `get_response_body_length`). It is -1
    /// when the length is not known in advance, because the content is chunked or ends with the connection.
    /// It is 0 for a response that has no content, whatever its `Content-Length` is.
    pub fn get_response_body_length(&self) -> i64 {
        self.response()
            .and_then(|it| it.content_length)
            .and_then(|length| i64::try_from(length).ok())
            .unwrap_or(-1)
    }

    /// Whether the response's content is chunked (Godot's `is_response_chunked`).
    pub fn is_response_chunked(&self) -> bool {
        self.response().is_some_and(|it| it.is_chunked)
    }

    /// Returns the trailer section of a chunked response (RFC 9112 §7.1.2), once all content was read.
    /// Godot has no counterpart: it drops trailers.
    pub fn get_response_trailers(&self) -> &FieldLines {
        self.connection.trailers()
    }

    /// Returns the next interim (1xx) response that arrived before the final one and that the caller has
    /// not seen, such as `103 Early Hints`. Godot has no counterpart.
    pub fn next_interim_response(&mut self) -> Option<ResponseHead> {
        self.connection.next_interim()
    }

    fn response(&self) -> Option<&Response> {
        self.connection.response()
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.response()
            .into_iter()
            .flat_map(|it| it.head.fields.iter())
    }

    /// Returns how long the latest request took, from [`request`](Self::request) to the poll or read that
    /// received the last byte of its response, or that failed. `None` before the first request and while
    /// one is under way. Godot has no counterpart.
    pub fn get_time_taken(&self) -> Option<Duration> {
        Some(self.ended_at?.saturating_duration_since(self.asked_at?))
    }

    /// Returns the HTTP bytes sent for the latest request so far, for upload progress. In a browser these are the
    /// bytes that it was given: the node streams its responses, and `fetch` does not tell how much it has sent. Godot
    /// has no counterpart.
    pub fn get_bytes_sent(&self) -> u64 {
        self.connection.moved().0
    }

    /// Returns the HTTP bytes received for the latest request so far, with head and framing (compare
    /// `get_downloaded_bytes` of Godot's `HTTPRequest`).
    pub fn get_bytes_received(&self) -> u64 {
        self.connection.moved().1
    }

    /// Returns how many requests the current connection has carried; more than 1 means that it was reused.
    /// Godot has no counterpart.
    pub fn get_connection_requests(&self) -> u32 {
        self.connection.requests()
    }
}
