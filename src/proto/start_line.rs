//! [`StartLine`]: checks a start line byte by byte as it arrives, and reports as early as possible that it
//! is not HTTP/1.x (RFC 9112 §3, §4). It stores no values; `head` parses them.

use super::grammar::is_tchar;
use super::state::Role;
use crate::error::PeerMisbehaved;

/// The progress in the start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartLine {
    /// Before its first byte; empty lines return to this state.
    Start,
    /// After the CR of an empty line.
    StartCr,
    /// In the method of a request.
    Method,
    /// Before the first byte of the target.
    TargetStart,
    /// In the target.
    Target,
    /// After this many bytes of `HTTP/1.1`.
    Version(u8),
    /// After the version of a request.
    RequestEnd,
    /// After the CR of a request line.
    RequestCr,
    /// After the version of a response.
    StatusSpace,
    /// After this many digits of the status.
    Status(u8),
    /// After the status.
    StatusEnd,
    /// In the rest, which the parser of the whole head checks.
    Rest,
}

impl StartLine {
    /// The state after these bytes, as far as they belong to a start line that `sender` sends.
    pub(super) fn feed_all(self, sender: Role, bytes: &[u8]) -> Result<Self, PeerMisbehaved> {
        let mut state = self;
        if (self, sender) == (Self::Start, Role::Server) && begins_with_status(bytes) {
            // What nearly every response begins with needs no look at each state.
            return Ok(Self::Rest);
        }
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first()
            && state != Self::Rest
        {
            state = state.feed(sender, byte)?;
            rest = behind;
            if state == Self::Target {
                // A target may be long, and only these bytes mean anything else than that it goes on.
                let end = rest.iter().position(|byte| matches!(byte, 0..=b' ' | 0x7f));
                rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
            }
        }
        Ok(state)
    }

    /// The state after this byte of a start line that `sender` sends.
    fn feed(self, sender: Role, byte: u8) -> Result<Self, PeerMisbehaved> {
        use PeerMisbehaved::{InvalidStatus, InvalidTarget, NotHttp, UnsupportedVersion};
        Ok(match (self, byte) {
            (Self::Start, b'\r') => Self::StartCr,
            (Self::Start | Self::StartCr, b'\n') => Self::Start,
            (Self::Start, byte) => match sender {
                Role::Client if is_tchar(byte) => Self::Method,
                Role::Client => return Err(NotHttp),
                Role::Server => Self::version(0, sender, byte)?,
            },
            (Self::Method, b' ') => Self::TargetStart,
            (Self::Method, byte) if is_tchar(byte) => Self::Method,
            (Self::TargetStart | Self::Target, b'\r' | b'\n') => return Err(NotHttp),
            (Self::Target, b' ') => Self::Version(0),
            (Self::TargetStart | Self::Target, 0..=b' ' | 0x7f) => return Err(InvalidTarget),
            (Self::TargetStart | Self::Target, _) => Self::Target,
            (Self::Version(seen), byte) => Self::version(seen, sender, byte)?,
            (Self::RequestEnd, b'\r') => Self::RequestCr,
            (Self::RequestEnd | Self::RequestCr, b'\n') => Self::Rest,
            (Self::RequestEnd | Self::StatusSpace, b'0'..=b'9') => return Err(UnsupportedVersion),
            (Self::StatusSpace, b' ') => Self::Status(0),
            (Self::StatusSpace, b'\r' | b'\n') => return Err(InvalidStatus),
            (Self::Status(0), b'1'..=b'9') => Self::Status(1),
            (Self::Status(1), b'0'..=b'9') => Self::Status(2),
            (Self::Status(2), b'0'..=b'9') => Self::StatusEnd,
            (Self::StatusEnd, b' ' | b'\r' | b'\n') => Self::Rest,
            (Self::Status(_) | Self::StatusEnd, _) => return Err(InvalidStatus),
            (Self::Rest, _) => Self::Rest,
            (Self::StartCr | Self::Method | Self::RequestEnd | Self::RequestCr, _)
            | (Self::StatusSpace, _) => return Err(NotHttp),
        })
    }

    fn version(seen: u8, sender: Role, byte: u8) -> Result<Self, PeerMisbehaved> {
        match (seen, byte) {
            (0, b'H') | (1 | 2, b'T') | (3, b'P') | (4, b'/') | (5, b'1') | (6, b'.') => {
                Ok(Self::Version(seen + 1))
            }
            (7, b'0' | b'1') => Ok(match sender {
                Role::Client => Self::RequestEnd,
                Role::Server => Self::StatusSpace,
            }),
            (5 | 7, b'0'..=b'9') => Err(PeerMisbehaved::UnsupportedVersion),
            _ => Err(PeerMisbehaved::NotHttp),
        }
    }
}

/// Whether this is the whole status line of a response up to its reason.
fn begins_with_status(bytes: &[u8]) -> bool {
    let Some((version, [b' ', b'1'..=b'9', b'0'..=b'9', b'0'..=b'9', end, ..])) =
        bytes.split_first_chunk::<8>()
    else {
        return false;
    };
    matches!(version, b"HTTP/1.1" | b"HTTP/1.0") && matches!(end, b' ' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start line, and the byte at which it fails.
    type Case = (&'static [u8], Option<(PeerMisbehaved, usize)>);

    /// The fault, and the number of bytes after which it was detected.
    fn fault(sender: Role, line: &[u8]) -> Option<(PeerMisbehaved, usize)> {
        let mut state = StartLine::Start;
        for (index, &byte) in line.iter().enumerate() {
            match state.feed(sender, byte) {
                Ok(next) => state = next,
                Err(fault) => return Some((fault, index + 1)),
            }
        }
        None
    }

    #[test]
    fn all_bytes_at_once_have_the_result_of_each_in_turn() {
        for line in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 999\r\n",
            "HTTP/1.1 100\n",
            "HTTP/1.1 200",
            "HTTP/1.1 2000",
            "HTTP/1.1 099 x",
            "HTTP/1.2 200 OK",
            "HTTP/1.1_200 OK",
            "\r\nHTTP/1.1 200 OK\r\n",
            "GET / HTTP/1.1\r\nHost: a",
            "GET /levels/7?name=a%20b&\u{e9} HTTP/1.1\r\nHost: a",
            "GET /levels/7\tx HTTP/1.1",
            "GET /levels/7\u{7f} HTTP/1.1",
            "GET /levels/7\r\n",
            "GET /levels/7",
            "",
        ] {
            for sender in [Role::Client, Role::Server] {
                let each = line
                    .bytes()
                    .try_fold(StartLine::Start, |state, byte| state.feed(sender, byte));
                let all = StartLine::Start.feed_all(sender, line.as_bytes());
                assert_eq!(all, each, "{line:?}");
            }
        }
    }

    #[test]
    fn responses_fail_at_the_first_wrong_byte() {
        use PeerMisbehaved::{InvalidStatus, NotHttp, UnsupportedVersion};
        let cases: [Case; 22] = [
            (b"HTTP/1.1 200 OK\r\n", None),
            (b"HTTP/1.0 200\r\n", None),
            (b"HTTP/1.1 999 \n", None),
            (b"\r\n\r\n\nHTTP/1.1 100 x\r\n", None),
            (b"HTTP/1.1 200 caf\xe9\r\n", None),
            (b"\x15\x03\x03", Some((NotHttp, 1))),
            (b"SSH-2.0-x\r\n", Some((NotHttp, 1))),
            (b"ICY 200 OK\r\n", Some((NotHttp, 1))),
            (b"http/1.1 200 OK", Some((NotHttp, 1))),
            (b"HTML>", Some((NotHttp, 3))),
            (b"HTTP 200", Some((NotHttp, 5))),
            (b"HTTP/2 200", Some((UnsupportedVersion, 6))),
            (b"HTTP/1.2 200", Some((UnsupportedVersion, 8))),
            (b"HTTP/1.10 200", Some((UnsupportedVersion, 9))),
            (b"HTTP/1,1 200", Some((NotHttp, 7))),
            (b"HTTP/1.1\r\n", Some((InvalidStatus, 9))),
            (b"HTTP/1.1 20\r\n", Some((InvalidStatus, 12))),
            (b"HTTP/1.1 099 x", Some((InvalidStatus, 10))),
            (b"HTTP/1.1 2000 x", Some((InvalidStatus, 13))),
            (b"HTTP/1.1  200", Some((InvalidStatus, 10))),
            (b"HTTP/1.1 2x0", Some((InvalidStatus, 11))),
            (b"\rHTTP", Some((NotHttp, 2))),
        ];
        for (line, expected) in cases {
            assert_eq!(
                fault(Role::Server, line),
                expected,
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn requests_fail_at_the_first_wrong_byte() {
        use PeerMisbehaved::{InvalidTarget, NotHttp, UnsupportedVersion};
        let cases: [Case; 15] = [
            (b"GET / HTTP/1.1\r\n", None),
            (b"\r\nX-Y! * HTTP/1.0\r\n", None),
            (b"\x16\x03\x01", Some((NotHttp, 1))),
            (b"SSH-2.0-OpenSSH_9\r\n", Some((NotHttp, 18))),
            (b" GET /", Some((NotHttp, 1))),
            (b"GE\tT /", Some((NotHttp, 3))),
            (b"GET /\r\n", Some((NotHttp, 6))),
            (b"GET  / HTTP/1.1", Some((InvalidTarget, 5))),
            (b"GET /\x01", Some((InvalidTarget, 6))),
            (b"GET /\x7f", Some((InvalidTarget, 6))),
            (b"GET /a b HTTP/1.1", Some((NotHttp, 8))),
            (b"PRI * HTTP/2.0\r\n", Some((UnsupportedVersion, 12))),
            (b"GET / HTTP/1.2\r\n", Some((UnsupportedVersion, 14))),
            (b"GET / HTTP/1.1 \r\n", Some((NotHttp, 15))),
            (b"GET / HTTP/1.1\rX", Some((NotHttp, 16))),
        ];
        for (line, expected) in cases {
            assert_eq!(
                fault(Role::Client, line),
                expected,
                "{}",
                line.escape_ascii()
            );
        }
    }
}
