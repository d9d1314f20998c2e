//! From a transfer to a connection: policies and cache first, then the queue, a connection, and the
//! request that is sent over it.

use std::sync::Arc;

use super::Engine;
use super::route::{is_forwarded, proxy_authorization, target_of};
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::event::Event;
#[cfg(target_family = "wasm")]
use crate::agent::on_web;
use crate::agent::output::Output;
use crate::agent::pool::{ConnectionKey, Grant, HostKey, PoolKey};
use crate::agent::request_head::{self, Additions, Draft, TargetForm};
use crate::agent::settings::CacheMode;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::state::{Queued, State};
use crate::clock::Instant;
use crate::connection::Config as ConnectionConfig;
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::semantics::circuit::Admission;
use crate::semantics::event_stream::ServerSentEvent;
use crate::semantics::range::{RangeSpec, range_field};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;

impl Engine {
    /// Begins a hop: from the transfer's URL to the queue, or to its end.
    pub(super) fn begin_hop(&mut self, transfer: &mut Transfer) -> Step {
        transfer.times.hop_began = self.now();
        transfer.delivery.reported_phase = None;
        transfer.attempts.moved = (0, 0);
        transfer.times.left_queue = None;
        transfer.state.take_response();
        self.enter_hop(transfer)
    }

    /// From the policies to the queue, or to its end.
    pub(super) fn enter_hop(&mut self, transfer: &mut Transfer) -> Step {
        match self.apply_policies(transfer) {
            Ok(Some(step)) => step,
            Ok(None) => self.open_and_enqueue(transfer),
            Err(error) => self.fail(transfer, error),
        }
    }

    /// Lets the transfer wait for its files, then for a connection.
    pub(super) fn open_and_enqueue(&mut self, transfer: &mut Transfer) -> Step {
        match self.open_files(transfer) {
            Ok(true) => self.go_on_with_files(transfer),
            Ok(false) => {
                transfer.state = State::Opening;
                self.files.watch(transfer.id);
                Step::MOVED
            }
            Err(error) => self.end_attempt(transfer, &error, false),
        }
    }

    /// Applies the policies, then looks into the cache. `Some`: nothing needs to be sent.
    fn apply_policies(&mut self, transfer: &mut Transfer) -> Result<Option<Step>, Error> {
        let clock = self.reactor.clock();
        let url = &transfer.request.url;
        if let Some(secure) = self.policies.secure_form(url, || clock.wall()) {
            transfer.request.url = Arc::new(secure);
        }
        if let Some(access) = &transfer.settings.access {
            access
                .check_url(&transfer.request.url)
                .map_err(ErrorKind::Access)?;
        }
        #[cfg(feature = "cache")]
        if let Some(step) = self.look_into_cache(transfer)? {
            return Ok(Some(step));
        }
        Ok(None)
    }

    /// Lets the transfer wait for a connection.
    pub(super) fn enqueue(&mut self, transfer: &mut Transfer) -> Step {
        let active_now = self.active_time();
        if self.suspension.is_active() {
            transfer.state = State::Suspended;
            return Step::MOVED;
        }
        if let Some(step) = self.ask_circuit(transfer, active_now) {
            return step;
        }
        let target = target_of(transfer);
        let key = target.and_then(|target| {
            let authorization = proxy_authorization(transfer)?;
            let addresses = &transfer.settings.addresses;
            Ok(PoolKey::of(target, addresses, authorization))
        });
        let key = match key {
            Ok(key) => key,
            Err(error) => return self.fail(transfer, error),
        };
        let host = self.pool.host(&key);
        let priority = transfer.settings.priority;
        let place = self
            .pool
            .wait(host, transfer.id, priority, transfer.usage());
        let timeout = transfer.settings.queue_timeout;
        let deadline = timeout.and_then(|limit| active_now.checked_add(limit));
        if let Some(at) = deadline {
            self.timers.set(at, Timer::Request(transfer.id));
        }
        transfer.state = State::Queued(Queued {
            host,
            place,
            since: active_now,
            reported: false,
            is_long_reported: false,
            deadline,
        });
        self.events.note_queued(transfer.id);
        Step::MOVED
    }

    /// Asks the circuit of the transfer's origin. `Some`: the transfer must not go there, or not yet.
    fn ask_circuit(&mut self, transfer: &mut Transfer, active_now: Instant) -> Option<Step> {
        // Gaps between polls count for a server that asked to be left alone, so this is the clock, not
        // active time.
        if !self.policies.has_circuits() {
            return None;
        }
        let now = self.now();
        match self.policies.ask_circuit(transfer, now)? {
            Admission::Go | Admission::Probe => None,
            Admission::Wait(until) => {
                let until = active_now + until.saturating_duration_since(now);
                transfer.state = State::Waiting { until };
                self.timers.set(until, Timer::Request(transfer.id));
                Some(Step::MOVED)
            }
            Admission::Refuse(_) => {
                self.policies.note_origin_failed(transfer);
                Some(if self.policies.use_next_origin(transfer) {
                    self.begin_hop(transfer)
                } else {
                    let error = ErrorKind::Refused(RequestRefused::CircuitOpen).into();
                    self.fail(transfer, error)
                })
            }
        }
    }

    /// Lets the requests whose circuit has changed ask it again.
    pub(super) fn ask_circuits_again(&mut self) {
        let released = self.policies.take_released();
        if released.is_empty() {
            return;
        }
        let active_now = self.active_time();
        for id in released {
            self.transfers.update(id, |transfer| {
                if let State::Waiting { until } = &mut transfer.state {
                    *until = active_now;
                }
            });
            self.timers.set(active_now, Timer::Request(id));
        }
    }

    /// Gives connections to the requests that wait, as far as limits and the budget allow.
    pub(super) fn start_waiting(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut started = false;
        while self.pool.has_waiting() && !meter.exhausted() {
            let Some((id, host, grant)) = self.pool.next() else {
                break;
            };
            let step = self.with_transfer(id, |engine, transfer| {
                let now = meter.now();
                transfer.times.left_queue = Some(now);
                engine.use_grant(transfer, host, &grant, active_now, now)
            });
            match (step, grant) {
                (Some(_), _) => {
                    started = true;
                    meter.note_work();
                }
                (None, Grant::Reuse(key)) => self.close(key),
                (None, Grant::Open) => {}
            }
        }
        started
    }

    /// Gives a transfer the connection that the pool grants it.
    fn use_grant(
        &mut self,
        transfer: &mut Transfer,
        host: HostKey,
        grant: &Grant,
        active_now: Instant,
        now: Instant,
    ) -> Step {
        match *grant {
            Grant::Reuse(key)
                if needs_new_connection(transfer) || self.is_outdated(transfer, key, now) =>
            {
                // The connection is stale or may be, and the other idle ones are no better. The new one
                // comes first, so that the pool does not forget their host.
                let step = self.open_connection(transfer, host, active_now);
                self.close(key);
                step
            }
            Grant::Reuse(key) => {
                let priority = transfer.settings.priority;
                self.pool
                    .assign(key, transfer.id, priority, transfer.usage());
                transfer.state = State::Connecting { connection: key };
                self.run_queue.schedule(key);
                Step::MOVED
            }
            Grant::Open => {
                let evicted = self.pool.evict(host, transfer.usage());
                // The new one comes first here, too.
                let step = self.open_connection(transfer, host, active_now);
                if let Some(old) = evicted {
                    self.close(old);
                }
                step
            }
        }
    }

    fn is_outdated(&self, transfer: &Transfer, key: ConnectionKey, now: Instant) -> bool {
        let is_repeatable = transfer.request.method.is_idempotent();
        self.pool.is_outdated(key, is_repeatable, now)
    }

    fn open_connection(
        &mut self,
        transfer: &mut Transfer,
        host: HostKey,
        active_now: Instant,
    ) -> Step {
        let target = match target_of(transfer) {
            Ok(target) => target,
            Err(error) => return self.fail(transfer, error),
        };
        let authorization = match proxy_authorization(transfer) {
            Ok(authorization) => authorization,
            Err(error) => return self.fail(transfer, error),
        };
        let (priority, usage) = (transfer.settings.priority, transfer.usage());
        let key = self
            .pool
            .insert(host, transfer.id, priority, usage, active_now);
        transfer.attempts.opened += 1;
        transfer.attempts.needs_new_connection = false;
        transfer.state = State::Connecting { connection: key };
        self.reactor.set_key(Key(key.0));
        let Some(pooled) = self.pool.get_mut(key) else {
            return Step::WAITS;
        };
        pooled.connection.config = ConnectionConfig {
            limits: self.config.limits.clone(),
            timeouts: transfer.settings.timeouts.clone(),
            user_agent: self.config.user_agent.clone(),
            proxy_authorization: authorization,
            retry_stale: false,
            addresses: transfer.settings.addresses.clone(),
            #[cfg(target_family = "wasm")]
            fetch: on_web::fetch_options(&transfer.settings, &transfer.request.output),
        };
        #[cfg(all(target_family = "wasm", feature = "websocket"))]
        if let Output::WebSocket(_) = transfer.request.output {
            let stream = on_web::web_socket(&transfer.request.url);
            pooled.connection.adopt(&mut self.reactor, target, stream);
            self.run_queue.schedule(key);
            return Step::MOVED;
        }
        // If it fails, driving the connection finds its status.
        let _ = pooled
            .connection
            .open(&mut self.reactor, target, active_now);
        self.run_queue.schedule(key);
        Step::MOVED
    }

    /// Gives the request to its connection, which is open.
    pub(super) fn send_request(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
    ) -> Result<(), Error> {
        #[cfg(feature = "websocket")]
        if let Output::WebSocket(options) = &mut transfer.request.output {
            options.begin(self.random.bytes()?)?;
        }
        let mut draft = std::mem::take(&mut self.draft);
        self.write_head(transfer, &mut draft)?;
        let head = &draft.head;
        if self.config.recorder.is_some() {
            transfer.request.sent = Some(head.fields.clone());
        }
        let body = transfer.request.payload.take()?;
        let Some(pooled) = self.pool.get_mut(key) else {
            return Err(Error::internal("a request without its connection"));
        };
        pooled.connection.config.timeouts = transfer.settings.timeouts.clone();
        #[cfg(target_family = "wasm")]
        pooled.connection.set_fetch_options(on_web::fetch_options(
            &transfer.settings,
            &transfer.request.output,
        ));
        let length = body.length();
        pooled.connection.request(head, body, active_now)?;
        if transfer.settings.report_heads {
            self.events.push(Event::HeadSent {
                id: transfer.id,
                head: head.as_sent(length),
            });
        }
        self.pool.note_request(key, active_now);
        self.run_queue.note_request(key);
        self.draft = draft;
        transfer.attempts.count += 1;
        transfer.state = State::Sent { connection: key };
        Ok(())
    }

    fn write_head(&mut self, transfer: &mut Transfer, draft: &mut Draft) -> Result<(), Error> {
        let form = if is_forwarded(transfer) {
            TargetForm::Absolute
        } else {
            TargetForm::Origin
        };
        let given = transfer.settings.request_target.as_deref();
        let given = given.filter(|_| transfer.attempts.history.is_empty());
        let target = &mut draft.head.target;
        match given {
            Some(given) => {
                request_head::write_given_target(&transfer.request.url, form, given, target)
            }
            None => request_head::write_target(&transfer.request.url, form, target),
        }
        let authorization = self.policies.authorization(transfer, target)?;
        let clock = self.reactor.clock();
        let cookie = self.policies.cookie_field(transfer, || clock.wall());
        let mut additions = Additions {
            user_agent: &self.config.user_agent,
            authorization,
            cookie,
            proxy_authorization: (form == TargetForm::Absolute)
                .then(|| proxy_authorization(transfer))
                .transpose()?
                .flatten(),
            accept_encoding: transfer.accept_encoding(),
            referer: transfer.request.referer.as_deref(),
            content_type: transfer.request.payload.content_type.as_deref(),
            expects_continue: transfer.wants_continue(),
            cache_control: cache_control(transfer),
            // The only directive that a cache of HTTP/1.0 knows (RFC 9111 §5.4).
            pragma: (cache_control(transfer) == Some("no-cache")).then_some("no-cache"),
            ..Additions::default()
        };
        if let Some(file) = &transfer.file.download {
            additions.range = file.range();
            additions.if_range = file.if_range();
        } else if let Some(partial) = &transfer.partial {
            additions.range = range_field(&[RangeSpec::From(partial.response.received)]);
            additions.if_range = Some(&partial.if_range);
        }
        if let Output::EventStream = transfer.request.output {
            additions.accept = Some(ServerSentEvent::CONTENT_TYPE);
            let id = transfer
                .delivery
                .event_reader
                .as_ref()
                .map(|events| events.last_event_id());
            additions.last_event_id = id.filter(|id| !id.is_empty());
        }
        if let Output::Messages(framing) = &transfer.request.output
            && framing.is_events()
        {
            additions.accept = Some(ServerSentEvent::CONTENT_TYPE);
        }
        #[cfg(feature = "websocket")]
        if let Output::WebSocket(options) = &transfer.request.output {
            additions.upgrade = options.request_fields()?;
        }
        #[cfg(feature = "cache")]
        if let Some(caching) = &transfer.cache {
            additions.validators = caching.validators();
        }
        #[cfg(target_family = "wasm")]
        on_web::leave_to_browser(&mut additions);
        request_head::build(
            draft,
            &transfer.request.method,
            &transfer.request.url,
            transfer.settings.version,
            &transfer.request.fields,
            &transfer.request.without,
            &additions,
        )
    }
}

/// Whether the transfer must not have a connection that served another request.
fn needs_new_connection(transfer: &Transfer) -> bool {
    // In a browser a WebSocket is no upgrade of another connection.
    let is_web_socket = cfg!(target_family = "wasm") && transfer.request.output.is_web_socket();
    transfer.attempts.needs_new_connection || is_web_socket
}

/// What tells the caches on the way to ask the server, so that none of them answers with an old copy (Fetch,
/// "HTTP-network-or-cache fetch").
fn cache_control(transfer: &Transfer) -> Option<&'static str> {
    if let Output::EventStream = transfer.request.output {
        return Some("no-cache");
    }
    match transfer.settings.cache {
        CacheMode::NoStore | CacheMode::Reload => Some("no-cache"),
        CacheMode::NoCache => Some("max-age=0"),
        _ => None,
    }
}
