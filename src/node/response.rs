//! What [`HttpClient`] tells of the latest response and of the bytes moved for it. Nothing here moves
//! anything.

use std::collections::BTreeMap;
use std::time::Duration;

use super::HttpClient;
use crate::connection::Response;
use crate::proto::{FieldLines, ResponseHead};

impl HttpClient {
    /// Whether a response head has come (Godot's `has_response`). Unlike Godot's it stays true until
    /// the next request or `close`, also for a head without headers.
    pub fn has_response(&self) -> bool {
        self.connection.response().is_some()
    }

    /// The response's status code, 0 while there is none (Godot's `get_response_code`). See
    /// [`response_code`](crate::node::response_code).
    pub fn get_response_code(&self) -> u16 {
        self.response().map_or(0, |it| it.head.status.as_u16())
    }

    /// The response head: version, status, reason and field lines in order, with their original
    /// case, duplicates kept. Stays readable until the next request or `close`.
    pub fn get_response_head(&self) -> Option<&ResponseHead> {
        self.response().map(|it| &*it.head)
    }

    /// The response's header lines as `Name: value`, in order, with their original case, duplicates
    /// kept (Godot's `get_response_headers`). Unlike Godot's, a call does not use them up.
    pub fn get_response_headers(&self) -> Vec<String> {
        self.fields()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    }

    /// The response's headers by name (Godot's `get_response_headers_as_dictionary`). The values of
    /// a repeated name are joined by `"; "` as Godot documents; names are compared without case,
    /// and the first one's case is kept. For `Set-Cookie` use the lines.
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

    /// The length of the response's content in bytes, -1 when it is not known in advance (Godot's
    /// `get_response_body_length`): chunked, or ended by the connection's end. 0 for a response
    /// that has no content, whatever its `Content-Length` says.
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

    /// The trailer section of a chunked response (RFC 9112 §7.1.2), once its content was taken.
    pub fn get_response_trailers(&self) -> &FieldLines {
        self.connection.trailers()
    }

    /// The next interim (1xx) response that came before the final one and that the caller has not
    /// seen, such as `103 Early Hints`.
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

    /// How long the latest request took, from [`request`](Self::request) to the poll or read that
    /// took in the last byte of its response, or that failed. `None` while it is under way, and
    /// before the first.
    pub fn get_time_taken(&self) -> Option<Duration> {
        Some(self.ended_at?.saturating_duration_since(self.asked_at?))
    }

    /// HTTP bytes sent for the latest request so far: for upload progress.
    pub fn get_bytes_sent(&self) -> u64 {
        self.connection.moved().0
    }

    /// HTTP bytes received for the latest request so far, head and framing included.
    pub fn get_bytes_received(&self) -> u64 {
        self.connection.moved().1
    }

    /// How many requests the present connection has carried: above 1, it was reused.
    pub fn get_connection_requests(&self) -> u32 {
        self.connection.requests()
    }
}
