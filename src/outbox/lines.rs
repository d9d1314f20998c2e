//! The lines of an outbox's file. A line that is torn or damaged is not read, and costs only itself.
//!
//! ```text
//! httpoll-outbox 1 <id> <next>     the first line: who wrote it, and the number of its first event
//! +<number> <seconds> <json>       an event, and when it was pushed (seconds since 1970)
//! ><first> <last>                  these events are a batch that may have been sent
//! =<last>                          events up to this number are settled: sent, or refused by the server
//! -<first> <last>                  these events were given up: too old, or too many
//! ```

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Header {
        id: &'a str,
        next: u64,
    },
    Event {
        number: u64,
        at: u64,
        json: &'a [u8],
    },
    Batch {
        first: u64,
        last: u64,
    },
    Settled {
        last: u64,
    },
    GivenUp {
        first: u64,
        last: u64,
    },
}

impl<'a> Line<'a> {
    /// Parses a line without its line feed.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (mark, rest) = line.split_first()?;
        match mark {
            b'h' => {
                let text = std::str::from_utf8(line).ok()?;
                let (id, next) = text.strip_prefix("httpoll-outbox 1 ")?.split_once(' ')?;
                let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_id.then_some(Self::Header {
                    id,
                    next: next.parse().ok()?,
                })
            }
            b'+' => {
                let mut parts = rest.splitn(3, |byte| *byte == b' ');
                let (number, at) = (number(parts.next()?)?, number(parts.next()?)?);
                let json = parts.next()?;
                // A line in which a power failure left zeros is no JSON.
                serde_json::from_slice::<serde_json::Value>(json).ok()?;
                Some(Self::Event { number, at, json })
            }
            b'>' => pair(rest).map(|(first, last)| Self::Batch { first, last }),
            b'-' => pair(rest).map(|(first, last)| Self::GivenUp { first, last }),
            b'=' => number(rest).map(|last| Self::Settled { last }),
            _ => None,
        }
    }

    /// Appends the line with its line feed.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Header { id, next } => {
                to.extend_from_slice(format!("httpoll-outbox 1 {id} {next}\n").as_bytes());
            }
            Self::Event { number, at, json } => {
                to.extend_from_slice(format!("+{number} {at} ").as_bytes());
                to.extend_from_slice(json);
                to.push(b'\n');
            }
            Self::Batch { first, last } => {
                to.extend_from_slice(format!(">{first} {last}\n").as_bytes());
            }
            Self::Settled { last } => to.extend_from_slice(format!("={last}\n").as_bytes()),
            Self::GivenUp { first, last } => {
                to.extend_from_slice(format!("-{first} {last}\n").as_bytes());
            }
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn pair(text: &[u8]) -> Option<(u64, u64)> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let (first, last) = (number(&text[..space])?, number(&text[space + 1..])?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_lines_are_read_and_torn_ones_are_not() {
        let id = "0123456789abcdef0123456789abcdef";
        for line in [
            Line::Header { id, next: 7 },
            Line::Event {
                number: 7,
                at: 1_700_000_000,
                json: br#"{"kill":"boss 7"}"#,
            },
            Line::Batch { first: 7, last: 9 },
            Line::Settled { last: 9 },
            Line::GivenUp {
                first: 10,
                last: 10,
            },
        ] {
            let mut bytes = Vec::new();
            line.write(&mut bytes);
            assert_eq!(bytes.pop(), Some(b'\n'));
            assert_eq!(Line::parse(&bytes), Some(line));
        }
        for bad in [
            "",
            "x",
            "httpoll-outbox 2 0123456789abcdef0123456789abcdef 1",
            "httpoll-outbox 1 0123 1",
            "+1 2 {\"a\":",
            "+1 2",
            "+1 x {}",
            "+ 2 {}",
            "+1 2 \0\0\0",
            ">2 1",
            ">2",
            "=",
            "=x",
            "=+1",
            "-1",
        ] {
            assert_eq!(Line::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
