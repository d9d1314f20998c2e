//! The hosts that a server answers for. A page whose name was rebound to this machine still sends
//! its own name.

use http::StatusCode;

use super::{GuardRequest, Refusal, RefusalReason};
use crate::server::host::{HostField, InvalidHost};

/// The hosts that the server answers for.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// The port on which loopback names are answered for.
    local: Option<u16>,
    named: Vec<HostField>,
}

impl Hosts {
    pub(super) fn local(port: u16) -> Self {
        Self {
            local: Some(port),
            named: Vec::new(),
        }
    }

    pub(super) fn none() -> Self {
        Self {
            local: None,
            named: Vec::new(),
        }
    }

    pub(super) fn allow(&mut self, host: HostField) {
        self.named.push(host);
    }

    /// Both the target's host and `Host` have to be ours. A request without either is no browser's,
    /// and HTTP/1.0 allows it.
    pub(super) fn check(&self, request: &GuardRequest<'_>) -> Result<(), Refusal> {
        let malformed = |InvalidHost| Refusal::malformed();
        let field = HostField::of(request.fields).map_err(malformed)?;
        let target = HostField::of_target(request.target)
            .transpose()
            .map_err(malformed)?;
        let is_ours =
            |host: &HostField| self.contains(host, host.port_or_default(request.is_secure));
        if field.iter().chain(&target).all(is_ours) {
            Ok(())
        } else {
            Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                RefusalReason::ForeignHost,
            ))
        }
    }

    /// Whether the server answers for this host on this port.
    pub(super) fn contains(&self, host: &HostField, port: u16) -> bool {
        (self.local == Some(port) && host.is_loopback())
            || self.named.iter().any(|named| {
                named.host == host.host && named.port.is_none_or(|named| named == port)
            })
    }
}
