//! [`InvalidHostPattern`]: a host pattern that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// Text that is not a valid `HostPattern` of an access policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHostPattern;

impl fmt::Display for InvalidHostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a host such as mods.example or *.example.com, without scheme, port and path",
        )
    }
}

impl StdError for InvalidHostPattern {}
