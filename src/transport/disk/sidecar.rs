//! The sidecar of a part file: which content it is a part of, and how many bytes were synced. It is a
//! small JSON object. An invalid sidecar makes the download start from the beginning, never fail.

use serde_json::{Value, json};

/// A larger sidecar is invalid.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// The version of the format; other versions are invalid.
const VERSION: u64 = 1;

/// A response's validators, which identify one version of a content (RFC 9110 §8.8): the field values
/// as they were received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validator {
    /// `ETag`, with its quotes. A weak one cannot be used in `If-Range` (RFC 9110 §13.1.5).
    pub(crate) etag: Option<String>,
    /// `Last-Modified`.
    pub(crate) last_modified: Option<String>,
}

/// The content of a sidecar.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Sidecar {
    /// What identifies the content; see `FilePlan::identity`.
    pub(super) identity: String,
    pub(super) validator: Validator,
    /// The complete length, if the server reported it.
    pub(super) total: Option<u64>,
    /// How many bytes at the start of the part file were synced when this was written.
    pub(super) safe: u64,
}

impl Sidecar {
    pub(super) fn to_json(&self) -> String {
        json!({
            "version": VERSION,
            "url": self.identity,
            "etag": self.validator.etag,
            "last_modified": self.validator.last_modified,
            "total": self.total,
            "written": self.safe,
        })
        .to_string()
    }

    /// `None` for a torn sidecar, one of another version, or other data.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let object = value.as_object()?;
        if object.get("version")?.as_u64()? != VERSION {
            return None;
        }
        let text = |name: &str| match object.get(name)? {
            Value::Null => Some(None),
            // A text that cannot be a URL or a field value was not written by this crate.
            Value::String(text) if text.chars().any(char::is_control) => None,
            Value::String(text) => Some(Some(text.clone())),
            _ => None,
        };
        let total = match object.get("total")? {
            Value::Null => None,
            number => Some(number.as_u64()?),
        };
        let safe = object.get("written")?.as_u64()?;
        if total.is_some_and(|total| safe > total) {
            return None;
        }
        Some(Self {
            identity: text("url")??,
            validator: Validator {
                etag: text("etag")?,
                last_modified: text("last_modified")?,
            },
            total,
            safe,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar() -> Sidecar {
        Sidecar {
            identity: "https://example.com/a?b=\"ü\"".to_owned(),
            validator: Validator {
                etag: Some("\"33a64df5\"".to_owned()),
                last_modified: None,
            },
            total: Some(u64::MAX),
            safe: 17,
        }
    }

    #[test]
    fn a_written_sidecar_can_be_read() {
        let full = sidecar();
        let bare = Sidecar {
            validator: Validator::default(),
            total: None,
            ..sidecar()
        };
        for sidecar in [full, bare] {
            let json = sidecar.to_json();
            assert_eq!(Sidecar::from_json(json.as_bytes()), Some(sidecar));
        }
    }

    #[test]
    fn a_torn_sidecar_is_not_read() {
        let json = sidecar().to_json();
        for end in 0..json.len() {
            assert_eq!(Sidecar::from_json(&json.as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn an_invalid_sidecar_is_not_read() {
        let good =
            r#"{"version":1,"url":"u","etag":null,"last_modified":null,"total":9,"written":8}"#;
        assert!(Sidecar::from_json(good.as_bytes()).is_some());
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"version\":1,", ""),
            ("\"url\":\"u\"", "\"url\":null"),
            ("\"url\":\"u\"", "\"url\":7"),
            ("\"etag\":null", "\"etag\":[]"),
            ("\"etag\":null", "\"etag\":\"a\\r\\nb\""),
            ("\"etag\":null,", ""),
            ("\"total\":9", "\"total\":-9"),
            ("\"total\":9", "\"total\":1e400"),
            ("\"total\":9", "\"total\":7"),
            ("\"written\":8", "\"written\":\"8\""),
            ("\"written\":8", "\"written\":8.5"),
            ("\"written\":8", "\"written\":99999999999999999999"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(good, bad);
            assert_eq!(Sidecar::from_json(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["", "null", "[]", "7", "\u{0}", "{}"] {
            assert_eq!(Sidecar::from_json(bad.as_bytes()), None, "{bad}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(Sidecar::from_json(deep.as_bytes()), None);
    }
}
