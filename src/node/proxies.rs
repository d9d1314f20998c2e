//! Which proxy a connection uses, and with what credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::connection::{Proxy, Route, SocksProxy, parse_host};
use crate::error::{Error, Misuse};
use crate::transport::socks::check_credentials;

/// Godot's two proxy settings with credentials for both, and a SOCKS5 proxy.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    credentials: Option<String>,
    socks: Option<SocksProxy>,
}

impl Proxies {
    pub(super) fn set_http(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.http = proxy(host, port)?;
        Ok(())
    }

    pub(super) fn set_https(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.https = proxy(host, port)?;
        Ok(())
    }

    pub(super) fn set_credentials(
        &mut self,
        credentials: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        if let Some((name, password)) = credentials
            && (name.contains(':')
                || name.contains(char::is_control)
                || password.contains(char::is_control))
        {
            // RFC 7617 §2: a colon would end the name, control characters are forbidden.
            return Err(Misuse::InvalidHeader.into());
        }
        self.credentials = credentials.map(|(name, password)| {
            format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
        });
        Ok(())
    }

    pub(super) fn set_socks(
        &mut self,
        host: &str,
        port: i32,
        credentials: Option<(&str, &str)>,
        resolves_remotely: bool,
    ) -> Result<(), Error> {
        let Some(Proxy { host, port }) = proxy(host, port)? else {
            self.socks = None;
            return Ok(());
        };
        if let Some((name, password)) = credentials {
            check_credentials(name, password)?;
        }
        self.socks = Some(SocksProxy {
            host,
            port,
            resolves_remotely,
            credentials: credentials.map(|(name, password)| (name.to_owned(), password.to_owned())),
        });
        Ok(())
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        self.credentials.clone()
    }

    pub(super) fn route(&self, tls: bool) -> Route {
        match (tls, &self.http, &self.https, &self.socks) {
            (true, _, Some(proxy), _) => Route::Tunnel(proxy.clone()),
            (false, Some(proxy), _, _) => Route::Forward(proxy.clone()),
            (_, _, _, Some(proxy)) => Route::Socks(proxy.clone()),
            (true, _, None, None) | (false, None, _, None) => Route::Direct,
        }
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Credentials are not shown.
        f.debug_struct("Proxies")
            .field("http", &self.http)
            .field("https", &self.https)
            .field("socks", &self.socks)
            .finish_non_exhaustive()
    }
}

fn proxy(host: &str, port: i32) -> Result<Option<Proxy>, Error> {
    if host.is_empty() || port == -1 {
        return Ok(None);
    }
    let host = parse_host(host)?;
    let port = u16::try_from(port)
        .ok()
        .filter(|port| *port != 0)
        .ok_or(Misuse::InvalidPort)?;
    Ok(Some(Proxy { host, port }))
}
