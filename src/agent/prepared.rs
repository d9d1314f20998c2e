//! From a [`Request`] to what can be sent: defaults applied, URL parsed, content encoded. Everything that
//! can be wrong with a request is found here, before anything is opened.

use std::collections::VecDeque;
use std::sync::Arc;

use http::Method;
use url::Url;

use super::config::Config;
#[cfg(target_family = "wasm")]
use super::on_web;
use super::output::Output;
use super::payload::Payload;
use super::request::{Request, RequestParts};
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
    /// Names of fields that must not be sent, not even by default.
    pub(crate) without: Vec<String>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) payload: Payload,
    pub(crate) output: Output,
    /// Other origins that serve the same.
    pub(crate) fail_over: Vec<Url>,
}

/// URLs that were requested recently. A game that asks for the same URL again and again saves parsing it,
/// which is a good part of what a small request costs.
#[derive(Default)]
pub(crate) struct KnownUrls(VecDeque<(String, Arc<Url>)>);

/// How many URLs are remembered.
const KNOWN_URLS: usize = 8;

impl KnownUrls {
    fn find(&self, text: &str) -> Option<Arc<Url>> {
        let known = self.0.iter().find(|(other, _)| other == text)?;
        Some(Arc::clone(&known.1))
    }

    fn remember(&mut self, text: String, url: &Arc<Url>) {
        if self.0.len() == KNOWN_URLS {
            self.0.pop_back();
        }
        self.0.push_front((text, Arc::clone(url)));
    }
}

impl Prepared {
    pub(crate) fn of(
        request: Request,
        config: &Config,
        known: &mut KnownUrls,
    ) -> Result<Self, Error> {
        let RequestParts {
            method,
            url,
            query,
            fields: own,
            without,
            cookies,
            content,
            output,
            options,
            fault,
        } = request.parts;
        if let Some(error) = fault {
            return Err(error);
        }
        let mut settings = Arc::clone(&config.defaults);
        options.apply_to(&mut settings);
        let mut fields = merge(&config.fields, &own, &without)?;
        let host = fields
            .get("host")
            .and_then(|value| std::str::from_utf8(value).ok());
        #[cfg(feature = "websocket")]
        let url = match (&output, url.split_once(':')) {
            // RFC 6455 §3: ports are those of http and https.
            (Output::WebSocket(_), Some((scheme, rest))) if scheme.eq_ignore_ascii_case("ws") => {
                format!("http:{rest}")
            }
            (Output::WebSocket(_), Some((scheme, rest))) if scheme.eq_ignore_ascii_case("wss") => {
                format!("https:{rest}")
            }
            _ => url,
        };
        #[cfg(target_family = "wasm")]
        let url = if config.base_url.is_none() && host.is_none() && !is_absolute(url.trim()) {
            on_web::resolve(&url).unwrap_or(url)
        } else {
            url
        };
        let is_absolute = is_absolute(url.trim());
        let found = known.find(&url).filter(|_| query.is_empty());
        let url = match found {
            Some(url) => url,
            None => {
                let base = config.base_url.as_ref();
                let mut parsed =
                    request_url(base, host, &url).map_err(|fault| invalid_url(fault, &url))?;
                append_query(
                    &mut parsed,
                    query
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_deref())),
                );
                let names_user = !parsed.username().is_empty() || parsed.password().is_some();
                if names_user && settings.credentials.is_none() {
                    Arc::make_mut(&mut settings).credentials =
                        Credentials::from_url(&parsed).map_err(ErrorKind::Auth)?;
                }
                // Credentials are sent in a field, never in the target. Only URLs without a host refuse
                // this.
                let _ = parsed.set_username("");
                let _ = parsed.set_password(None);
                let parsed = Arc::new(parsed);
                // The meaning of other URLs depends on more than their text.
                if is_absolute && query.is_empty() && !names_user {
                    known.remember(url, &parsed);
                }
                parsed
            }
        };
        if is_absolute && !own.contains("host") {
            // The default is for relative URLs only.
            fields.remove("host");
        }
        let fail_over = settings
            .fail_over
            .iter()
            .map(|origin| parse_base(origin).map_err(|fault| invalid_url(fault, origin)))
            .collect::<Result<_, _>>()?;
        #[cfg(target_family = "wasm")]
        on_web::check(&on_web::Asked {
            method: &method,
            url: &url,
            fields: &fields,
            cookies: &cookies,
            output: &output,
            settings: &settings,
            config,
        })
        .and_then(|()| on_web::check_content(&content))?;
        let payload = Payload::prepare(content, fields.get("content-type"))?;
        if payload.is_multipart() {
            // The caller cannot know the boundary.
            fields.remove("content-type");
        }
        Ok(Self {
            method,
            url,
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

/// The defaults that the caller neither replaced nor removed, then the caller's fields. Names are compared
/// without regard to case (RFC 9110 §5.1).
fn merge(
    defaults: &FieldLines,
    own: &FieldLines,
    without: &[String],
) -> Result<FieldLines, Misuse> {
    let mut merged = FieldLines::new();
    for (name, value) in defaults.iter() {
        // The length always comes from the content.
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

pub(crate) fn invalid_url(fault: UrlFault, given: &str) -> Error {
    Error::from(Misuse::InvalidUrl)
        .for_text(given)
        .with_source(fault)
}
