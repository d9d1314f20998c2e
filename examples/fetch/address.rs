//! From the URL that was typed to the one that is asked: the scheme that may be missing, the user and
//! password in it, the path as it is.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::exit_status::{Failure, MALFORMED_URL, UNSUPPORTED_PROTOCOL};

/// A URL, taken apart as far as the options need it.
#[derive(Debug)]
pub(crate) struct Address {
    /// Without user, password and fragment.
    pub(crate) url: Url,
    /// The URL as it was given, with a scheme.
    pub(crate) given: String,
    pub(crate) user: Option<(String, String)>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let malformed = |what: &str| Failure::new(MALFORMED_URL, format_args!("{what}: {text}"));
        if text.is_empty() || text.contains(|c: char| c <= ' ' || c == '\u{7f}') {
            return Err(malformed("Malformed input to a URL function"));
        }
        let given = match text.find("://") {
            Some(at) if text[..at].bytes().all(is_scheme_byte) => text.to_owned(),
            _ => format!("http://{}", text.trim_start_matches('/')),
        };
        let mut url =
            Url::parse(&given).map_err(|error| malformed(&format!("URL rejected: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            let message = format_args!("Protocol \"{}\" not supported", url.scheme()).to_string();
            return Err(Failure::new(UNSUPPORTED_PROTOCOL, message));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let password = url.password().unwrap_or_default();
            (decoded(url.username()), decoded(password))
        });
        // Refused only for URLs without a host, which `http` never has.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Ok(Self { url, given, user })
    }

    /// Path and query as they were given.
    pub(crate) fn raw_target(&self) -> String {
        let behind = self.given.split_once("://").map_or("", |(_, rest)| rest);
        let end = behind.find('#').unwrap_or(behind.len());
        let target = match behind[..end].find(['/', '?']) {
            Some(at) => &behind[at..end],
            None => "",
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = utf8_percent_encode(target, NOT_ASCII);
        format!("{slash}{target}")
    }

    /// The same with the name of the file that is sent behind a path that ends in a slash.
    pub(crate) fn with_upload(self, upload: Option<&str>) -> Result<Self, Failure> {
        let name = upload.filter(|path| !matches!(*path, "-" | "."));
        let name = name.and_then(|path| std::path::Path::new(path).file_name());
        match name {
            Some(name) if self.file_name().is_none() && self.url.query().is_none() => {
                let name = utf8_percent_encode(&name.to_string_lossy(), NAME).to_string();
                let (url, _) = self.given.split_once('#').unwrap_or((&self.given, ""));
                let slash = if self.raw_target() == "/" && !url.ends_with('/') {
                    "/"
                } else {
                    ""
                };
                Self::parse(&format!("{url}{slash}{name}"))
            }
            _ => Ok(self),
        }
    }

    /// The last component of the path, for `-O`.
    pub(crate) fn file_name(&self) -> Option<String> {
        let name = self.url.path_segments()?.next_back()?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// Adds to the query, as `-G` does.
    pub(crate) fn with_query(text: &str, query: &[u8]) -> String {
        let query = String::from_utf8_lossy(query);
        let (url, fragment) = match text.find('#') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let separator = match url.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{url}{separator}{query}{fragment}")
    }
}

/// `utf8_percent_encode` encodes what is not ASCII in any case.
const NOT_ASCII: &AsciiSet = CONTROLS;

/// What may not stand in a component of a path.
const NAME: &AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}
