//! [`HeadScan`]: the search for the end of a head in a growing buffer (RFC 9112 §2.1). It examines every
//! byte once, in whatever pieces the input arrives, and applies the limits at the same time, so that an
//! endless head fails early. `head` parses the head that was found.

use super::start_line::StartLine;
use super::state::Role;
use crate::error::{ErrorKind, PeerMisbehaved};
use crate::limits::{Limit, Limits};

/// The state of the search between two calls.
#[derive(Clone, Debug)]
pub(super) struct HeadScan {
    sender: Role,
    start_line: StartLine,
    /// Bytes of the input that were examined.
    searched: usize,
    /// Where the current line starts.
    line_start: usize,
    /// Finished lines, including the start line.
    lines: usize,
    /// Whether a field line continues on another line.
    is_folded: bool,
    /// Bytes of empty lines before the head. They are consumed, but still count.
    skipped: usize,
}

/// The result of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// An empty line of this many bytes before the head. Consume them and continue.
    EmptyLine(usize),
    /// The head is complete.
    Head {
        /// Its length in bytes, with the final empty line.
        length: usize,
        /// The number of its field lines.
        fields: usize,
        /// Whether one of them is folded over several lines (RFC 9112 §5.2).
        is_folded: bool,
    },
    /// The end has not arrived yet.
    Partial,
}

impl HeadScan {
    /// A search for a head that `sender` sends. The lines of requests must end in CRLF; those of responses
    /// may end in a bare LF (RFC 9112 §2.2).
    pub(super) fn new(sender: Role) -> Self {
        Self {
            sender,
            start_line: StartLine::Start,
            searched: 0,
            line_start: 0,
            lines: 0,
            is_folded: false,
            skipped: 0,
        }
    }

    /// Whether any byte of the head itself has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.searched > 0
    }

    /// Continues the search. `input` must start with the bytes of earlier calls, without those of empty
    /// lines.
    pub(super) fn scan(&mut self, input: &[u8], limits: &Limits) -> Result<Scanned, ErrorKind> {
        loop {
            let new = input.get(self.searched..).unwrap_or_default();
            let newline = memchr::memchr(b'\n', new);
            let end = match newline {
                Some(index) => self.searched + index + 1,
                None => self.searched + new.len(),
            };
            self.look_at(input, end, limits)?;
            self.searched = end;
            if newline.is_none() {
                return Ok(Scanned::Partial);
            }
            let line = &input[self.line_start..end];
            if self.sender == Role::Client && !line.ends_with(b"\r\n") {
                return Err(PeerMisbehaved::BareLineFeed.into());
            }
            match (line, self.lines) {
                (b"\n" | b"\r\n", 0) => {
                    self.skipped += end;
                    self.searched = 0;
                    return Ok(Scanned::EmptyLine(end));
                }
                (b"\n" | b"\r\n", lines) => {
                    return Ok(Scanned::Head {
                        length: end,
                        fields: lines - 1,
                        is_folded: self.is_folded,
                    });
                }
                // A client replaces a fold by spaces, a server refuses it (RFC 9112 §5.2). A fold before
                // the first field line is always refused.
                ([b' ' | b'\t', ..], 2..) if self.sender == Role::Server => {
                    self.is_folded = true;
                    self.line_start = end;
                    continue;
                }
                ([b' ' | b'\t', ..], 1..) => {
                    return Err(PeerMisbehaved::ObsoleteLineFolding.into());
                }
                (_, lines) if lines > limits.header_count => {
                    return Err(Limit::HeaderCount(limits.header_count).into());
                }
                _ => {}
            }
            self.lines += 1;
            self.line_start = end;
        }
    }

    /// Applies the limits and checks the start line up to `end`. It reports the fault that comes first in
    /// the stream, so the pieces of the input make no difference.
    fn look_at(&mut self, input: &[u8], end: usize, limits: &Limits) -> Result<(), ErrorKind> {
        let head_end = limits.head_bytes.saturating_sub(self.skipped);
        let line_end = self.line_start.saturating_add(limits.line_bytes);
        if self.lines == 0 {
            let allowed = end.min(head_end).min(line_end);
            let new = input.get(self.searched..allowed).unwrap_or_default();
            self.start_line = self.start_line.feed_all(self.sender, new)?;
        }
        if end > line_end && line_end <= head_end {
            return Err(Limit::LineBytes(limits.line_bytes).into());
        }
        if end > head_end {
            return Err(Limit::HeadBytes(limits.head_bytes).into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(head_bytes: usize, line_bytes: usize, header_count: usize) -> Limits {
        Limits {
            head_bytes,
            line_bytes,
            header_count,
            ..Limits::default()
        }
    }

    /// Every prefix, one byte longer each time.
    fn grow(sender: Role, input: &[u8], limits: &Limits) -> Result<Scanned, ErrorKind> {
        let (mut scan, mut start) = (HeadScan::new(sender), 0);
        for end in 1..=input.len() {
            match scan.scan(&input[start..end], limits)? {
                Scanned::Partial => {}
                Scanned::EmptyLine(length) => start += length,
                head => return Ok(head),
            }
        }
        Ok(Scanned::Partial)
    }

    fn whole(sender: Role, input: &[u8], limits: &Limits) -> Result<Scanned, ErrorKind> {
        let (mut scan, mut start) = (HeadScan::new(sender), 0);
        loop {
            match scan.scan(&input[start..], limits)? {
                Scanned::EmptyLine(length) => start += length,
                other => return Ok(other),
            }
        }
    }

    #[test]
    fn cutting_the_input_makes_no_difference() {
        let head = |length, fields| {
            Ok(Scanned::Head {
                length,
                fields,
                is_folded: false,
            })
        };
        let folded = Ok(Scanned::Head {
            length: 29,
            fields: 1,
            is_folded: true,
        });
        let peer = |fault: PeerMisbehaved| Err(ErrorKind::from(fault));
        let limit = |limit: Limit| Err(ErrorKind::from(limit));
        let tight = limits(40, 24, 2);
        let cases: [(Role, &[u8], Result<Scanned, ErrorKind>); 15] = [
            (Role::Server, b"HTTP/1.1 200 OK\r\n\r\nrest", head(19, 0)),
            (Role::Server, b"HTTP/1.1 200 OK\nA: b\n\n", head(22, 1)),
            (Role::Server, b"\r\n\nHTTP/1.1 200\r\n\r\n", head(16, 0)),
            (Role::Server, b"HTTP/1.1 200 OK\r\n\r", Ok(Scanned::Partial)),
            (Role::Client, b"GET / HTTP/1.1\r\nA: b\r\n\r\n", head(24, 1)),
            (
                Role::Client,
                b"GET / HTTP/1.1\r\nA: b\n\r\n",
                peer(PeerMisbehaved::BareLineFeed),
            ),
            (
                Role::Client,
                b"\nGET / HTTP/1.1\r\n\r\n",
                peer(PeerMisbehaved::BareLineFeed),
            ),
            (
                Role::Server,
                b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                folded,
            ),
            (
                Role::Client,
                b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
                peer(PeerMisbehaved::ObsoleteLineFolding),
            ),
            (
                Role::Server,
                b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
                peer(PeerMisbehaved::ObsoleteLineFolding),
            ),
            (
                Role::Server,
                b"HTTP/1.1 200 a long long reason",
                limit(Limit::LineBytes(24)),
            ),
            (
                Role::Server,
                b"HTTP/1.1 200\r\nA: b\r\nB: c\r\nC: d\r\n",
                limit(Limit::HeaderCount(2)),
            ),
            (
                Role::Server,
                b"HTTP/1.1 200\r\nA: 0123456789\r\nB: 0123456789\r\n\r\n",
                limit(Limit::HeadBytes(40)),
            ),
            (
                Role::Server,
                &b"\r\n".repeat(21),
                limit(Limit::HeadBytes(40)),
            ),
            (
                Role::Server,
                &b"x".repeat(100),
                peer(PeerMisbehaved::NotHttp),
            ),
        ];
        for (sender, input, expected) in cases {
            let text = input.escape_ascii();
            assert_eq!(whole(sender, input, &tight), expected, "whole: {text}");
            assert_eq!(grow(sender, input, &tight), expected, "grown: {text}");
        }
    }

    #[test]
    fn a_head_may_fill_its_limits_exactly() {
        let input = b"GET / HTTP/1.1\r\nA: 9876543210\r\n\r\n";
        let head = Ok(Scanned::Head {
            length: input.len(),
            fields: 1,
            is_folded: false,
        });
        assert_eq!(grow(Role::Client, input, &limits(input.len(), 16, 1)), head);
        assert_eq!(
            grow(Role::Client, input, &limits(input.len() - 1, 16, 1)),
            Err(Limit::HeadBytes(input.len() - 1).into())
        );
        assert_eq!(
            grow(Role::Client, input, &limits(input.len(), 15, 1)),
            Err(Limit::LineBytes(15).into())
        );
        assert_eq!(
            grow(Role::Client, input, &limits(input.len(), 16, 0)),
            Err(Limit::HeaderCount(0).into())
        );
    }

    #[test]
    fn no_byte_is_examined_twice() {
        let mut scan = HeadScan::new(Role::Server);
        let limits = Limits::default();
        assert_eq!(scan.scan(b"HTTP/1.1 200", &limits), Ok(Scanned::Partial));
        // Bytes that were examined before are not examined again, so changes to them have no effect.
        assert_eq!(
            scan.scan(b"\n\n\n\n\n\n\n\n\n\n\n\n OK", &limits),
            Ok(Scanned::Partial)
        );
        assert!(scan.has_begun());
    }
}
