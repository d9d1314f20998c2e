//! Where a transfer is sent: the host, TLS, and the proxy on the way with its credentials.

use crate::agent::transfer::Transfer;
use crate::connection::{Proxy, Route, SocksProxy, Target};
use crate::error::{Error, ErrorKind, Misuse};
use crate::semantics::auth::{AuthAttempt, AuthSession, Credentials};
use crate::semantics::proxy_rules::ProxyScheme;
use crate::transport::link::TlsChoice;
use crate::transport::tls::TlsOptions;

/// Whether the request itself is sent to a proxy, and not through a tunnel.
pub(super) fn is_forwarded(transfer: &Transfer) -> bool {
    let settings = &transfer.settings;
    let proxy = settings.proxies.proxy_for(&transfer.request.url);
    proxy.is_some_and(|server| server.scheme == ProxyScheme::Http)
        && !needs_tunnel(transfer)
        && transfer.request.url.scheme() != "https"
}

/// Whether an HTTP proxy opens a tunnel for a request without TLS. For a WebSocket it always does (RFC 6455 §4.1):
/// most proxies do not forward an upgrade.
fn needs_tunnel(transfer: &Transfer) -> bool {
    transfer.settings.proxy_tunnel || transfer.request.output.is_web_socket()
}

/// Where the transfer goes, and through which proxy.
pub(super) fn target_of(transfer: &Transfer) -> Result<Target, Error> {
    let url = &transfer.request.url;
    let is_secure = url.scheme() == "https";
    let host = url.host().ok_or(Misuse::InvalidUrl)?.to_owned();
    let port = url.port_or_known_default().ok_or(Misuse::InvalidUrl)?;
    let tls = if is_secure {
        let options = transfer.settings.tls.clone();
        TlsChoice::Tls(options.map_or_else(TlsOptions::for_https, Ok)?)
    } else {
        TlsChoice::Plain
    };
    let route = match transfer.settings.proxies.proxy_for(url) {
        None => Route::Direct,
        Some(server) => match server.scheme {
            ProxyScheme::Http => {
                let proxy = Proxy {
                    host: server.host.clone(),
                    port: server.port,
                };
                if is_secure || needs_tunnel(transfer) {
                    Route::Tunnel(proxy)
                } else {
                    Route::Forward(proxy)
                }
            }
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => Route::Socks(SocksProxy {
                host: server.host.clone(),
                port: server.port,
                resolves_remotely: server.scheme == ProxyScheme::Socks5h,
                credentials: match &server.credentials {
                    Some(Credentials::Basic { user, password }) => {
                        Some((user.clone(), password.clone()))
                    }
                    _ => None,
                },
            }),
        },
    };
    Ok(Target {
        host,
        port,
        tls,
        route,
    })
}

/// The value of `Proxy-Authorization`.
pub(super) fn proxy_authorization(transfer: &Transfer) -> Result<Option<String>, Error> {
    let Some(server) = transfer.settings.proxies.proxy_for(&transfer.request.url) else {
        return Ok(None);
    };
    let Some(credentials) = &server.credentials else {
        return Ok(None);
    };
    let value = AuthSession::new(credentials.clone())
        .authorize(&mut AuthAttempt::default(), &transfer.request.method, "")
        .map_err(ErrorKind::Auth)?;
    Ok(value.and_then(|value| value.to_str().map(str::to_owned).ok()))
}
