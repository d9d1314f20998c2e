//! The responses that the server makes itself: of a static file's plan, and for requests that no handler gets.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::Response;
use super::body::Body;
use crate::server::files::{FileBody, FilePlan};

impl Response {
    /// The response that the static files planned.
    pub(in crate::server) fn of_plan(plan: FilePlan) -> Self {
        let mut response = Self::status(plan.status.as_u16());
        response.add_all(&plan.headers);
        response.body = match plan.body {
            FileBody::Bytes(bytes) => Body::Bytes(bytes),
            FileBody::Asset(asset) => Body::Asset(asset, plan.length),
            FileBody::Empty => {
                if let Some(length) = plan.length.filter(|&length| length > 0) {
                    // The content that a `GET` would get; this is a response to `HEAD`.
                    let _ = response.fields.append("Content-Length", length.to_string());
                }
                Body::Bytes(Bytes::new())
            }
        };
        response
    }

    /// Adds fields that are known to be valid.
    pub(in crate::server) fn add_all(&mut self, lines: &HeaderMap) {
        for (name, value) in lines {
            let _ = self.fields.add(name.as_str(), value.as_bytes());
        }
    }

    /// The library's own plain response to a request that no handler gets.
    pub(in crate::server) fn plain(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error");
        let text = format!("{} - {reason}\n", status.as_u16());
        let mut response = Self::text(text);
        response.status = status;
        response
    }

    /// The default response when nothing matches.
    pub(in crate::server) fn not_found() -> Self {
        Self::content("text/plain", "404 - Not Found.").with_status(404)
    }

    /// Sets a field whose value the server made itself.
    pub(in crate::server) fn set_own(&mut self, name: &str, value: &str) {
        // If the field is invalid in spite of that, the response is sent without it.
        let _ = self.set_header(name, value);
    }
}
