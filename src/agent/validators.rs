//! The validators of a response (RFC 9110 §8.8), and which of them may continue a download.

use std::time::Duration;

use crate::clock::system_time;
use crate::proto::FieldLines;
use crate::transport::disk::Validator;

/// The validators that name the version of the content.
pub(crate) fn validator(fields: &FieldLines) -> Option<Validator> {
    let text = |name: &str| {
        let value = std::str::from_utf8(fields.get(name)?).ok()?;
        Some(value.to_owned())
    };
    let validator = Validator {
        etag: text("etag"),
        last_modified: text("last-modified")
            .filter(|date| is_strong_date(date, fields.get("date"))),
    };
    (validator.etag.is_some() || validator.last_modified.is_some()).then_some(validator)
}

/// Whether the content has the length of its range, as far as the response says.
pub(super) fn has_length(fields: &FieldLines, range: &std::ops::Range<u64>) -> bool {
    fields
        .get("content-length")
        .and_then(|length| std::str::from_utf8(length).ok()?.trim().parse().ok())
        .is_none_or(|length: u64| length == range.end - range.start)
}

/// Whether a part belongs to the version that `If-Range` named. A server need not repeat the date (RFC
/// 9110 §15.3.7), so a part without a validator belongs to it.
pub(crate) fn is_same_version(fields: &FieldLines, if_range: &str) -> bool {
    let name = if if_range.starts_with('"') {
        "etag"
    } else {
        "last-modified"
    };
    fields
        .get(name)
        .is_none_or(|value| value == if_range.as_bytes())
}

/// Whether a `Last-Modified` is a strong validator: it is at least one second older than the response
/// (RFC 9110 §8.8.2.2). A response without `Date` is as old as its arrival by this machine's clock, which
/// may be wrong, so there the difference must be a minute.
fn is_strong_date(last_modified: &str, date: Option<&[u8]>) -> bool {
    let Ok(modified) = httpdate::parse_http_date(last_modified.trim()) else {
        return false;
    };
    let (latest, margin) = match date {
        Some(date) => {
            let date = std::str::from_utf8(date).ok();
            let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
            (date, Duration::from_secs(1))
        }
        None => (Some(system_time()), Duration::from_secs(60)),
    };
    latest
        .and_then(|latest| latest.duration_since(modified).ok())
        .is_some_and(|age| age >= margin)
}

/// The value for `If-Range`: a strong entity tag, or a date when there is no tag at all (RFC 9110
/// §13.1.5).
pub(crate) fn strong(validator: &Validator) -> Option<String> {
    match &validator.etag {
        Some(etag) if !etag.starts_with("W/") => Some(etag.clone()),
        Some(_) => None,
        None => validator.last_modified.clone(),
    }
}
