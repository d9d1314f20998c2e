//! [`AccessRefusal`]: what an access policy does not allow.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;

use crate::address_class::AddressClass;

/// What an [`AccessPolicy`](crate::access::AccessPolicy) does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessRefusal {
    /// A scheme that is not among [`AccessPolicy::schemes`](crate::access::AccessPolicy::schemes).
    Scheme(String),
    /// A host that is not among [`AccessPolicy::hosts`](crate::access::AccessPolicy::hosts).
    Host(String),
    /// A port that is not among [`AccessPolicy::ports`](crate::access::AccessPolicy::ports).
    Port(u16),
    /// An address that is not on the public internet.
    Address(IpAddr, AddressClass),
    /// A media type that is not among
    /// [`AccessPolicy::content_types`](crate::access::AccessPolicy::content_types); empty when there
    /// was none.
    ContentType(String),
    /// More content than [`AccessPolicy::max_body_bytes`](crate::access::AccessPolicy::max_body_bytes).
    BodyTooLarge {
        /// That limit.
        max: u64,
    },
}

impl fmt::Display for AccessRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => write!(
                f,
                "the scheme {scheme} is not allowed (AccessPolicy::schemes)"
            ),
            Self::Host(host) => write!(f, "the host {host} is not allowed (AccessPolicy::hosts)"),
            Self::Port(port) => write!(f, "the port {port} is not allowed (AccessPolicy::ports)"),
            Self::Address(address, class) => write!(
                f,
                "the address {address} is {class}, not on the public internet \
                 (AccessPolicy::non_public_addresses)"
            ),
            Self::ContentType(content_type) if content_type.is_empty() => f.write_str(
                "a response without a content type is not allowed (AccessPolicy::content_types)",
            ),
            Self::ContentType(content_type) => write!(
                f,
                "the content type {content_type} is not allowed (AccessPolicy::content_types)"
            ),
            Self::BodyTooLarge { max } => write!(
                f,
                "more than {max} bytes of content (AccessPolicy::max_body_bytes)"
            ),
        }
    }
}

impl StdError for AccessRefusal {}
