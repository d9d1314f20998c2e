//! The result of a lookup.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use crate::error::{Error, NetworkFault};

/// At least one address, in the order of preference (RFC 6724), or the reason for a failed lookup.
pub(crate) type Answer = Result<Arc<[IpAddr]>, Error>;

pub(super) type LookupFn = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

pub(super) fn answer(result: io::Result<Vec<IpAddr>>) -> Answer {
    match result {
        Ok(addresses) if addresses.is_empty() => {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            Err(Error::io(NetworkFault::Unresolved, nothing))
        }
        Ok(addresses) => Ok(addresses.into()),
        Err(error) => Err(Error::io(NetworkFault::Unresolved, error)),
    }
}
