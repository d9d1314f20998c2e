//! [`FieldLines`]: the header or trailer section of one message, line by line as it is on the wire
//! (RFC 9110 §5). What single fields mean (framing, persistence) lives in `framing` and `persistence`.

use std::fmt;

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
    // Line by line: the lengths of name and value, the name, the value. So a head is one
    // allocation, however many lines it has.
    lines: Vec<u8>,
    count: usize,
}

/// The length of a name or a value, before it.
const LENGTH_BYTES: usize = size_of::<u32>();

impl FieldLines {
    /// No lines; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line at the end; lines of the same name stay. Spaces and tabs around the value are
    /// dropped (RFC 9110 §5.5).
    ///
    /// Fails with [`Misuse::InvalidHeader`] when the name is no token or the value holds CR, LF,
    /// NUL or another control character except a tab, or either has 4 GiB; nothing is added then.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let value = trim_ows(value.as_ref());
        let is_too_long = name.len().max(value.len()) > u32::MAX as usize;
        if is_too_long || !is_token(name.as_bytes()) || !is_field_value(value) {
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
        self.count
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Name and value of each line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // Names are tokens, and so text.
        self.raw()
            .map(|(name, value)| (str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The value of the first line of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.raw()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of each line of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.raw()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
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

    /// Forgets all lines, and keeps their memory.
    #[cfg(feature = "agent")]
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.count = 0;
    }

    /// Makes room for so many lines, with so many bytes of names and values together.
    pub(crate) fn reserve(&mut self, lines: usize, bytes: usize) {
        self.lines.reserve(lines * 2 * LENGTH_BYTES + bytes);
    }

    /// Adds a line that is known to be valid; the parser has looked at every byte already, and heads
    /// are shorter than 4 GiB.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.lines.extend_from_slice(&length.to_ne_bytes());
        }
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(value);
        self.count += 1;
    }

    /// Name and value of each line, as bytes.
    fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.lines.as_slice();
        std::iter::from_fn(move || {
            let name = take_length(&mut rest)?;
            let value = take_length(&mut rest)?;
            let name = take(&mut rest, name)?;
            Some((name, take(&mut rest, value)?))
        })
    }

    /// Appends all lines as they go on the wire.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (name, value) in self.raw() {
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

fn take<'lines>(rest: &mut &'lines [u8], length: usize) -> Option<&'lines [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, behind) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    *rest = behind;
    usize::try_from(u32::from_ne_bytes(*length)).ok()
}

/// Appends one line as it goes on the wire.
pub(super) fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a field with this name carries credentials or cookies, which must not be shown.
pub(crate) fn is_secret(name: &str) -> bool {
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
