//! [`CertificateFault`]: a certificate that cannot be read (RFC 5280).

use std::error::Error as StdError;
use std::fmt;

/// Why a certificate's facts cannot be told. The connection is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It has more than so many bytes: [`CertificateFacts::MAX_BYTES`].
    TooLarge(usize),
    /// Its subject or issuer has more than so many attributes:
    /// [`CertificateFacts::MAX_NAME_ATTRIBUTES`].
    TooManyNameAttributes(usize),
    /// The start or end of its validity is no date, or lies before 1970.
    Date,
    /// It is no X.509 certificate in DER, or there is something behind it.
    Malformed,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "a certificate of more than {limit} bytes"),
            Self::TooManyNameAttributes(limit) => {
                write!(
                    f,
                    "a certificate with more than {limit} attributes in a name"
                )
            }
            Self::Date => f.write_str("a certificate whose validity has no date from 1970 on"),
            Self::Malformed => f.write_str("not an X.509 certificate in DER"),
        }
    }
}

impl StdError for CertificateFault {}
