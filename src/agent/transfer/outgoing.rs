//! The request of a transfer's present hop: as the caller submitted it, changed by redirects.

use std::sync::Arc;

use http::Method;
use url::Url;

use crate::agent::output::Output;
use crate::agent::payload::Payload;
use crate::agent::prepared::Prepared;
use crate::agent::settings::Settings;
use crate::proto::FieldLines;
use crate::semantics::auth::{AuthAttempt, Credentials};
use crate::semantics::redirect::Redirection;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Arc<Url>,
    /// The caller's fields and the agent's defaults.
    pub(crate) fields: FieldLines,
    /// Names of fields that must not be sent.
    pub(crate) without: Vec<String>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) referer: Option<String>,
    /// Whether the credentials given for the first origin still apply.
    pub(crate) is_trusted: bool,
    /// The credentials of a redirect's `Location`, for its origin. They replace all others.
    pub(crate) location_credentials: Option<Credentials>,
    pub(crate) auth: AuthAttempt,
    pub(crate) payload: Payload,
    pub(crate) expects_continue: bool,
    pub(crate) output: Output,
    /// The fields that were sent, for a recorder.
    pub(crate) sent: Option<FieldLines>,
}

impl Outgoing {
    /// The request of the first hop, with its settings and the other origins that serve the same.
    pub(crate) fn of(prepared: Prepared) -> (Self, Arc<Settings>, Vec<Url>) {
        let Prepared {
            method,
            url,
            fields,
            without,
            cookies,
            settings,
            payload,
            output,
            fail_over,
        } = prepared;
        let request = Self {
            method,
            url,
            fields,
            without,
            cookies,
            referer: None,
            is_trusted: true,
            location_credentials: None,
            auth: AuthAttempt::default(),
            payload,
            expects_continue: true,
            output,
            sent: None,
        };
        (request, settings, fail_over)
    }

    /// Turns to the next hop of a redirect, leaving behind what must not go along (RFC 9110 §15.4).
    pub(crate) fn redirect(&mut self, next: Redirection, settings: &Settings) {
        let mut fields = FieldLines::new();
        for (name, value) in self.fields.iter() {
            if next.takes_along(name, &settings.redirects, &settings.secret_headers) {
                // It was a valid field before.
                let _ = fields.append(name, value);
            }
        }
        self.fields = fields;
        if !next.keeps_content {
            self.payload.drop_content();
        }
        if next.crosses_origin {
            self.is_trusted &= settings.redirects.keep_credentials_across_origins;
            self.auth = AuthAttempt::default();
            if !self.is_trusted {
                self.cookies.clear();
            }
        }
        if next.crosses_origin || next.credentials.is_some() {
            if next.credentials.is_some() {
                self.fields.remove("authorization");
                self.auth = AuthAttempt::default();
            }
            self.location_credentials = next.credentials;
        }
        self.method = next.method;
        self.url = Arc::new(next.url);
        self.referer = next.referer;
        self.expects_continue = true;
    }
}
