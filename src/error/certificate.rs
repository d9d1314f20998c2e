//! [`CertificateFault`]: a certificate that cannot be read (RFC 5280).

use std::error::Error as StdError;
use std::fmt;

/// Why a certificate's facts cannot be read. The connection is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It has more than this number of bytes:
    /// [`CertificateFacts::MAX_BYTES`](crate::tls::CertificateFacts::MAX_BYTES).
    TooLarge(usize),
    /// Its subject or issuer has more than this number of attributes:
    /// [`CertificateFacts::MAX_NAME_ATTRIBUTES`](crate::tls::CertificateFacts::MAX_NAME_ATTRIBUTES).
    TooManyNameAttributes(usize),
    /// The start or end of its validity is not a date, or before 1970.
    Date,
    /// It is not an X.509 certificate in DER, or bytes follow it.
    Malformed,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the certificate has more than {limit} bytes"),
            Self::TooManyNameAttributes(limit) => {
                write!(
                    f,
                    "the certificate has more than {limit} attributes in a name"
                )
            }
            Self::Date => {
                f.write_str("the certificate's validity has an invalid date, or one before 1970")
            }
            Self::Malformed => f.write_str("the certificate is not X.509 in DER"),
        }
    }
}

impl StdError for CertificateFault {}
