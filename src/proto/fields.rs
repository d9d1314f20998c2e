//! [`FieldLines`]: the header or trailer section of one message, line by line as it is on the wire
//! (RFC 9110 §5). What single fields mean (framing, persistence) lives in `framing` and `verdict`.

use std::fmt;
use std::ops::Range;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::grammar::{is_field_value, is_token, list_items, trim_ows};
use crate::error::Misuse;

/// Field lines in the order and with the letters of the wire, duplicates kept.
///
/// Every line held here is valid (RFC 9110 §5.1, §5.5): names are tokens, values hold no line
/// breaks, NULs or other control characters except tabs. So nothing taken from here can inject a
/// line. Names are compared without regard to ASCII case.
///
/// `Debug` hides the values of fields that carry credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldLines {
    // All names and all values share one buffer each, so a head costs three allocations however
    // many lines it has, and a name is text without being checked again.
    names: String,
    values: Vec<u8>,
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

impl FieldLines {
    /// No lines; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line at the end; lines of the same name stay. Spaces and tabs around the value are
    /// dropped (RFC 9110 §5.5).
    ///
    /// Fails with [`Misuse::InvalidHeader`] when the name is no token or the value holds CR, LF,
    /// NUL or another control character except a tab; nothing is added then.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let value = trim_ows(value.as_ref());
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(Misuse::InvalidHeader);
        }
        self.push(name, value);
        Ok(())
    }

    /// Adds a line written as `Name: value` (RFC 9112 §5), without a line break.
    ///
    /// Fails as [`append`](Self::append) does, and when there is no colon or whitespace before it.
    pub fn append_line(&mut self, line: &str) -> Result<(), Misuse> {
        let (name, value) = line.split_once(':').ok_or(Misuse::InvalidHeader)?;
        self.append(name, value)
    }

    /// Removes all lines of this name.
    pub fn remove(&mut self, name: &str) {
        if !self.contains(name) {
            return;
        }
        let mut kept = Self::new();
        for (other, value) in self.iter() {
            if !other.eq_ignore_ascii_case(name) {
                kept.push(other, value);
            }
        }
        *self = kept;
    }

    /// How many lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Name and value of each line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|line| {
            (
                &self.names[line.name.clone()],
                &self.values[line.value.clone()],
            )
        })
    }

    /// The value of the first line of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of each line of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether there is a line of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The items of a comma-separated list over all lines of this name (RFC 9110 §5.6.1), trimmed,
    /// without empty ones. A comma inside a quoted string separates nothing.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.get_all(name).flat_map(list_items)
    }

    /// Whether the list of this name holds this token, in any case: `has_token("connection",
    /// "close")`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name)
            .any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The same lines as a [`HeaderMap`], names in lower case. Values of fields that carry
    /// credentials are marked sensitive. Only a map that is full (over 24 000 names) leaves lines
    /// out.
    pub fn to_header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.len());
        for (name, value) in self.iter() {
            if let (Ok(header), Ok(mut value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value),
            ) {
                value.set_sensitive(is_secret(name));
                if map.try_append(header, value).is_err() {
                    break;
                }
            }
        }
        map
    }

    /// Makes room for so many lines, with so many bytes of names and values together.
    pub(crate) fn reserve(&mut self, lines: usize, bytes: usize) {
        self.lines.reserve(lines);
        // Names are the smaller part as a rule; what does not fit grows.
        self.names.reserve(bytes / 3);
        self.values.reserve(bytes - bytes / 3);
    }

    /// Adds a line that is known to be valid; the parser has looked at every byte already.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let (name_start, value_start) = (self.names.len(), self.values.len());
        self.names.push_str(name);
        self.values.extend_from_slice(value);
        self.lines.push(Line {
            name: name_start..self.names.len(),
            value: value_start..self.values.len(),
        });
    }

    /// Appends all lines as they go on the wire.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            write_line(name, value, out);
        }
    }
}

impl fmt::Debug for FieldLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            if is_secret(name) {
                map.entry(&name, &format_args!("(hidden)"));
            } else {
                map.entry(&name, &format_args!("\"{}\"", value.escape_ascii()));
            }
        }
        map.finish()
    }
}

/// Appends one line as it goes on the wire.
pub(super) fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn is_secret(name: &str) -> bool {
    [
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
    ]
    .iter()
    .any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests;
