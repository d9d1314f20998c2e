//! What a log may show of a request: never credentials, cookies, query values or content.

use std::fmt;

use serde_json::{Value, json};

use super::Request;
use crate::proto::is_secret;

impl<S> Request<S> {
    /// The request as a JSON value, for logs and inspection: method, URL without user and query, the
    /// caller's headers, kind of content. Headers with credentials or cookies, and those of
    /// [`secret_header`](Self::secret_header), are left out.
    pub fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .shown_headers()
            .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
            .collect();
        json!({
            "method": self.parts.method.as_str(),
            "url": self.shown_url(),
            "headers": headers,
            "content": format!("{:?}", self.parts.content),
        })
    }

    fn shown_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.parts.fields.iter().filter(|(name, _)| {
            let mut secrets = self.parts.options.secret_headers();
            !is_secret(name) && !secrets.any(|secret| secret.eq_ignore_ascii_case(name))
        })
    }

    /// The URL without user, password, query values and fragment.
    fn shown_url(&self) -> String {
        let url = self.parts.url.as_str();
        let (url, _fragment) = url.split_once('#').unwrap_or((url, ""));
        let (url, has_query) = match url.split_once('?') {
            Some((url, _)) => (url, true),
            None => (url, !self.parts.query.is_empty()),
        };
        let (scheme, rest) = match url.find("://") {
            Some(at) => url.split_at(at + 3),
            None => ("", url),
        };
        // The user is in the authority, or, of an invalid URL, anywhere.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let query = if has_query { "?(hidden)" } else { "" };
        format!("{scheme}{rest}{query}")
    }
}

impl<S> fmt::Display for Request<S> {
    /// The method, the URL and the caller's headers, as [`to_json`](Request::to_json) has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.parts.method, self.shown_url())?;
        for (name, value) in self.shown_headers() {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        Ok(())
    }
}

impl<S> fmt::Debug for Request<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.parts.method)
            .field("url", &self.shown_url())
            .field("content", &self.parts.content)
            .finish_non_exhaustive()
    }
}
