//! What is the same for all requests of a group: proxies, TLS, credentials by host, time limits,
//! redirects, retries.

use std::sync::Arc;
use std::time::Duration;

use httpoll::{
    RetryPolicy, Timeouts,
    agent::AgentBuilder,
    netrc::Netrc,
    proxy::ProxySettings,
    redirect::RedirectPolicy,
    tls::{TlsOptions, TlsVersion},
};

use crate::data::read;
use crate::exit_status::{
    CA_FILE, CERTIFICATE_PROBLEM, FAILED_INIT, Failure, READ_ERROR, UNRESOLVED_PROXY,
};
use crate::options::{Family, Group, Netrc as NetrcChoice};

/// What curl allows to connect, without `--connect-timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(300);

/// The options that all requests of a group share; built once, so that they share connections.
pub(crate) struct Common {
    pub(crate) proxies: ProxySettings,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) netrc: Option<Arc<Netrc>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) redirects: RedirectPolicy,
    pub(crate) retries: RetryPolicy,
}

impl Common {
    pub(crate) fn of(group: &Group) -> Result<Self, Failure> {
        Ok(Self {
            proxies: proxies(group)?,
            tls: tls(group)?,
            netrc: netrc(group)?,
            timeouts: timeouts(group),
            redirects: redirects(group),
            retries: retries(group),
        })
    }
}

fn netrc(group: &Group) -> Result<Option<Arc<Netrc>>, Failure> {
    let home = || {
        let folder = std::env::var("HOME").unwrap_or_default();
        format!("{folder}/.netrc")
    };
    let (path, must_be_there) = match &group.netrc {
        NetrcChoice::No => return Ok(None),
        NetrcChoice::Home | NetrcChoice::HomeIfThere => (home(), false),
        NetrcChoice::File(path) => (path.clone(), true),
    };
    match read(&path) {
        Ok(text) => Netrc::parse(&String::from_utf8_lossy(&text))
            .map(|netrc| Some(Arc::new(netrc)))
            .map_err(|error| Failure::new(READ_ERROR, error)),
        Err(failure) if must_be_there => Err(failure),
        Err(_) => Ok(None),
    }
}

fn timeouts(group: &Group) -> Timeouts {
    let connect = Some(group.connect_timeout.unwrap_or(CONNECT_TIMEOUT)).filter(|it| !it.is_zero());
    let usual = Timeouts::default();
    Timeouts::with(|it| {
        it.resolve = connect;
        it.connect = connect;
        it.tunnel = connect;
        it.tls_handshake = connect;
        it.continue_wait = group.expect_timeout.or(usual.continue_wait);
        it.head = None;
        it.stall = None;
    })
}

fn redirects(group: &Group) -> RedirectPolicy {
    if !group.location {
        return RedirectPolicy::none();
    }
    let mut policy = RedirectPolicy::up_to(group.max_redirects.unwrap_or(50));
    policy.allow_downgrade = true;
    [
        policy.keep_post_on_301,
        policy.keep_post_on_302,
        policy.keep_post_on_303,
    ] = group.keep_post;
    policy.keep_credentials_across_origins = group.location_trusted;
    policy.renew_referer = group
        .referer
        .as_deref()
        .is_some_and(|referer| referer.ends_with(";auto"));
    policy
}

fn retries(group: &Group) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.retries = group.retry;
    policy.base_delay = group.retry_delay.unwrap_or(Duration::from_secs(1));
    policy.factor = if group.retry_delay.is_some() { 1 } else { 2 };
    policy.jitter = false;
    policy.max_delay = Duration::from_secs(600);
    policy.window = group.retry_max_time.unwrap_or(Duration::MAX);
    policy.max_retry_after = policy.window;
    policy.non_idempotent = true;
    policy.on_connect_failure = group.retry_connect_refused || group.retry_all_errors;
    policy
}

fn proxies(group: &Group) -> Result<ProxySettings, Failure> {
    let invalid = |error| Failure::new(UNRESOLVED_PROXY, error);
    let settings = match group.proxy.as_deref() {
        None => ProxySettings::from_environment().map_err(invalid)?,
        Some("") => ProxySettings::default(),
        Some(url) => ProxySettings::default()
            .with_all(&with_user(url, group.proxy_user.as_deref()))
            .map_err(invalid)?
            .with_no_proxy(&no_proxy_of_environment()),
    };
    Ok(match &group.no_proxy {
        Some(list) => settings.with_no_proxy(list),
        None => settings,
    })
}

fn no_proxy_of_environment() -> String {
    let names = ["no_proxy", "NO_PROXY"];
    let found = names.iter().find_map(|name| std::env::var(name).ok());
    found.unwrap_or_default()
}

/// Puts `-U user:password` into a proxy's URL.
fn with_user(url: &str, user: Option<&str>) -> String {
    let Some(user) = user else {
        return url.to_owned();
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let encode =
        |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    format!("{scheme}://{}:{}@{host}", encode(name), encode(password))
}

fn tls(group: &Group) -> Result<Option<TlsOptions>, Failure> {
    let ca_file = group.ca_file.clone().or_else(|| {
        let names = ["CURL_CA_BUNDLE", "SSL_CERT_FILE"];
        names.iter().find_map(|name| std::env::var(name).ok())
    });
    let is_default = !group.insecure
        && ca_file.is_none()
        && group.certificate.is_none()
        && group.tls_min.is_none()
        && group.tls_max.is_none();
    if is_default {
        return Ok(None);
    }
    let mut options = TlsOptions::builder();
    if let Some(path) = ca_file.filter(|_| !group.insecure) {
        let pem = read(&path).map_err(|failure| Failure::new(CA_FILE, failure.message))?;
        options = options.trusted_chain_pem(&pem);
    }
    if let Some(path) = &group.certificate {
        let problem = |failure: Failure| Failure::new(CERTIFICATE_PROBLEM, failure.message);
        let chain = read(path).map_err(problem)?;
        let key = read(group.key.as_ref().unwrap_or(path)).map_err(problem)?;
        options = options.client_certificate_pem(&chain, &key);
    }
    if group.insecure {
        options = options.insecure_no_verification();
    }
    if let Some(version) = &group.tls_min {
        options = options.min_version(tls_version(version)?);
    }
    if let Some(version) = &group.tls_max {
        options = options.max_version(tls_version(version)?);
    }
    options
        .build()
        .map(Some)
        .map_err(|error| Failure::of(&error, false, false))
}

fn tls_version(name: &str) -> Result<TlsVersion, Failure> {
    match name {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" | "default" => Ok(TlsVersion::Tls13),
        _ => Err(Failure::new(
            FAILED_INIT,
            format_args!("TLS {name} is not built in: 1.2 and 1.3 are"),
        )),
    }
}

/// Restricts an agent to the address family that the options want.
pub(crate) fn with_family(builder: AgentBuilder, family: Option<Family>) -> AgentBuilder {
    match family {
        None => builder,
        Some(Family::V4) => builder.address_family(httpoll::agent::AddressFamily::Ipv4),
        Some(Family::V6) => builder.address_family(httpoll::agent::AddressFamily::Ipv6),
    }
}
