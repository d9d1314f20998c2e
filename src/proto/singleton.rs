//! Fields that a message may contain only once (RFC 9110 §5.3). For some recipients a second one is an
//! error, and others disagree about which one counts.

use super::fields::FieldLines;
use crate::error::Misuse;

/// Singleton fields of requests and responses, in lower case: those of RFC 9110 to 9112, of RFC 6797,
/// 6265 and 6266, and of Fetch.
const SINGLETONS: [&str; 36] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-max-age",
    "access-control-request-method",
    "age",
    "authorization",
    "content-disposition",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "expires",
    "from",
    "host",
    "if-modified-since",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "strict-transport-security",
    "user-agent",
    "x-content-type-options",
    "x-frame-options",
];

/// Whether a message may contain this field only once. Names are compared case-insensitively.
pub(crate) fn is_singleton(name: &str) -> bool {
    SINGLETONS
        .iter()
        .any(|singleton| singleton.eq_ignore_ascii_case(name))
}

impl FieldLines {
    /// Adds a field line at the end, as [`append`](Self::append) does, but replaces the existing ones if a
    /// message may contain the field only once (RFC 9110 §5.3), as with `Content-Type`.
    ///
    /// # Errors
    /// As [`append`](Self::append). Nothing changes then.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        if !is_singleton(name) || !self.contains(name) {
            return self.append(name, value);
        }
        self.set(name, value.as_ref())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_singleton_field_is_replaced_and_lists_grow() {
        for name in SINGLETONS {
            let mut lines = FieldLines::new();
            lines.append("x", "y").unwrap();
            lines.add(name, "a").unwrap();
            lines.add(&name.to_ascii_uppercase(), "b").unwrap();
            assert_eq!(lines.get_all(name).collect::<Vec<_>>(), [b"b"], "{name}");
            assert_eq!(lines.add(name, "c\r\nd: e"), Err(Misuse::InvalidHeader));
            assert_eq!(lines.get_all(name).collect::<Vec<_>>(), [b"b"], "{name}");
        }
        for name in ["set-cookie", "vary", "link", "www-authenticate", "x-mine"] {
            let mut lines = FieldLines::new();
            lines.add(name, "a").unwrap();
            lines.add(name, "b").unwrap();
            assert_eq!(lines.get_all(name).count(), 2, "{name}");
        }
    }
}
