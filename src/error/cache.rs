//! [`CacheFileFault`]: a saved cache that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// Why a saved cache cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheFileFault {
    /// It is not a cache file, or one of another version.
    Version,
    /// It was cut off or changed.
    Damaged,
}

impl fmt::Display for CacheFileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "this is not a cache file of this version; begin with an empty cache",
            Self::Damaged => "the cache file is damaged; begin with an empty cache",
        })
    }
}

impl StdError for CacheFileFault {}
