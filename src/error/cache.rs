//! [`CacheFileFault`]: a saved cache that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// Why the bytes of a cache were not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheFileFault {
    /// They are no cache, or one of another version.
    Version,
    /// They were cut short, or changed.
    Damaged,
}

impl fmt::Display for CacheFileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "no cache file, or one of another version",
            Self::Damaged => "a damaged cache file",
        })
    }
}

impl StdError for CacheFileFault {}
