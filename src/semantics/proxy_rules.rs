//! Selects the proxy for a URL: settings by scheme, exceptions, and the environment variables, by
//! curl's rules. Communication with the proxy belongs to `transport`, logging in to it to `auth`.

mod no_proxy;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::auth::Credentials;
use crate::error::{InvalidProxy, ProxyUrlFault};
use no_proxy::NoProxy;

/// Proxies by the scheme of the request, and the hosts that are reached without a proxy. The
/// default has no proxy and does not read the environment.
///
/// A proxy is a URL such as `http://user:password@proxy.example:3128` or
/// `socks5h://127.0.0.1:1080`. Without a scheme it is `http`, without a port 1080, as in curl.
///
/// ```
/// let proxies = httpoll::proxy::ProxySettings::default()
///     .with_all("socks5h://127.0.0.1:9050")?
///     .with_no_proxy("localhost, .internal.example, 10.0.0.0/8");
/// # Ok::<(), httpoll::proxy::InvalidProxy>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    http: Option<ProxyServer>,
    https: Option<ProxyServer>,
    all: Option<ProxyServer>,
    no_proxy: NoProxy,
}

impl ProxySettings {
    /// The proxy for `http` URLs.
    ///
    /// # Errors
    /// [`InvalidProxy`] when `url` is not the URL of a supported proxy.
    pub fn with_http(mut self, url: &str) -> Result<Self, InvalidProxy> {
        self.http = Some(server("http", url)?);
        Ok(self)
    }

    /// The proxy for `https` URLs.
    ///
    /// # Errors
    /// [`InvalidProxy`] when `url` is not the URL of a supported proxy.
    pub fn with_https(mut self, url: &str) -> Result<Self, InvalidProxy> {
        self.https = Some(server("https", url)?);
        Ok(self)
    }

    /// The proxy for schemes that have no proxy of their own.
    ///
    /// # Errors
    /// [`InvalidProxy`] when `url` is not the URL of a supported proxy.
    pub fn with_all(mut self, url: &str) -> Result<Self, InvalidProxy> {
        self.all = Some(server("all", url)?);
        Ok(self)
    }

    /// Hosts that are reached without a proxy, separated by commas or spaces: a name, which
    /// includes its subdomains, with or without a leading dot; an address; a network such as
    /// `10.0.0.0/8`; or `*` for all hosts. Ports are ignored.
    #[must_use]
    pub fn with_no_proxy(mut self, list: &str) -> Self {
        self.no_proxy = NoProxy::parse(list);
        self
    }

    /// Settings from the environment of this process. See
    /// [`from_environment_of`](Self::from_environment_of).
    ///
    /// # Errors
    /// [`InvalidProxy`] names the variable that does not contain the URL of a supported proxy.
    pub fn from_environment() -> Result<Self, InvalidProxy> {
        Self::from_environment_of(|name| std::env::var(name).ok())
    }

    /// Settings from environment variables: `http_proxy`, `https_proxy`, `all_proxy` and
    /// `no_proxy`. A lower-case name takes precedence over the upper-case one. `HTTP_PROXY` is
    /// ignored, because a web server passes the client's `Proxy` field in it. An empty variable
    /// counts as unset.
    ///
    /// # Errors
    /// [`InvalidProxy`] names the variable that does not contain the URL of a supported proxy.
    pub fn from_environment_of(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidProxy> {
        let find = |names: &[&'static str]| {
            names
                .iter()
                .map(|name| (*name, variable(name).unwrap_or_default()))
                .find(|(_, value)| !value.is_empty())
        };
        let proxy = |names: &[&'static str]| {
            find(names)
                .map(|(name, value)| server(name, &value))
                .transpose()
        };
        Ok(Self {
            http: proxy(&["http_proxy"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY"])?,
            all: proxy(&["all_proxy", "ALL_PROXY"])?,
            no_proxy: find(&["no_proxy", "NO_PROXY"])
                .map(|(_, list)| NoProxy::parse(&list))
                .unwrap_or_default(),
        })
    }

    /// Whether a request for `url` goes through a proxy.
    pub fn is_used_for(&self, url: &Url) -> bool {
        self.proxy_for(url).is_some()
    }

    /// The proxy for a request for `url`; `None` to connect directly.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<&ProxyServer> {
        let own = match url.scheme() {
            "http" | "ws" => &self.http,
            "https" | "wss" => &self.https,
            _ => &None,
        };
        let server = own.as_ref().or(self.all.as_ref())?;
        (!self.no_proxy.contains(&url.host()?)).then_some(server)
    }
}

/// A proxy, and its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyServer {
    pub(crate) scheme: ProxyScheme,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// Taken from the URL; always [`Credentials::Basic`].
    pub(crate) credentials: Option<Credentials>,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProxyScheme {
    /// HTTP: absolute-form for `http` URLs, `CONNECT` for `https`.
    Http,
    /// SOCKS 5 (RFC 1928). This machine resolves the name.
    Socks5,
    /// SOCKS 5. The proxy resolves the name.
    Socks5h,
}

/// curl's default port for all proxies.
const DEFAULT_PORT: u16 = 1080;

fn server(setting: &'static str, url: &str) -> Result<ProxyServer, InvalidProxy> {
    parse(url.trim()).map_err(|fault| InvalidProxy::new(setting, fault))
}

fn parse(url: &str) -> Result<ProxyServer, ProxyUrlFault> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyScheme::Http,
        "socks5" => ProxyScheme::Socks5,
        "socks5h" => ProxyScheme::Socks5h,
        "https" => return Err(ProxyUrlFault::HttpsProxy),
        "socks" | "socks4" | "socks4a" => return Err(ProxyUrlFault::Socks4),
        _ => return Err(ProxyUrlFault::UnknownScheme),
    };
    // With a non-standard scheme, the URL parser keeps an explicit port 80.
    let url = Url::parse(&format!("proxy://{rest}")).map_err(|_| ProxyUrlFault::Malformed)?;
    let port = match url.port() {
        Some(0) => return Err(ProxyUrlFault::Malformed),
        port => port.unwrap_or(DEFAULT_PORT),
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = percent_decode_str(host.ok_or(ProxyUrlFault::Malformed)?)
        .decode_utf8()
        .map_err(|_| ProxyUrlFault::Malformed)?;
    Ok(ProxyServer {
        scheme,
        host: Host::parse(&host).map_err(|_| ProxyUrlFault::Malformed)?,
        port,
        credentials: Credentials::from_url(&url).map_err(|_| ProxyUrlFault::InvalidCredentials)?,
    })
}

#[cfg(test)]
mod tests;
