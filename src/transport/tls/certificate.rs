//! The content of a certificate (RFC 5280): [`CertificateFacts`], read from DER by `x509-cert`.
//! `verifier` decides whether to trust it.
//!
//! The bytes come from the peer. A client that verifies certificates reads only those that rustls has
//! accepted, but one with insecure [`TlsOptions`](crate::tls::TlsOptions) reads any. So the size and
//! the number of a name's parts are checked before they are processed.

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use x509_cert::certificate::{CertificateInner, Raw, TbsCertificateInner};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, ErrorKind, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::name::Name;
use x509_cert::time::Time;

use super::info::TlsInfo;
use crate::error::CertificateFault;

/// The content of a certificate (RFC 5280 §4.1). It does not say whether the certificate is trusted:
/// the handshake has decided that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// The subject, as RFC 4514 writes names: `CN=game.example,O=Games`, the most specific part
    /// first, special characters escaped. Attributes without a known name, and values that are not
    /// text, are a number and hexadecimal DER: `2.5.4.97=#0c0341`. Empty when all names are in
    /// [`subject_alternative_names`](Self::subject_alternative_names), as RFC 5280 §4.1.2.6 allows.
    pub subject: String,
    /// The issuer, written like the subject.
    pub issuer: String,
    /// Its serial number: upper-case hexadecimal, two digits a byte, without separators and without a
    /// leading zero byte, as `openssl x509 -serial` shows it.
    pub serial: String,
    /// The names it is valid for, in its order (RFC 5280 §4.2.1.6). Clients compare hosts only with
    /// these, never with the subject (RFC 9525 §2).
    pub subject_alternative_names: Vec<SubjectAlternativeName>,
    /// The first second of its validity.
    pub not_before: SystemTime,
    /// The last second of its validity. 9999-12-31T23:59:59Z means that it never expires (RFC 5280
    /// §4.1.2.5).
    pub not_after: SystemTime,
    /// Its fingerprint: the SHA-256 of its DER.
    pub sha256: [u8; 32],
}

/// One of the names that a certificate is valid for (RFC 5280 §4.2.1.6).
///
/// Texts are ASCII, but otherwise as the certificate has them: they may hold control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubjectAlternativeName {
    /// A host name, in ASCII. Its first label may be `*`, for any one label.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI.
    Uri(String),
    /// An email address.
    Email(String),
    /// A name of another kind, or one that breaks the rules of its kind: the number of its kind in
    /// `GeneralName`, 0 to 8.
    Other(u8),
}

impl TlsInfo {
    /// The content of the peer's own certificate, read at each call; `None` if it sent none. For the
    /// rest of its chain, pass each of [`peer_certificates`](Self::peer_certificates) to
    /// [`CertificateFacts::parse`].
    pub fn certificate(&self) -> Option<Result<CertificateFacts, CertificateFault>> {
        let der = self.peer_certificates.first()?;
        Some(CertificateFacts::parse(der))
    }
}

impl CertificateFacts {
    /// The size of the largest certificate that is read, in bytes: 64 KiB, which is also rustls's
    /// limit for a whole chain. Common certificates have 1 to 2 KiB.
    pub const MAX_BYTES: usize = 64 << 10;

    /// How many attributes a subject or issuer may have: 128. Common ones have 1 to 10.
    pub const MAX_NAME_ATTRIBUTES: usize = 128;

    /// Reads a certificate from DER. Serial numbers longer than RFC 5280 allows, names of unknown
    /// kinds and unknown extensions are accepted.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateFault> {
        if der.len() > Self::MAX_BYTES {
            return Err(CertificateFault::TooLarge(Self::MAX_BYTES));
        }
        let certificate = CertificateInner::<Raw>::from_der(der).map_err(fault)?;
        let facts = certificate.tbs_certificate();
        let validity = facts.validity();
        Ok(Self {
            subject: name_text(facts.subject())?,
            issuer: name_text(facts.issuer())?,
            serial: serial_text(facts.serial_number().as_bytes())?,
            subject_alternative_names: subject_alternative_names(facts)?,
            not_before: system_time(validity.not_before)?,
            not_after: system_time(validity.not_after)?,
            sha256: Sha256::digest(der).into(),
        })
    }
}

/// x509-cert reads dates only in the validity.
fn fault(error: x509_cert::der::Error) -> CertificateFault {
    match error.kind() {
        ErrorKind::DateTime
        | ErrorKind::Value {
            tag: Tag::UtcTime | Tag::GeneralizedTime,
        } => CertificateFault::Date,
        _ => CertificateFault::Malformed,
    }
}

fn name_text(name: &Name) -> Result<String, CertificateFault> {
    let limit = CertificateFacts::MAX_NAME_ATTRIBUTES;
    if name.iter().nth(limit).is_some() {
        return Err(CertificateFault::TooManyNameAttributes(limit));
    }
    text(format_args!("{name}"))
}

fn serial_text(bytes: &[u8]) -> Result<String, CertificateFault> {
    let digits = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let mut serial = String::with_capacity(digits.len() * 2);
    for byte in digits {
        serial.push_str(&text(format_args!("{byte:02X}"))?);
    }
    Ok(serial)
}

/// `to_string` would panic where x509-cert says that it cannot write a name.
fn text(arguments: fmt::Arguments<'_>) -> Result<String, CertificateFault> {
    let mut text = String::new();
    text.write_fmt(arguments)
        .map_err(|_| CertificateFault::Malformed)?;
    Ok(text)
}

fn system_time(time: Time) -> Result<SystemTime, CertificateFault> {
    UNIX_EPOCH
        .checked_add(time.to_unix_duration())
        .ok_or(CertificateFault::Date)
}

/// Read name by name: x509-cert's own `GeneralNames` refuses all because of one whose kind it does
/// not know.
fn subject_alternative_names(
    facts: &TbsCertificateInner<Raw>,
) -> Result<Vec<SubjectAlternativeName>, CertificateFault> {
    let extensions = facts.extensions().map(Vec::as_slice).unwrap_or_default();
    let mut found = extensions
        .iter()
        .filter(|extension| extension.extn_id == SubjectAltName::OID);
    let Some(extension) = found.next() else {
        return Ok(Vec::new());
    };
    // RFC 5280 §4.2: an extension comes once.
    if found.next().is_some() {
        return Err(CertificateFault::Malformed);
    }
    let names = Vec::<AnyRef<'_>>::from_der(extension.extn_value.as_bytes()).map_err(fault)?;
    names.into_iter().map(subject_alternative_name).collect()
}

fn subject_alternative_name(name: AnyRef<'_>) -> Result<SubjectAlternativeName, CertificateFault> {
    let Tag::ContextSpecific {
        constructed,
        number,
    } = name.tag()
    else {
        return Err(CertificateFault::Malformed);
    };
    let number = match u8::try_from(number.value()) {
        Ok(number @ 0..=8) => number,
        _ => return Err(CertificateFault::Malformed),
    };
    let known = if constructed {
        None
    } else {
        known_name(number, name.value())
    };
    Ok(known.unwrap_or(SubjectAlternativeName::Other(number)))
}

fn known_name(number: u8, value: &[u8]) -> Option<SubjectAlternativeName> {
    let ascii = || {
        let text = std::str::from_utf8(value).ok()?;
        text.is_ascii().then(|| text.to_owned())
    };
    match number {
        1 => ascii().map(SubjectAlternativeName::Email),
        2 => ascii().map(SubjectAlternativeName::Dns),
        6 => ascii().map(SubjectAlternativeName::Uri),
        7 => address(value).map(SubjectAlternativeName::Ip),
        _ => None,
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(octets).ok()?;
    Some(Ipv6Addr::from(v6).into())
}
