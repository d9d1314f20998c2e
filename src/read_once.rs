//! One read from a reader of the caller, whose count is checked.

use std::io::{self, Read};

/// Reads once into `buffer`. An interrupted read is repeated. A reader that returns more than the buffer holds
/// would make the bytes behind it count as read, so that is an error.
pub(crate) fn read_once(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count) => return checked(count, buffer.len()),
            failed => return failed,
        }
    }
}

/// A count that a stream or reader of the caller returned for a buffer of `most` bytes.
pub(crate) fn checked(count: usize, most: usize) -> io::Result<usize> {
    if count > most {
        return Err(io::Error::other(
            "a reader returned a length beyond its buffer",
        ));
    }
    Ok(count)
}
