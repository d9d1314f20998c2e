//! What the head of a request decides: whether the guard lets it in, which route, file or reply it gets, and how much
//! content it may have. Nothing of the caller's is called yet; [`App::serve`] does that.

use http::{HeaderMap, StatusCode};

use super::app::App;
use super::guard::{Decision, GuardRequest};
use super::request::Request;
use super::response::Response;
use super::router::Found;
use super::served::{Admission, Plan, Table};
use super::settings::NotFoundPolicy;
use crate::clock::Instant;

impl App {
    /// Decides what to do with a request, by its head.
    pub(super) fn admit(&mut self, request: &mut Request, now: Instant) -> Admission {
        let mut admission = Admission {
            plan: Plan::Nothing,
            max_body: self.limits.body_bytes,
            at_head: false,
            added: HeaderMap::new(),
        };
        let peer = request.peer_addr().ip();
        if self.proxies.contains(peer) {
            let is_secure = request.is_secure();
            request.set_forwarded(self.proxies.client(peer, is_secure, request.headers()));
        }
        let verdict = self.guard.check(
            &GuardRequest {
                method: request.method(),
                target: request.target(),
                fields: request.headers(),
                forwarded_host: request.forwarded_host(),
                client: request.ip(),
                is_secure: request.is_secure(),
            },
            now,
        );
        match verdict {
            Decision::Allow(headers) => admission.added = headers,
            Decision::Preflight(headers) => {
                let mut response = Response::status(204);
                response.add_all(&headers);
                admission.plan = Plan::Refuse(Box::new(response));
                return admission;
            }
            Decision::Refuse(refusal) => {
                let text = format!("{} - {}\n", refusal.status.as_u16(), refusal.reason);
                let mut response = Response::text(text).with_status(refusal.status.as_u16());
                response.add_all(&refusal.headers);
                admission.plan = Plan::Refuse(Box::new(response));
                return admission;
            }
        }
        let mut found = self.routes.find(request.method(), request.path());
        let mut table = Table::Own;
        if !matches!(found, Found::Route(..))
            && let Some(fallback) = &self.fallback
        {
            let other = fallback.find(request.method(), request.path());
            if matches!(other, Found::Route(..)) || matches!(found, Found::Nothing) {
                (found, table) = (other, Table::Fallback);
            }
        }
        match found {
            Found::Route(id, params) => {
                request.set_params(params);
                admission.plan = Plan::Call(table, id);
                if let Some(route) = self.route(table, id) {
                    let (max_body, at_head) = (route.max_body, route.at_head);
                    // A handler that reads content while it arrives can stop reading by itself.
                    let default = if at_head {
                        u64::MAX
                    } else {
                        admission.max_body
                    };
                    admission.max_body = max_body.unwrap_or(default);
                    admission.at_head = at_head;
                }
            }
            Found::NotAllowed(allow) => {
                let mut response = Response::plain(StatusCode::METHOD_NOT_ALLOWED);
                response.set_own("Allow", &allow);
                admission.plan = Plan::Answer(Box::new(response));
            }
            Found::Options(allow) => {
                let mut response = Response::status(204);
                response.set_own("Allow", &allow);
                admission.plan = Plan::Answer(Box::new(response));
            }
            Found::Nothing => {
                // Files are looked up when the request is served.
                if let Some(response) = self.slash_redirect(request) {
                    admission.plan = Plan::Answer(Box::new(response));
                } else if self.pulls_unrouted() {
                    admission.plan = Plan::Pull;
                }
            }
        }
        admission
    }

    /// Whether a request without a route is handed out.
    fn pulls_unrouted(&self) -> bool {
        match self.not_found {
            NotFoundPolicy::Pull => true,
            NotFoundPolicy::Answer => false,
            NotFoundPolicy::Auto => {
                self.routes.is_empty()
                    && self.fallback.is_none()
                    && self.none.is_none()
                    && !self.has_files
                    && self.hooks.receive.is_empty()
            }
        }
    }

    /// `/user` is redirected to `/user/` when only the latter is a route (RFC 9110 §15.4.9).
    fn slash_redirect(&self, request: &Request) -> Option<Response> {
        let path = request.path();
        if !self.slash_redirect || path.ends_with('/') {
            return None;
        }
        let with_slash = format!("{path}/");
        match self.routes.find(request.method(), &with_slash) {
            Found::Route(..) => {}
            _ => return None,
        }
        // A client would read two slashes at the start as the name of another host.
        let location = match request.query_string() {
            _ if path.starts_with("//") => return None,
            Some(query) => format!("{with_slash}?{query}"),
            None => with_slash,
        };
        Response::redirect_with(&location, 308).ok()
    }
}
