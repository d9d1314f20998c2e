//! [`Redaction`]: replaces secrets before they are recorded. Names, schemes and attributes stay, so
//! that a played back exchange has the form of the recorded one.

use url::Url;

use super::RecordedExchange;
use crate::proto::FieldLines;

/// The text that replaces a secret.
pub(crate) const REDACTED: &str = "REDACTED";

/// Which fields and which pairs of queries hold secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    pub(super) headers: Vec<String>,
    pub(super) query: Vec<String>,
}

impl Redaction {
    pub(super) fn apply(&self, exchange: &mut RecordedExchange) {
        let url = &mut exchange.request.url;
        // Both fail only for URLs without a host, which have no user information.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        self.redact_query(url);
        exchange.request.headers = self.redact_fields(&exchange.request.headers);
        exchange.response.headers = self.redact_fields(&exchange.response.headers);
    }

    fn redact_query(&self, url: &mut Url) {
        if let Some(query) = url.query() {
            let redacted = self.redacted_query(query);
            url.set_query(Some(&redacted));
        }
    }

    /// Other pairs stay unchanged.
    fn redacted_query(&self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            match self.query.iter().any(|secret| is_name(name, secret)) {
                true => format!("{name}={REDACTED}"),
                false => pair.to_owned(),
            }
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    fn redact_fields(&self, fields: &FieldLines) -> FieldLines {
        let mut redacted = FieldLines::new();
        for (name, value) in fields.iter() {
            let value = self.redact_value(name, value);
            // A part of a valid value is valid, and so is the replacement.
            let _ = redacted.append(name, value);
        }
        redacted
    }

    fn redact_value(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let text = String::from_utf8_lossy(value);
        if self.headers.iter().any(|secret| is(secret)) {
            REDACTED.into()
        } else if is("authorization") || is("proxy-authorization") {
            match text.split_once(' ') {
                Some((scheme, _)) => format!("{scheme} {REDACTED}").into(),
                None => REDACTED.into(),
            }
        } else if is("cookie") {
            let cookies = text.split(';').map(redacted_cookie);
            cookies.collect::<Vec<_>>().join("; ").into()
        } else if is("set-cookie") {
            let (cookie, attributes) = text.split_at(text.find(';').unwrap_or(text.len()));
            format!("{}{attributes}", redacted_cookie(cookie)).into()
        } else if is("location") || is("content-location") || is("referer") {
            match text.split_once('?') {
                Some((before, query)) => {
                    let (query, fragment) = query.split_at(query.find('#').unwrap_or(query.len()));
                    format!("{before}?{}{fragment}", self.redacted_query(query)).into()
                }
                None => value.to_vec(),
            }
        } else {
            value.to_vec()
        }
    }
}

fn redacted_cookie(cookie: &str) -> String {
    match cookie.trim().split_once('=') {
        Some((name, _)) => format!("{name}={REDACTED}"),
        None => REDACTED.to_owned(),
    }
}

fn is_name(encoded: &str, name: &str) -> bool {
    let mut pairs = url::form_urlencoded::parse(encoded.as_bytes());
    pairs.next().is_some_and(|(decoded, _)| decoded == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_and_formats_stay() {
        let redaction = Redaction {
            headers: vec!["X-Api-Key".to_owned()],
            query: vec!["key".to_owned()],
        };
        for (name, value, expected) in [
            ("Authorization", "Bearer abc", "Bearer REDACTED"),
            ("authorization", "Basic YTpi", "Basic REDACTED"),
            ("Authorization", "abc", "REDACTED"),
            (
                "Proxy-Authorization",
                "Digest a=\"b\", c=d",
                "Digest REDACTED",
            ),
            ("Cookie", "a=1; b=2=3;c", "a=REDACTED; b=REDACTED; REDACTED"),
            (
                "Set-Cookie",
                "a=1; Path=/; HttpOnly",
                "a=REDACTED; Path=/; HttpOnly",
            ),
            ("Set-Cookie", "a", "REDACTED"),
            ("x-api-key", "abc", "REDACTED"),
            ("Location", "/next?a=1&key=2#x", "/next?a=1&key=REDACTED#x"),
            ("Location", "/next", "/next"),
            ("Accept", "text/plain", "text/plain"),
        ] {
            let redacted = redaction.redact_value(name, value.as_bytes());
            assert_eq!(redacted, expected.as_bytes(), "{name}: {value}");
        }
        let mut url = Url::parse("http://h/?a=b+c&key=%20x&k%65y=2&key&z").unwrap();
        redaction.redact_query(&mut url);
        assert_eq!(
            url.query(),
            Some("a=b+c&key=REDACTED&k%65y=REDACTED&key=REDACTED&z")
        );
    }
}
