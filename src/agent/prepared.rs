//! From a [`Request`] to what can be sent: defaults applied, URL found, content encoded. All that can
//! be wrong with a request is found here, before anything is opened.

use std::sync::Arc;

use http::Method;
use url::Url;

use super::builder::Config;
use super::content::Payload;
use super::output::Output;
use super::request::Request;
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Misuse};
use crate::proto::FieldLines;
use crate::semantics::auth::Credentials;
use crate::semantics::base_url::{UrlFault, append_query, is_absolute, parse_base, request_url};

/// A request that can be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: Arc<Url>,
    pub(crate) fields: FieldLines,
    /// Names of lines that must not be sent, not even by default.
    pub(crate) without: Vec<String>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) payload: Payload,
    pub(crate) output: Output,
    /// Other origins that serve the same.
    pub(crate) fail_over: Vec<Url>,
}

impl Prepared {
    pub(crate) fn of(request: Request, config: &Config) -> Result<Self, Error> {
        let Request {
            method,
            url,
            query,
            fields: own,
            without,
            cookies,
            content,
            output,
            overrides,
            fault,
        } = request;
        if let Some(error) = fault {
            return Err(error);
        }
        let mut settings = Arc::clone(&config.defaults);
        for setting in overrides {
            Arc::make_mut(&mut settings).apply(setting);
        }
        let mut fields = merge(&config.fields, &own, &without)?;
        let host = fields
            .get("host")
            .and_then(|value| std::str::from_utf8(value).ok());
        #[cfg(feature = "websocket")]
        let url = match (&output, url.split_once(':')) {
            // RFC 6455 §3: the same as http and https to the port.
            (Output::WebSocket(_), Some((scheme, rest))) if scheme.eq_ignore_ascii_case("ws") => {
                format!("http:{rest}")
            }
            (Output::WebSocket(_), Some((scheme, rest))) if scheme.eq_ignore_ascii_case("wss") => {
                format!("https:{rest}")
            }
            _ => url,
        };
        let is_elsewhere = is_absolute(url.trim()) && !own.contains("host");
        let mut url = request_url(config.base_url.as_ref(), host, &url).map_err(invalid_url)?;
        if is_elsewhere {
            // The default says where relative URLs go, and nothing of others.
            fields.remove("host");
        }
        append_query(
            &mut url,
            query
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref())),
        );
        if settings.credentials.is_none()
            && let Some(credentials) = Credentials::from_url(&url).map_err(ErrorKind::Auth)?
        {
            Arc::make_mut(&mut settings).credentials = Some(credentials);
        }
        // They travel as fields, never in a target; refused only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let fail_over = settings
            .fail_over
            .iter()
            .map(|origin| parse_base(origin).map_err(invalid_url))
            .collect::<Result<_, _>>()?;
        let payload = Payload::prepare(content, fields.get("content-type"))?;
        if payload.is_multipart() {
            // The caller cannot know the boundary.
            fields.remove("content-type");
        }
        Ok(Self {
            method,
            url: Arc::new(url),
            fields,
            without,
            cookies,
            settings,
            payload,
            output,
            fail_over,
        })
    }
}

/// The caller's lines, then the defaults that neither they nor the caller's wish replace (RFC 9110
/// §5.1: names are compared in any case).
fn merge(
    defaults: &FieldLines,
    own: &FieldLines,
    without: &[String],
) -> Result<FieldLines, Misuse> {
    let mut merged = FieldLines::new();
    for (name, value) in defaults.iter() {
        // The length is always that of the content.
        let unwanted = name.eq_ignore_ascii_case("content-length")
            || without.iter().any(|other| other.eq_ignore_ascii_case(name));
        if !unwanted && !own.contains(name) {
            merged.append(name, value)?;
        }
    }
    for (name, value) in own.iter() {
        merged.append(name, value)?;
    }
    Ok(merged)
}

pub(crate) fn invalid_url(fault: UrlFault) -> Error {
    Error::from(Misuse::InvalidUrl).with_source(fault)
}
