//! [`Outgoing`]: the content that is being sent, with one variant for each framing (RFC 9112 §6, §7).
//! `emit` decides which framing a head declares.

use std::io::Write;

use super::fields::FieldLines;
use super::trailer::is_allowed_in_trailers;
use crate::error::Misuse;

/// The content being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// No content, or no more.
    Nothing,
    /// This many more bytes.
    Length {
        /// The bytes that are missing; never zero.
        left: u64,
    },
    /// Chunks.
    Chunked,
    /// Until we close the connection.
    UntilClose,
    /// The head declared content that its status or the request's method forbids: the content is accepted
    /// and dropped.
    Suppressed,
}

impl Outgoing {
    /// A fixed number of bytes.
    pub(super) fn length(left: u64) -> Self {
        match left {
            0 => Self::Nothing,
            left => Self::Length { left },
        }
    }

    /// Frames content, and returns what is left to send.
    pub(super) fn send(self, content: &[u8], out: &mut Vec<u8>) -> Result<Self, Misuse> {
        match self {
            _ if content.is_empty() => return Ok(self),
            Self::Nothing => return Err(Misuse::TooMuchContent),
            Self::Suppressed => {}
            Self::Length { left } => {
                let left = left
                    .checked_sub(content.len() as u64)
                    .ok_or(Misuse::TooMuchContent)?;
                out.extend_from_slice(content);
                return Ok(Self::length(left));
            }
            Self::Chunked => {
                // Writing into a `Vec` cannot fail.
                let _ = write!(out, "{:x}\r\n", content.len());
                out.extend_from_slice(content);
                out.extend_from_slice(b"\r\n");
            }
            Self::UntilClose => out.extend_from_slice(content),
        }
        Ok(self)
    }

    /// Ends the content. Only chunked content can have trailers.
    pub(super) fn finish(self, trailers: &FieldLines, out: &mut Vec<u8>) -> Result<(), Misuse> {
        match self {
            Self::Length { .. } => return Err(Misuse::TooLittleContent),
            Self::Nothing | Self::UntilClose if !trailers.is_empty() => {
                return Err(Misuse::FramingHeader);
            }
            Self::Nothing | Self::UntilClose | Self::Suppressed => {}
            Self::Chunked => {
                if trailers
                    .iter()
                    .any(|(name, _)| !is_allowed_in_trailers(name))
                {
                    return Err(Misuse::InvalidHeader);
                }
                out.extend_from_slice(b"0\r\n");
                trailers.write_to(out);
                out.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outgoing: Outgoing, content: &[u8]) -> Result<(Outgoing, Vec<u8>), Misuse> {
        let mut out = Vec::new();
        Ok((outgoing.send(content, &mut out)?, out))
    }

    #[test]
    fn content_is_framed() {
        let five = Outgoing::length(5);
        let two = Outgoing::Length { left: 2 };
        for (outgoing, content, expected) in [
            (five, "", Ok((five, ""))),
            (five, "abc", Ok((two, "abc"))),
            (five, "abcde", Ok((Outgoing::Nothing, "abcde"))),
            (five, "abcdef", Err(Misuse::TooMuchContent)),
            (Outgoing::Nothing, "", Ok((Outgoing::Nothing, ""))),
            (Outgoing::Nothing, "a", Err(Misuse::TooMuchContent)),
            (Outgoing::Chunked, "", Ok((Outgoing::Chunked, ""))),
            (
                Outgoing::Chunked,
                "0123456789abcdef",
                Ok((Outgoing::Chunked, "10\r\n0123456789abcdef\r\n")),
            ),
            (Outgoing::UntilClose, "a", Ok((Outgoing::UntilClose, "a"))),
            (Outgoing::Suppressed, "a", Ok((Outgoing::Suppressed, ""))),
        ] {
            let expected = expected.map(|(left, out)| (left, out.as_bytes().to_vec()));
            assert_eq!(sent(outgoing, content.as_bytes()), expected);
        }
    }

    #[test]
    fn ends() {
        let finish = |outgoing: Outgoing, trailers: &FieldLines| {
            let mut out = Vec::new();
            outgoing
                .finish(trailers, &mut out)
                .map(|()| String::from_utf8(out).unwrap())
        };
        let none = FieldLines::new();
        let mut some = FieldLines::new();
        some.append("X-Sum", "1").unwrap();
        let mut forbidden = FieldLines::new();
        forbidden.append("Content-Length", "1").unwrap();
        let ok = |text: &str| Ok(text.to_owned());
        for (outgoing, trailers, expected) in [
            (Outgoing::Nothing, &none, ok("")),
            (Outgoing::Nothing, &some, Err(Misuse::FramingHeader)),
            (Outgoing::UntilClose, &none, ok("")),
            (Outgoing::UntilClose, &some, Err(Misuse::FramingHeader)),
            (Outgoing::Suppressed, &some, ok("")),
            (Outgoing::length(1), &none, Err(Misuse::TooLittleContent)),
            (Outgoing::Chunked, &none, ok("0\r\n\r\n")),
            (Outgoing::Chunked, &some, ok("0\r\nX-Sum: 1\r\n\r\n")),
            (Outgoing::Chunked, &forbidden, Err(Misuse::InvalidHeader)),
        ] {
            assert_eq!(finish(outgoing, trailers), expected, "{outgoing:?}");
        }
    }
}
