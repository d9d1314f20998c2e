//! [`FieldLines`]: the header or trailer section of one message, field line by field line as on the wire
//! (RFC 9110 §5). What single fields mean (framing, persistence) is in `framing` and `persistence`.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::grammar::{is_field_value, is_token, list_items, trim_ows};
use crate::error::Misuse;

/// Field lines in the order and the spelling of the wire, with duplicates.
///
/// Every field line is valid (RFC 9110 §5.1, §5.5): names are tokens, and values contain no line breaks,
/// NULs or other control characters except tabs. So no value from here can inject a field. Names are
/// compared case-insensitively (ASCII).
///
/// `Debug` hides the values of fields that carry credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldLines {
    // For each field line: the lengths of name and value, then the name, then the value. So a head needs
    // one allocation, however many fields it has.
    lines: Vec<u8>,
    count: usize,
}

/// The type of the stored length of a name or a value.
const LENGTH_BYTES: usize = size_of::<u32>();

impl FieldLines {
    /// An empty section. It allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field line at the end, and keeps those of the same name. Spaces and tabs around the value are
    /// removed (RFC 9110 §5.5).
    ///
    /// Fails with [`Misuse::InvalidHeader`] if the name is not a token, if the value contains CR, LF, NUL
    /// or another control character except a tab, or if either has 4 GiB. Nothing is added then.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let value = trim_ows(value.as_ref());
        let is_too_long = name.len().max(value.len()) > u32::MAX as usize;
        if is_too_long || !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(Misuse::InvalidHeader);
        }
        self.push(name, value);
        Ok(())
    }

    /// Adds a field line that is written as `Name: value` (RFC 9112 §5), without a line break.
    ///
    /// Fails as [`append`](Self::append) does, and also when there is no colon, or whitespace before it.
    pub fn append_line(&mut self, line: &str) -> Result<(), Misuse> {
        let (name, value) = line.split_once(':').ok_or(Misuse::InvalidHeader)?;
        self.append(name, value)
    }

    /// Removes all field lines of this name.
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

    /// The number of field lines.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no field lines.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The name and the value of each field line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // Names are tokens, so they are always valid text.
        self.raw()
            .map(|(name, value)| (str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The value of the first field line of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.raw()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The values of all field lines of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.raw()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether there is a field line of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The items of a comma-separated list, over all field lines of this name (RFC 9110 §5.6.1), trimmed
    /// and without empty ones. A comma inside a quoted string does not separate items.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.get_all(name).flat_map(list_items)
    }

    /// Whether the list of this name contains this token, compared case-insensitively:
    /// `has_token("connection", "close")`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name)
            .any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Converts the fields to a [`HeaderMap`], with names in lower case. Values of fields that carry
    /// credentials are marked sensitive. Fields are left out only if the map is full (over 24 000 names).
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

    /// Removes all field lines, and keeps the allocated memory.
    #[cfg(feature = "agent")]
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.count = 0;
    }

    /// Reserves memory for this many field lines, whose names and values have this many bytes together.
    pub(crate) fn reserve(&mut self, lines: usize, bytes: usize) {
        self.lines.reserve(lines * 2 * LENGTH_BYTES + bytes);
    }

    /// Adds a field line that is known to be valid: the parser has checked every byte, and heads are
    /// shorter than 4 GiB.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.lines.extend_from_slice(&length.to_ne_bytes());
        }
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(value);
        self.count += 1;
    }

    /// The name and the value of each field line, as bytes.
    fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.lines.as_slice();
        std::iter::from_fn(move || {
            let name = take_length(&mut rest)?;
            let value = take_length(&mut rest)?;
            let name = take(&mut rest, name)?;
            Some((name, take(&mut rest, value)?))
        })
    }

    /// Appends all field lines in the form of the wire.
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

/// Appends one field line in the form of the wire.
pub(super) fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a field of this name carries credentials or cookies, which must not be shown.
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
