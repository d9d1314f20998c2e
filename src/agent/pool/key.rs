//! What decides whether two requests may share connections.

use std::fmt;

use url::Host as HostName;

use crate::connection::{AddressFilter, Route, Target};
use crate::transport::link::TlsChoice;

/// What two requests must have in common to share connections.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PoolKey {
    host: HostName<String>,
    port: u16,
    tls: TlsChoice,
    route: Route,
    addresses: AddressFilter,
    tunnelled_by: TunnelledBy,
}

/// The `Proxy-Authorization` that opened a tunnel. Requests with another one must not use it.
#[derive(Clone, PartialEq, Eq)]
struct TunnelledBy(Option<String>);

impl fmt::Debug for TunnelledBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TunnelledBy({})", self.0.is_some())
    }
}

impl fmt::Display for PoolKey {
    /// Scheme, host and port, and the proxy on the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.tls {
            TlsChoice::Plain => "http",
            TlsChoice::Tls(_) => "https",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)?;
        match &self.route {
            Route::Direct => Ok(()),
            Route::Forward(_) => f.write_str(" (a proxy)"),
            Route::Tunnel(proxy) => write!(f, " through the proxy {}:{}", proxy.host, proxy.port),
            Route::Socks(proxy) => write!(f, " through the proxy {}:{}", proxy.host, proxy.port),
        }
    }
}

impl PoolKey {
    /// Whether both lead to the same host and port, whatever else differs.
    pub(super) fn has_address_of(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }

    pub(crate) fn of(
        target: Target,
        addresses: &AddressFilter,
        proxy_authorization: Option<String>,
    ) -> Self {
        // A proxy forwards requests to any host over one connection.
        let (host, port) = match &target.route {
            Route::Forward(proxy) => (proxy.host.clone(), proxy.port),
            _ => (target.host, target.port),
        };
        Self {
            host,
            port,
            // A proxy that forwards checks each request.
            tunnelled_by: TunnelledBy(
                proxy_authorization.filter(|_| matches!(target.route, Route::Tunnel(_))),
            ),
            tls: target.tls,
            route: target.route,
            addresses: addresses.clone(),
        }
    }
}
