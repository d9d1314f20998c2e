//! What pages of other origins may do (Fetch §3.3, "CORS protocol"). Each origin is listed; there is no `*`.

use std::time::Duration;

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::GuardRequest;
use super::origin::{Initiator, WebOrigin};

/// Which pages of other origins are allowed, and what they may do.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Vec<WebOrigin>,
    methods: HeaderValue,
    headers: HeaderValue,
    exposed: Option<HeaderValue>,
    max_age: HeaderValue,
    with_credentials: bool,
    from_public_pages: bool,
}

/// The text is not an origin such as `https://game.example`.
pub type InvalidCors = super::InvalidOrigin;

impl Cors {
    /// Allows pages of these origins to send `GET`, `HEAD` and `POST` with the request fields `Authorization`,
    /// `Content-Type` and the run token's.
    ///
    /// Fails when one of the texts is not an origin.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidCors> {
        let origins: Result<_, _> = origins.into_iter().map(str::parse).collect();
        Ok(Self {
            origins: origins?,
            methods: HeaderValue::from_static("GET, HEAD, POST"),
            headers: HeaderValue::from_static("authorization, content-type, x-run-token"),
            exposed: None,
            max_age: HeaderValue::from(600),
            with_credentials: false,
            from_public_pages: false,
        })
    }

    /// The methods that a page may use, instead of the default.
    #[must_use]
    pub fn methods(mut self, methods: &[Method]) -> Self {
        self.methods = list(methods.iter().map(Method::as_str));
        self
    }

    /// The request fields that a page may set, instead of the default.
    #[must_use]
    pub fn request_fields(mut self, names: &[HeaderName]) -> Self {
        self.headers = list(names.iter().map(HeaderName::as_str));
        self
    }

    /// The response fields that a page may read, in addition to those it may always read. Default: no other.
    #[must_use]
    pub fn exposed_fields(mut self, names: &[HeaderName]) -> Self {
        self.exposed = Some(list(names.iter().map(HeaderName::as_str)));
        self
    }

    /// How long a browser may remember a preflight, in whole seconds. Default 10 minutes.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = HeaderValue::from(age.as_secs());
        self
    }

    /// Whether a page may send cookies and credentials along. Default: no.
    #[must_use]
    pub fn credentials(mut self, allowed: bool) -> Self {
        self.with_credentials = allowed;
        self
    }

    /// Whether pages from the internet may send requests to a server on this machine or network (private
    /// network access preflights). Default: no.
    #[must_use]
    pub fn private_network(mut self, allowed: bool) -> Self {
        self.from_public_pages = allowed;
        self
    }

    /// Whether a request from such a page is allowed.
    pub(super) fn allows(&self, initiator: &Initiator) -> bool {
        matches!(initiator, Initiator::Other(origin) if self.origins.contains(origin))
    }

    /// The CORS fields for any response. Responses vary by `Origin`, even if the request has none.
    pub(super) fn headers(&self, initiator: &Initiator) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let Initiator::Other(origin) = initiator else {
            return headers;
        };
        if !self.origins.contains(origin) {
            return headers;
        }
        // The origin has been parsed, so it is ASCII.
        if let Ok(origin) = HeaderValue::from_str(&origin.to_string()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.with_credentials {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        if let Some(exposed) = &self.exposed {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        headers
    }

    /// The response's fields when this is a preflight from an allowed origin.
    pub(super) fn preflight(
        &self,
        request: &GuardRequest<'_>,
        initiator: &Initiator,
    ) -> Option<HeaderMap> {
        let is_preflight = request.method == Method::OPTIONS
            && request.fields.contains("access-control-request-method");
        if !is_preflight || !self.allows(initiator) {
            return None;
        }
        let mut headers = self.headers(initiator);
        headers.remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
        headers.append(
            header::VARY,
            HeaderValue::from_static(
                "access-control-request-method, access-control-request-headers",
            ),
        );
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        let is_private = request
            .fields
            .has_token("access-control-request-private-network", "true");
        if is_private && self.from_public_pages {
            headers.insert(
                HeaderName::from_static("access-control-allow-private-network"),
                HeaderValue::from_static("true"),
            );
        }
        Some(headers)
    }
}

/// Writes tokens as a list (RFC 9110 §5.6.1). Methods and names are tokens, so the result is always a valid
/// value.
fn list<'a>(tokens: impl Iterator<Item = &'a str>) -> HeaderValue {
    let list = tokens.collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&list).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tokens() {
        let methods = [Method::PUT, Method::from_bytes(b"X-Y").unwrap()];
        assert_eq!(list(methods.iter().map(Method::as_str)), "PUT, X-Y");
        assert_eq!(list([].into_iter()), "");
    }

    #[test]
    fn invalid_origins() {
        for text in [
            "*",
            "null",
            "game.example",
            "https://",
            "https://a/",
            "https://a/x",
            "1a://b",
            "https://u@a",
        ] {
            assert!(Cors::new([text]).is_err(), "{text}");
        }
    }
}
