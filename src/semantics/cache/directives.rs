//! `Cache-Control` (RFC 9111 §5.2): its directives and their arguments.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use crate::proto::FieldLines;

/// The argument of a `Cache-Control` directive of a request: empty when it has no argument, `None` when the
/// directive is absent.
pub(super) fn directive(headers: &HeaderMap, name: &str) -> Option<String> {
    directive_of(&cache_control(headers), name)
}

/// The same of a response.
pub(super) fn directive_of(fields: &FieldLines, name: &str) -> Option<String> {
    let found = directives(fields).find(|(found, _)| found == name);
    found.map(|(_, argument)| argument.unwrap_or_default())
}

/// The directives of `Cache-Control`: the names in lower case, the arguments without quotes. A comma inside of quotes
/// does not separate directives (RFC 9110 §5.6.1).
pub(super) fn directives(fields: &FieldLines) -> impl Iterator<Item = (String, Option<String>)> {
    fields.list(CACHE_CONTROL.as_str()).map(|item| {
        let item = String::from_utf8_lossy(item);
        let (name, argument) = match item.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (&*item, None),
        };
        let argument = argument.map(|it| it.trim().trim_matches('"').to_owned());
        (name.trim().to_ascii_lowercase(), argument)
    })
}

/// The `Cache-Control` lines alone.
pub(super) fn cache_control(headers: &HeaderMap) -> FieldLines {
    let mut fields = FieldLines::new();
    for value in headers.get_all(CACHE_CONTROL) {
        // It was a valid field before.
        let _ = fields.append(CACHE_CONTROL.as_str(), value);
    }
    fields
}

/// A number of seconds. What is too large for a cache means the longest time that every cache understands (RFC 9111
/// §1.2.2).
pub(super) fn delta_seconds(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 1 << 31;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().map_or(LONGEST, |it: u64| it.min(LONGEST))))
}
