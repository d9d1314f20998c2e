//! [`CodingFault`]: why content could not be decoded.

use std::fmt;

/// Why content could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodingFault {
    /// `Content-Encoding` names a coding that is not known at all.
    Unknown(String),
    /// `Content-Encoding` names a coding that this build left out.
    NotBuilt {
        /// The coding.
        coding: &'static str,
        /// The cargo feature that brings it in.
        feature: &'static str,
    },
    /// More than so many codings one upon the other.
    TooMany(usize),
    /// The content is malformed for this coding, or damaged.
    Corrupt(&'static str),
    /// The content ended inside a stream of this coding.
    Truncated(&'static str),
    /// Decoding needs a window of more than so many bytes.
    Window(u64),
    /// The content swells to more than so many times its size
    /// ([`CodingLimits::max_ratio`](crate::coding::CodingLimits::max_ratio)).
    Ratio(u32),
}

impl fmt::Display for CodingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(coding) => write!(f, "unknown content coding \"{coding}\""),
            Self::NotBuilt { coding, feature } => write!(
                f,
                "content coding \"{coding}\" is not built in; enable the cargo feature \"{feature}\""
            ),
            Self::TooMany(limit) => write!(f, "more than {limit} content codings"),
            Self::Corrupt(coding) => write!(f, "malformed {coding} content"),
            Self::Truncated(coding) => write!(f, "{coding} content that ends too early"),
            Self::Window(limit) => write!(f, "content that needs a window of over {limit} bytes"),
            Self::Ratio(limit) => write!(
                f,
                "content that swells to over {limit} times its size (CodingLimits::max_ratio)"
            ),
        }
    }
}

impl std::error::Error for CodingFault {}
