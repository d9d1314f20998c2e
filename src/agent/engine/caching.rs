//! The cache in a transfer (RFC 9111): looked into before anything is sent, filled with what arrived.
//!
//! What is stored and served is decided by `semantics::cache`. Only responses that are collected in memory
//! are looked up and stored, not those that go to a file or a stream.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::Engine;
use super::policies::lock;
use super::revalidations::{Revalidation, is_same};
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::output::Output;
use crate::agent::request_head;
use crate::agent::response::Response;
use crate::agent::settings::CacheMode;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::cache_state::CacheState;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::State;
use crate::agent::transfer::state::{Collected, ResponseState, Sink};
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::cache::{CacheRequest, CachedResponse, Lookup};

impl Engine {
    /// Looks into the cache. `Some`: nothing needs to be sent.
    pub(super) fn look_into_cache(
        &mut self,
        transfer: &mut Transfer,
    ) -> Result<Option<Step>, Error> {
        transfer.cache = None;
        let Some(cache) = self.config.cache.clone() else {
            return Ok(None);
        };
        let mode = transfer.settings.cache;
        if mode == CacheMode::NoStore
            // A response that a policy forbids must not come from the cache either, which does not check
            // policies.
            || transfer.settings.access.is_some()
            || !matches!(transfer.request.output, Output::Collect)
            || self.is_beside_its_url(transfer)
        {
            return Ok(None);
        }
        let mut caching = CacheState {
            headers: self.varying_fields(transfer),
            time: self.reactor.clock().wall(),
            stale: None,
        };
        let directive = match mode {
            CacheMode::Default | CacheMode::NoStore => None,
            CacheMode::Reload => {
                transfer.cache = Some(Box::new(caching));
                return Ok(None);
            }
            CacheMode::NoCache => Some("no-cache"),
            CacheMode::ForceCache => Some("max-stale"),
            CacheMode::OnlyIfCached => Some("only-if-cached, max-stale"),
            // The longest time that every cache understands (RFC 9111 §1.2.2).
            CacheMode::StaleIfError => Some("stale-if-error=2147483648"),
        };
        let sent = caching.headers.clone();
        if let Some(directive) = directive {
            caching
                .headers
                .append(CACHE_CONTROL, HeaderValue::from_static(directive));
        }
        let found =
            lock(&cache).lookup(caching.request(&transfer.request.method, &transfer.request.url));
        caching.headers = sent;
        match found {
            Lookup::Fresh(response) => Ok(Some(self.finish_from_cache(transfer, response))),
            Lookup::GatewayTimeout => Err(ErrorKind::Refused(RequestRefused::NotCached).into()),
            Lookup::Stale(mut stale) => {
                if transfer.id.is_of_engine() {
                    // Only the server's response is worth a report.
                    stale.if_error = None;
                } else if self.may_revalidate(transfer)
                    && let Some(response) = stale.while_revalidating.take()
                {
                    let step = self.finish_from_cache(transfer, response);
                    self.revalidate(transfer);
                    return Ok(Some(step));
                }
                caching.stale = Some(stale);
                transfer.cache = Some(Box::new(caching));
                Ok(None)
            }
            Lookup::Miss => {
                transfer.cache = Some(Box::new(caching));
                Ok(None)
            }
        }
    }

    /// Whether the response may belong to another resource than the URL names, or come from a server that
    /// other requests would not trust. Then it is neither looked up nor stored under that URL.
    fn is_beside_its_url(&self, transfer: &Transfer) -> bool {
        let authority = request_head::authority(&transfer.request.url);
        let has_other_host = transfer
            .request
            .fields
            .get("host")
            .is_some_and(|host| !host.eq_ignore_ascii_case(authority.as_bytes()));
        has_other_host
            || transfer.settings.request_target.is_some()
            || transfer.settings.tls != self.config.defaults.tls
    }

    /// The fields of the request, as far as a response may vary by them.
    fn varying_fields(&mut self, transfer: &Transfer) -> HeaderMap {
        let mut fields = transfer.request.fields.clone();
        let codings = transfer.accept_encoding();
        if !codings.is_empty() && !fields.contains("accept-encoding") {
            // A constant without control characters.
            let _ = fields.append("Accept-Encoding", codings);
        }
        let clock = self.reactor.clock();
        if let Some(cookie) = self.policies.cookie_field(transfer, || clock.wall()) {
            // A field that cannot be sent is refused when the head is written.
            let _ = fields.append("Cookie", cookie);
        }
        if let Some(user) = self.user(transfer) {
            fields.remove("authorization");
            let _ = fields.append("Authorization", user);
        }
        fields.to_header_map()
    }

    /// Tells users apart without naming them, because what a response varies by is saved with the cache.
    /// The same user has another value in another run.
    fn user(&self, transfer: &Transfer) -> Option<String> {
        let line = transfer.request.fields.get("authorization");
        // The field on the wire changes with each nonce; the credentials do not.
        let request = &transfer.request;
        let own = transfer.settings.credentials.as_ref();
        let credentials = request.location_credentials.as_ref().or(own);
        if line.is_none() && credentials.is_none() {
            return None;
        }
        let mut hasher = self.users.build_hasher();
        line.hash(&mut hasher);
        credentials.hash(&mut hasher);
        Some(format!("{:016x}", hasher.finish()))
    }

    /// Ends a transfer with a response of the cache.
    fn finish_from_cache(&mut self, transfer: &mut Transfer, response: CachedResponse) -> Step {
        let head = Arc::new(ResponseHead {
            version: http::Version::HTTP_11,
            status: response.status,
            reason: response
                .status
                .canonical_reason()
                .unwrap_or_default()
                .into(),
            fields: response.fields,
        });
        self.events.push(Event::Head {
            id: transfer.id,
            head: Arc::clone(&head),
            url: Arc::clone(&transfer.request.url),
            content_length: Some(response.body.len() as u64),
        });
        let mut collected = Collected::default();
        collected.push(response.body, 0);
        transfer.cache = None;
        let mut response = ResponseState {
            sink: Sink::Collect(collected),
            ..ResponseState::new(head, NextAction::Deliver)
        };
        response.result.from_cache = true;
        transfer.state = State::Received { response };
        self.finish(transfer)
    }

    /// Takes a `304` to the cache's own validators.
    pub(super) fn finish_revalidated(&mut self, transfer: &mut Transfer) -> Step {
        let (Some(cache), Some(caching)) = (self.config.cache.clone(), transfer.cache.take())
        else {
            return self.finish(transfer);
        };
        let empty = FieldLines::new();
        let response = transfer.state.response();
        let fields = response.map_or(&empty, ResponseState::fields);
        let now = self.reactor.clock().wall();
        let confirmed = lock(&cache).freshen(
            caching.request(&transfer.request.method, &transfer.request.url),
            fields,
            now,
        );
        match confirmed {
            Some(response) => self.finish_from_cache(transfer, response),
            None => {
                // It confirms nothing that is stored, so the whole response is requested.
                Arc::make_mut(&mut transfer.settings).cache = CacheMode::Reload;
                self.begin_hop(transfer)
            }
        }
    }

    /// Serves the stored response although the server failed (RFC 5861 §4).
    pub(super) fn serve_stale(&mut self, transfer: &mut Transfer) -> Step {
        let cache = transfer.cache.take();
        match cache.and_then(|cache| cache.into_response_for_error()) {
            Some(response) => self.finish_from_cache(transfer, response),
            None => self.fail(transfer, Error::internal("no stored response to serve")),
        }
    }

    /// Whether the stored response for this transfer can be validated in the background.
    fn may_revalidate(&self, transfer: &Transfer) -> bool {
        let is_possible = self.revalidations.is_under_way(&transfer.request.url)
            || !self.revalidations.are_full();
        is_possible && transfer.request.payload.is_none()
    }

    /// Begins to validate the stale response that this transfer got, unless that is under way (RFC 5861 §3).
    fn revalidate(&mut self, transfer: &Transfer) {
        let url = &transfer.request.url;
        if self.revalidations.is_under_way(url) {
            return;
        }
        let id = self.revalidations.begin(Arc::clone(url), transfer.id);
        let (now, active_now) = (self.now(), self.active_time());
        let mut own = Box::new(transfer.to_revalidate(id, now, active_now));
        if let Some(deadline) = own.times.deadline {
            self.timers.set(deadline, Timer::Request(id));
        }
        let first = self.enter_hop(&mut own);
        self.transfers.add(own, first);
    }

    /// Reports what a validation in the background brought, if that is news to the cache.
    pub(super) fn report_revalidated(
        &mut self,
        revalidation: Revalidation,
        response: Box<Response>,
        is_stored: bool,
    ) {
        let Revalidation { url, served, .. } = revalidation;
        if !is_stored && !response.is_from_cache() && !response.status().is_success() {
            return;
        }
        let is_elsewhere = response.url().is_some_and(|it| !is_same(it, &url));
        if let Some(cache) = &self.config.cache
            && (is_elsewhere || !is_stored && !response.is_from_cache())
        {
            // The fresh response did not take the place of the stale one, which is outdated now.
            lock(cache).remove(&url);
        }
        self.events.push(Event::CacheUpdated {
            url,
            served,
            response,
        });
    }

    /// Stores a whole response, and invalidates what the request has changed. Returns whether it was stored.
    pub(super) fn store_in_cache(&mut self, transfer: &mut Transfer) -> bool {
        let Some(cache) = &self.config.cache else {
            return false;
        };
        let wall = self.reactor.clock().wall();
        let empty = HeaderMap::new();
        let Some(state) = transfer.state.response_mut() else {
            return false;
        };
        if state.result.from_cache {
            return false;
        }
        let head = Arc::clone(&state.result.head);
        let status = head.status;
        let body = match &mut state.sink {
            Sink::Collect(collected) => collected.share(),
            _ => bytes::Bytes::new(),
        };
        let mut cache = lock(cache);
        cache.invalidate(
            CacheRequest {
                method: &transfer.request.method,
                url: &transfer.request.url,
                headers: &empty,
                time: wall,
            },
            status,
            &head.fields,
        );
        let Some(caching) = transfer.cache.take() else {
            return false;
        };
        let response = CachedResponse {
            status,
            fields: head.fields.clone(),
            body,
        };
        cache.store(
            caching.request(&transfer.request.method, &transfer.request.url),
            response,
            wall,
        )
    }
}
