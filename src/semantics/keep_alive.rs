//! How long a connection may be idle before it must not serve a request any more (RFC 9112 §9.3, §9.5).
//!
//! A server closes idle connections when it likes. `Keep-Alive: timeout` announces when (RFC 2068 §19.7.1.1).
//! The pool of the agent and the connection of the node ask [`is_outdated`] before they send a request.

use std::time::Duration;

use crate::proto::ResponseHead;

/// A connection is given up this much earlier than its server announced, or after half that time.
const MARGIN: Duration = Duration::from_secs(1);

/// An idle connection older than this does not serve a request that could not be sent again, unless the
/// server has said that it keeps the connection for longer. Node.js closes after 5 s.
const UNANNOUNCED_AGE: Duration = Duration::from_secs(4);

/// An idle connection older than this serves no request, unless its server has said that it keeps it for longer.
/// Routers on the way forget a connection without telling anybody, often after 5 min; a request would then be sent
/// into the void until its timeout.
const LONGEST_UNANNOUNCED_AGE: Duration = Duration::from_secs(5 * 60);

/// How long a server keeps an idle connection, less a margin for the way there. `None`: it does not say.
pub(crate) fn announced(head: &ResponseHead) -> Option<Duration> {
    let seconds = head.fields.list("keep-alive").find_map(|parameter| {
        let text = std::str::from_utf8(parameter).ok()?;
        let (name, value) = text.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("timeout") {
            return None;
        }
        value.trim().trim_matches('"').parse::<u32>().ok()
    })?;
    let announced = Duration::from_secs(u64::from(seconds));
    Some(announced - (announced / 2).min(MARGIN))
}

/// Whether a connection that was idle for this long may be closed by now. `is_repeatable`: the request could
/// be sent again without harm.
pub(crate) fn is_outdated(
    announced: Option<Duration>,
    idle: Duration,
    is_repeatable: bool,
) -> bool {
    match announced {
        Some(announced) => idle >= announced,
        None if is_repeatable => idle >= LONGEST_UNANNOUNCED_AGE,
        None => idle >= UNANNOUNCED_AGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::FieldLines;

    fn head(value: &str) -> ResponseHead {
        let mut fields = FieldLines::new();
        fields.append("Keep-Alive", value).unwrap();
        ResponseHead {
            version: http::Version::HTTP_11,
            status: http::StatusCode::OK,
            reason: "".into(),
            fields,
        }
    }

    #[test]
    fn the_time_is_announced_in_seconds() {
        let millis = |millis| Some(Duration::from_millis(millis));
        for (value, expected) in [
            ("timeout=5", millis(4000)),
            ("max=9, Timeout = 60", millis(59_000)),
            ("timeout=\"2\"", millis(1000)),
            ("timeout=1", millis(500)),
            ("timeout=0", millis(0)),
            ("max=9", None),
            ("timeout=-1", None),
            ("timeout=soon", None),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(announced(&head(value)), expected, "{value}");
        }
    }

    #[test]
    fn without_a_time_requests_that_cannot_be_repeated_are_more_careful() {
        let seconds = Duration::from_secs;
        for (announced, idle, is_repeatable, expected) in [
            (None, 3, false, false),
            (None, 4, false, true),
            (None, 299, true, false),
            (None, 300, true, true),
            (Some(9), 8, false, false),
            (Some(9), 9, false, true),
            (Some(9), 9, true, true),
            (Some(0), 0, true, true),
        ] {
            let announced = announced.map(seconds);
            let found = is_outdated(announced, seconds(idle), is_repeatable);
            assert_eq!(found, expected, "{announced:?} {idle} {is_repeatable}");
        }
    }
}
