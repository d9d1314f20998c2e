//! [`CodingFault`]: why content could not be decoded.

use std::fmt;

/// Why content could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodingFault {
    /// `Content-Encoding` names an unknown coding.
    Unknown(String),
    /// `Content-Encoding` names a coding that this build does not include.
    NotBuilt {
        /// The coding.
        coding: &'static str,
        /// The cargo feature that includes it.
        feature: &'static str,
    },
    /// More than this number of codings, one inside the other.
    TooMany(usize),
    /// The content is malformed or damaged in this coding.
    Corrupt(&'static str),
    /// The content ended inside a stream of this coding.
    Truncated(&'static str),
    /// Decoding needs a window of more than this number of bytes.
    Window(u64),
    /// The decoded content has more than this number of times the encoded size
    /// ([`CodingLimits::max_ratio`](crate::coding::CodingLimits::max_ratio)).
    Ratio(u32),
}

impl fmt::Display for CodingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(coding) => write!(f, "the content coding \"{coding}\" is unknown"),
            Self::NotBuilt { coding, feature } => write!(
                f,
                "the content coding \"{coding}\" is not built in; enable the cargo feature \"{feature}\""
            ),
            Self::TooMany(limit) => write!(f, "the content has more than {limit} content codings"),
            Self::Corrupt(coding) => write!(f, "the {coding} content is malformed"),
            Self::Truncated(coding) => write!(f, "the {coding} content ends too early"),
            Self::Window(limit) => write!(f, "the content needs a window of over {limit} bytes"),
            Self::Ratio(limit) => write!(
                f,
                "the decoded content has over {limit} times the encoded size (CodingLimits::max_ratio)"
            ),
        }
    }
}

impl std::error::Error for CodingFault {}
