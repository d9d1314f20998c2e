//! The hosts that a server serves (RFC 9110 §7.2). A page whose name was rebound to this machine still sends
//! its own name in `Host`.

use http::StatusCode;

use super::{GuardRequest, Refusal, RefusalReason};
use crate::server::host::{HostField, InvalidHost};

/// The hosts that the server serves.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// The port that the server listens on, if it serves loopback names.
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

    /// Checks the target's host and `Host`, or the host that a trusted proxy reports instead. A request without
    /// any of them is not from a browser, and HTTP/1.0 allows it.
    ///
    /// For loopback names only the name is compared. Behind a tunnel, a port mapping or a container the client's
    /// port differs from the server's, and the name alone reveals a rebound name.
    pub(super) fn check(&self, request: &GuardRequest<'_>) -> Result<(), Refusal> {
        let malformed = |InvalidHost| Refusal::malformed();
        let field = HostField::of(request.fields).map_err(malformed)?;
        let field = request.forwarded_host.cloned().or(field);
        let target = HostField::of_target(request.target)
            .transpose()
            .map_err(malformed)?;
        let is_ours = |host: &HostField| {
            (self.local.is_some() && host.is_loopback())
                || self.is_named(host, host.port_or_default(request.is_secure))
        };
        if field.iter().chain(&target).all(is_ours) {
            Ok(())
        } else {
            Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                RefusalReason::ForeignHost,
            ))
        }
    }

    /// Whether this origin is the server's own: it has the server's port, or the port that the request was sent
    /// to, which differs behind a tunnel.
    pub(super) fn is_origin(
        &self,
        host: &HostField,
        port: u16,
        request: &GuardRequest<'_>,
    ) -> bool {
        let asked = match request.forwarded_host {
            Some(host) => Some(host.clone()),
            None => HostField::of(request.fields).ok().flatten(),
        };
        let is_asked = asked.is_some_and(|asked| {
            asked.host == host.host && asked.port_or_default(request.is_secure) == port
        });
        let is_local = self.local.is_some_and(|own| own == port || is_asked);
        (is_local && host.is_loopback()) || self.is_named(host, port)
    }

    fn is_named(&self, host: &HostField, port: u16) -> bool {
        self.named
            .iter()
            .any(|named| named.host == host.host && named.port.is_none_or(|named| named == port))
    }
}
