//! Which proxy a connection goes through, and with what credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::connection::{Proxy, Route, parse_host};
use crate::error::{Error, Misuse};

/// Godot's two proxy settings, and credentials for both.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    credentials: Option<String>,
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

    /// The value of `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        self.credentials.clone()
    }

    pub(super) fn route(&self, tls: bool) -> Route {
        match (tls, &self.http, &self.https) {
            (true, _, Some(proxy)) => Route::Tunnel(proxy.clone()),
            (false, Some(proxy), _) => Route::Forward(proxy.clone()),
            (true, _, None) | (false, None, _) => Route::Direct,
        }
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Credentials stay out.
        f.debug_struct("Proxies")
            .field("http", &self.http)
            .field("https", &self.https)
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
