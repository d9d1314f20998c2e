//! [`MultipartParser`]: finds the parts of a form in pieces of any size. It passes content on without copying
//! it, and holds back at most the start of a boundary.
//!
//! ```text
//! Preamble ─boundary─▶ AfterBoundary ─line end─▶ Head ─empty line─▶ Content ─boundary─┐
//!                        ▲     └──"--"──▶ Epilogue                                    │
//!                        └────────────────────────────────────────────────────────────┘
//! ```

use std::fmt;
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::fault::{MultipartError, MultipartLimit, MultipartLimits};
use super::part_head::PartHead;
use crate::semantics::multipart::grammar::form_boundary;

/// White space that may follow a boundary on its line (RFC 2046 §5.1.1).
const MOST_PADDING: usize = 128;

/// An incremental parser of `multipart/form-data`.
pub struct MultipartParser {
    /// The line end, two hyphens, and the boundary. Only its first byte is a CR.
    delimiter: Vec<u8>,
    finder: memmem::Finder<'static>,
    state: State,
    head_limit: usize,
    part_limit: usize,
    total_limit: u64,
    parts: usize,
    total: u64,
}

/// What the parser found in a piece of content.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultipartStep<'a> {
    /// How many bytes of the input were used. Pass the rest again, until there is no event.
    pub consumed: usize,
    /// The event; `None` when all of the input was used and more is needed.
    pub event: Option<MultipartEvent<'a>>,
}

/// An event in a form.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultipartEvent<'a> {
    /// A part begins.
    Part(PartHead),
    /// Content of the part, never empty.
    Content(&'a [u8]),
    /// The part is complete.
    PartEnd,
    /// The form is complete. Bytes that follow are ignored (RFC 2046 §5.1.1).
    End,
}

enum State {
    Preamble(Search),
    AfterBoundary(Vec<u8>),
    Head(Vec<u8>),
    Content(Search),
    Epilogue,
}

/// How many bytes of the delimiter have been seen at the end of the input.
#[derive(Clone, Copy)]
struct Search {
    matched: usize,
    /// How many of these bytes were not in the content. A boundary may also stand at the very start of the
    /// content, where the line end before it belongs to the head.
    implied: usize,
}

enum Found {
    /// How many bytes of the input are content.
    Content(usize),
    /// These bytes of the delimiter were content after all.
    Replay(Range<usize>),
    Delimiter,
    Nothing,
}

/// An event without its borrowed data.
enum Happened {
    Part(PartHead),
    Content(Range<usize>),
    Replay(Range<usize>),
    PartEnd,
    End,
}

impl MultipartParser {
    /// A parser for content of this `Content-Type`.
    pub fn new(content_type: &[u8], limits: &MultipartLimits) -> Result<Self, MultipartError> {
        let mut delimiter = b"\r\n--".to_vec();
        delimiter.extend(form_boundary(content_type).ok_or(MultipartError::ContentType)?);
        Ok(Self {
            finder: memmem::Finder::new(&delimiter).into_owned(),
            delimiter,
            state: State::Preamble(Search::AT_START),
            head_limit: limits.head_bytes,
            part_limit: limits.parts,
            total_limit: limits.total_bytes,
            parts: 0,
            total: 0,
        })
    }

    /// Takes content up to the next event. After an error the form is lost; do not continue.
    pub fn receive<'a>(&'a mut self, input: &'a [u8]) -> Result<MultipartStep<'a>, MultipartError> {
        let mut consumed = 0;
        let mut happened = None;
        while happened.is_none() && consumed < input.len() {
            let rest = &input[consumed..];
            let (taken, event) = self.step(rest)?;
            happened = event.map(|event| event.moved(consumed));
            consumed += taken;
            self.count(taken)?;
        }
        let event = happened.map(|happened| match happened {
            Happened::Part(head) => MultipartEvent::Part(head),
            Happened::Content(range) => MultipartEvent::Content(&input[range]),
            Happened::Replay(range) => MultipartEvent::Content(&self.delimiter[range]),
            Happened::PartEnd => MultipartEvent::PartEnd,
            Happened::End => MultipartEvent::End,
        });
        Ok(MultipartStep { consumed, event })
    }

    /// Declares that the content has ended.
    ///
    /// Fails with [`MultipartError::Truncated`] when the form is not complete.
    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue => Ok(()),
            _ => Err(MultipartError::Truncated),
        }
    }

    /// One step on input that is not empty. Returns how many bytes it used and the event. A step that uses no
    /// bytes returns an event or changes the state.
    fn step(&mut self, rest: &[u8]) -> Result<(usize, Option<Happened>), MultipartError> {
        match &mut self.state {
            State::Epilogue => Ok((rest.len(), None)),
            State::Preamble(search) => {
                let (taken, found) = search.step(rest, &self.delimiter, &self.finder);
                if matches!(found, Found::Delimiter) {
                    self.state = State::AfterBoundary(Vec::new());
                }
                Ok((taken, None))
            }
            State::Content(search) => {
                let (taken, found) = search.step(rest, &self.delimiter, &self.finder);
                let happened = match found {
                    Found::Nothing => None,
                    Found::Content(length) => Some(Happened::Content(0..length)),
                    Found::Replay(range) if range.is_empty() => None,
                    Found::Replay(range) => Some(Happened::Replay(range)),
                    Found::Delimiter => {
                        self.state = State::AfterBoundary(Vec::new());
                        Some(Happened::PartEnd)
                    }
                };
                Ok((taken, happened))
            }
            State::AfterBoundary(line) => {
                for (index, &byte) in rest.iter().enumerate() {
                    line.push(byte);
                    match line.as_slice() {
                        b"--" => {
                            self.state = State::Epilogue;
                            return Ok((index + 1, Some(Happened::End)));
                        }
                        [padding @ .., b'\r', b'\n'] if is_padding(padding) => {
                            self.state = State::Head(Vec::new());
                            return Ok((index + 1, None));
                        }
                        b"-" => {}
                        [padding @ .., b'\r'] | padding
                            if is_padding(padding) && line.len() <= MOST_PADDING => {}
                        _ => return Err(MultipartError::Boundary),
                    }
                }
                Ok((rest.len(), None))
            }
            State::Head(head) => {
                for (index, &byte) in rest.iter().enumerate() {
                    if head.len() == self.head_limit {
                        return Err(MultipartLimit::HeadBytes(self.head_limit).into());
                    }
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") || head == b"\r\n" {
                        let part = PartHead::parse(head)?;
                        if self.parts == self.part_limit {
                            return Err(MultipartLimit::Parts(self.part_limit).into());
                        }
                        self.parts += 1;
                        self.state = State::Content(Search::AT_START);
                        return Ok((index + 1, Some(Happened::Part(part))));
                    }
                }
                Ok((rest.len(), None))
            }
        }
    }

    fn count(&mut self, taken: usize) -> Result<(), MultipartError> {
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        self.total = self.total.saturating_add(taken);
        if self.total > self.total_limit {
            return Err(MultipartLimit::TotalBytes(self.total_limit).into());
        }
        Ok(())
    }
}

impl Search {
    const AT_START: Self = Self {
        matched: 2,
        implied: 2,
    };

    fn step(
        &mut self,
        rest: &[u8],
        delimiter: &[u8],
        finder: &memmem::Finder<'_>,
    ) -> (usize, Found) {
        if self.matched > 0 {
            return self.go_on(rest, delimiter);
        }
        match finder.find(rest) {
            Some(0) => (delimiter.len(), Found::Delimiter),
            Some(start) => (start, Found::Content(start)),
            None => match started(rest, delimiter) {
                Some(0) => {
                    self.matched = rest.len();
                    (rest.len(), Found::Nothing)
                }
                Some(start) => (start, Found::Content(start)),
                None => (rest.len(), Found::Content(rest.len())),
            },
        }
    }

    /// Compares with the rest of the delimiter. After a mismatch the bytes that matched need no second look: only
    /// the first byte of a delimiter is a CR.
    fn go_on(&mut self, rest: &[u8], delimiter: &[u8]) -> (usize, Found) {
        let wanted = &delimiter[self.matched..];
        let same = wanted.iter().zip(rest).take_while(|(a, b)| a == b).count();
        let matched = self.matched + same;
        if same == wanted.len() {
            return (same, Found::Delimiter);
        }
        if same == rest.len() {
            self.matched = matched;
            return (same, Found::Nothing);
        }
        let implied = self.implied;
        *self = Self {
            matched: 0,
            implied: 0,
        };
        (same, Found::Replay(implied..matched))
    }
}

impl Happened {
    /// The same, as seen from `earlier` bytes earlier in the input.
    fn moved(self, by: usize) -> Self {
        match self {
            Self::Content(range) => Self::Content(range.start + by..range.end + by),
            other => other,
        }
    }
}

/// Where the start of a delimiter lies at the end of the input.
fn started(rest: &[u8], delimiter: &[u8]) -> Option<usize> {
    let from = rest.len().saturating_sub(delimiter.len() - 1);
    memchr_iter(b'\r', &rest[from..])
        .map(|index| from + index)
        .find(|&start| delimiter.starts_with(&rest[start..]))
}

fn is_padding(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

impl fmt::Debug for MultipartParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartParser")
            .field("parts", &self.parts)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}
