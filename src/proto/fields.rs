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
    // The marks of all names. Most lookups are for names that are absent, and nearly always their mark is
    // absent, too. Then there is nothing to search.
    marks: u64,
}

/// The size of the stored lengths of a name and its value.
const LENGTHS_BYTES: usize = 2 * size_of::<u32>();

/// The room for the first field lines.
const FIRST_BYTES: usize = 128;

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
        let value = checked(name, value.as_ref())?;
        self.push(name, value);
        Ok(())
    }

    /// Adds a field line at the end, and removes those of the same name. Fails as [`append`](Self::append) does;
    /// nothing changes then.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Misuse> {
        let value = checked(name, value)?;
        self.remove(name);
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
        let mut kept = Self::with_capacity(0, self.lines.len());
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
    #[inline]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The values of all field lines of this name, in order.
    #[inline]
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name)
    }

    /// Whether there is a field line of this name.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The items of a comma-separated list, over all field lines of this name (RFC 9110 §5.6.1), trimmed
    /// and without empty ones. A comma inside a quoted string does not separate items.
    #[inline]
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
        // Fields with the same name take one place, so more of them may fit than a map has places for.
        let mut map = HeaderMap::try_with_capacity(self.len()).unwrap_or_default();
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
        self.marks = 0;
    }

    /// An empty section with memory for this many field lines, whose names and values have this many bytes
    /// together.
    pub(super) fn with_capacity(lines: usize, bytes: usize) -> Self {
        Self {
            lines: Vec::with_capacity(lines * LENGTHS_BYTES + bytes),
            ..Self::default()
        }
    }

    /// Reserves memory for this many more field lines, whose names and values have this many bytes together.
    #[cfg(feature = "server")]
    pub(crate) fn reserve(&mut self, lines: usize, bytes: usize) {
        self.lines.reserve(lines * LENGTHS_BYTES + bytes);
    }

    /// Adds a field line that is known to be valid: the parser has checked every byte, and heads are
    /// shorter than 4 GiB.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let length = LENGTHS_BYTES + name.len() + value.len();
        // Once for the whole line, and with room for a few more in the first place.
        self.lines.reserve(if self.lines.capacity() == 0 {
            length.max(FIRST_BYTES)
        } else {
            length
        });
        let lengths = (name.len() as u64) << 32 | value.len() as u64;
        self.lines.extend_from_slice(&lengths.to_ne_bytes());
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(value);
        self.count += 1;
        self.marks |= mark(name);
    }

    /// The name and the value of each field line, as bytes.
    fn raw(&self) -> Lines<'_> {
        Lines { rest: &self.lines }
    }

    #[inline]
    fn values<'lines, 'name>(&'lines self, name: &'name str) -> Values<'lines, 'name> {
        let may_be_there = self.marks & mark(name) != 0;
        let rest = if may_be_there { &self.lines[..] } else { &[] };
        Values {
            lines: Lines { rest },
            name,
        }
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

/// The name and the value of each field line, as bytes.
struct Lines<'lines> {
    rest: &'lines [u8],
}

impl<'lines> Iterator for Lines<'lines> {
    type Item = (&'lines [u8], &'lines [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (lengths, behind) = self.rest.split_first_chunk::<LENGTHS_BYTES>()?;
        let lengths = u64::from_ne_bytes(*lengths);
        // Each was a `u32`.
        let (name, behind) = behind.split_at_checked((lengths >> 32) as usize)?;
        let (value, behind) = behind.split_at_checked(lengths as u32 as usize)?;
        self.rest = behind;
        Some((name, value))
    }
}

/// The values of the field lines of one name.
struct Values<'lines, 'name> {
    lines: Lines<'lines>,
    name: &'name str,
}

impl<'lines> Values<'lines, '_> {
    /// The rest of [`next`](Iterator::next), apart from it so that a lookup of an absent name costs no call.
    fn search(&mut self) -> Option<&'lines [u8]> {
        let name = self.name.as_bytes();
        // A name of another length is not compared.
        while let Some((lengths, behind)) = self.lines.rest.split_first_chunk::<LENGTHS_BYTES>() {
            let lengths = u64::from_ne_bytes(*lengths);
            let (of_name, of_value) = ((lengths >> 32) as usize, lengths as u32 as usize);
            let (line, rest) = behind.split_at_checked(of_name.checked_add(of_value)?)?;
            self.lines.rest = rest;
            if of_name == name.len()
                && let Some((other, value)) = line.split_at_checked(of_name)
                && other.eq_ignore_ascii_case(name)
            {
                return Some(value);
            }
        }
        None
    }
}

impl<'lines> Iterator for Values<'lines, '_> {
    type Item = &'lines [u8];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.lines.rest.is_empty() {
            return None;
        }
        self.search()
    }
}

/// One bit out of 64, the same for all spellings of a name. It depends on the length, the first and the last
/// letter.
#[inline]
fn mark(name: &str) -> u64 {
    let name = name.as_bytes();
    // This bit is the difference between the two cases of a letter.
    let caseless = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte | 0x20));
    1 << ((name.len() + 3 * caseless(name.first()) + 7 * caseless(name.last())) % 64)
}

/// The value of a valid field line, without the whitespace around it.
fn checked<'value>(name: &str, value: &'value [u8]) -> Result<&'value [u8], Misuse> {
    let value = trim_ows(value);
    let is_too_long = name.len().max(value.len()) > u32::MAX as usize;
    if is_too_long || !is_token(name.as_bytes()) || !is_field_value(value) {
        return Err(Misuse::InvalidHeader);
    }
    Ok(value)
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
