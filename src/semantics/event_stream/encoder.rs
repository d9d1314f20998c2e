//! Events to bytes (WHATWG HTML §9.2.5).

use std::time::Duration;

use super::ServerSentEvent;
use crate::error::EventStreamFault;

pub(super) fn encode(event: &ServerSentEvent, out: &mut Vec<u8>) -> Result<(), EventStreamFault> {
    let breaks = |text: &str| text.contains(['\r', '\n']);
    if event.event.as_deref().is_some_and(breaks) {
        return Err(EventStreamFault::InvalidEvent);
    }
    if event
        .id
        .as_deref()
        .is_some_and(|id| breaks(id) || id.contains('\0'))
    {
        return Err(EventStreamFault::InvalidId);
    }
    if let Some(name) = &event.event {
        line(out, "event", name);
    }
    for_each_line(&event.data, |text| line(out, "data", text));
    if let Some(id) = &event.id {
        line(out, "id", id);
    }
    if let Some(retry) = event.retry {
        line(out, "retry", &retry.as_millis().to_string());
    }
    out.push(b'\n');
    Ok(())
}

/// Appends a comment, which parsers ignore. Sent now and then, comments keep proxies from closing
/// an idle stream, and let a server notice that the client has left. The text may be empty or have
/// several lines.
pub(crate) fn encode_comment(text: &str, out: &mut Vec<u8>) {
    for_each_line(text, |text| line(out, "", text));
    out.push(b'\n');
}

/// Appends a reconnection time without an event.
pub(crate) fn encode_retry(retry: Duration, out: &mut Vec<u8>) {
    line(out, "retry", &retry.as_millis().to_string());
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

fn for_each_line(text: &str, mut each: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(end) = rest.find(['\r', '\n']) {
        each(&rest[..end]);
        let from = if rest[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + from..];
    }
    each(rest);
}
