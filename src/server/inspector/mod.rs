//! The inspector: a page that shows what a running server does, updated by an event stream, and the same as
//! values: [`ServerSnapshot`].
//!
//! The page is a single file without external scripts. It passes the [`guard`](crate::server::guard) like
//! every route, so at a loopback address only this machine can open it. It shows paths without their
//! queries, and neither fields nor content. A program can add sections of its own, such as its agent.

mod snapshot;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Server;
use super::connection::Connection;
use super::request::Request;
use super::response::Response;
use super::topic::Topic;
use crate::clock::Instant;
use crate::error::Error;
use crate::semantics::event_stream::ServerSentEvent;
pub use snapshot::{ConnectionPhase, ServerConnectionSnapshot, ServerSnapshot, SlowHandler};

const PAGE: &str = include_str!("page.html");

/// How often the page is updated.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long an update waits for the sections that the program makes for it.
const GRACE: Duration = Duration::from_millis(100);

/// What the page may do: run its own script and style, and connect to its own server.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A handle to the inspector page of a server, made by [`Server::inspect`]. Clones refer to the same page. It
/// can be sent to another thread.
#[derive(Clone, Debug, Default)]
pub struct Inspector(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether the next update waits for sections.
    is_wanted: AtomicBool,
    sections: Mutex<Sections>,
}

#[derive(Debug, Default)]
struct Sections {
    by_title: BTreeMap<String, Section>,
    /// The number of the next update.
    update: u64,
}

#[derive(Debug)]
struct Section {
    value: Value,
    /// The update for which it was made. `None` for a section that stays until it is replaced.
    made_for: Option<u64>,
}

/// The state of the inspector in its server.
#[derive(Debug)]
pub(super) struct Inspection {
    inspector: Inspector,
    topic: Topic,
    /// When the page is to be updated. `None` while it is not open.
    next: Option<Instant>,
    /// The update is due and waits for the program to make its sections, at most until then.
    waits_until: Option<Instant>,
}

impl Inspector {
    /// Shows a value in a section of the page while the page is open. Call it once a frame. It calls `value`
    /// at most once for each update of the page, twice a second, and not at all while the page is not open.
    ///
    /// The page shows objects as lists of names and values, and arrays of objects as tables. It shows names that
    /// end in `_ms` as times and those that end in `_bytes` as sizes.
    ///
    #[cfg_attr(feature = "agent", doc = "```no_run")]
    #[cfg_attr(not(feature = "agent"), doc = "```ignore")]
    /// use httpoll::Agent;
    /// use httpoll::server::Server;
    ///
    /// let mut agent = Agent::new();
    /// let mut server = Server::bind("127.0.0.1:8080")?;
    /// let inspector = server.inspect("/debug")?;
    /// loop {
    ///     agent.poll();
    ///     server.poll()?;
    ///     inspector.show("agent", || agent.snapshot().to_json());
    /// }
    /// # #[expect(unreachable_code)]
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    pub fn show(&self, title: &str, value: impl FnOnce() -> Value) {
        if !self.0.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        let update = {
            let sections = self.sections();
            let update = Some(sections.update);
            let section = sections.by_title.get(title);
            if section.is_some_and(|section| section.made_for == update) {
                return;
            }
            update
        };
        // It may use the inspector, so nothing is locked.
        let section = Section {
            value: value(),
            made_for: update,
        };
        let mut sections = self.sections();
        sections.by_title.insert(title.to_owned(), section);
    }

    /// Shows a value in a section of the page until it is replaced. For values that seldom change, or that
    /// another thread reports; otherwise [`show`](Self::show) is cheaper.
    pub fn set_section(&self, title: &str, value: Value) {
        let made_for = None;
        let section = Section { value, made_for };
        let mut sections = self.sections();
        sections.by_title.insert(title.to_owned(), section);
    }

    fn sections(&self) -> MutexGuard<'_, Sections> {
        let sections = self.0.sections.lock();
        sections.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any section is made for each update.
    fn has_made_sections(&self) -> bool {
        let sections = self.sections();
        let mut values = sections.by_title.values();
        values.any(|section| section.made_for.is_some())
    }

    /// Whether each of those was made for this update.
    fn is_complete(&self) -> bool {
        let sections = self.sections();
        let mut values = sections.by_title.values();
        values.all(|section| section.made_for.is_none_or(|it| it == sections.update))
    }

    fn to_json(&self) -> Value {
        let sections = self.sections();
        let values = sections.by_title.iter();
        values
            .map(|(title, section)| (title.clone(), section.value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// From now on sections are made for the next update.
    fn begin_update(&self) {
        self.sections().update += 1;
        self.0.is_wanted.store(true, Ordering::Relaxed);
    }

    /// Drops the sections that were made for other updates than this one.
    fn forget_old_sections(&self) {
        let mut sections = self.sections();
        let update = sections.update;
        let is_old = |section: &Section| section.made_for.is_some_and(|it| it != update);
        sections.by_title.retain(|_, section| !is_old(section));
    }
}

impl Server {
    /// Serves the inspector page at this path, such as `/debug`, and its events at `/debug/events`. It shows the
    /// connections with their requests, phases, times and bytes, the queues, how long polls took in the last
    /// seconds, and slow handlers. While the page is not open, it costs almost nothing.
    ///
    /// Every client that the [guard](Self::set_guard) accepts can see which paths all clients request. At a
    /// public address, require credentials.
    ///
    /// # Errors
    /// As [`Routes::route`](super::Routes::route).
    pub fn inspect(&mut self, path: &str) -> Result<Inspector, Error> {
        let inspector = Inspector::default();
        let topic = Topic::new().replaying(0);
        let base = path.trim_end_matches('/').to_owned();
        let subscribed = topic.clone();
        self.route("GET", path, |_: &mut Request| {
            let mut response = Response::html(PAGE);
            for (name, value) in [
                ("Content-Security-Policy", SECURITY_POLICY),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
            ] {
                response.set_header(name, value)?;
            }
            Ok::<_, Error>(response)
        })?;
        self.route(
            "GET",
            &format!("{base}/events"),
            move |request: &mut Request| {
                subscribed.subscribe(request);
            },
        )?;
        self.app.is_inspected = true;
        self.history.keep();
        self.inspection = Some(Inspection {
            inspector: inspector.clone(),
            topic,
            next: None,
            waits_until: None,
        });
        Ok(inspector)
    }

    /// The handle of the inspector page that [`inspect`](Self::inspect) made last.
    pub fn inspector(&self) -> Option<Inspector> {
        let inspection = self.inspection.as_ref()?;
        Some(inspection.inspector.clone())
    }

    /// What the server is doing now: connections with their requests, queues, how long polls took in the last
    /// seconds, slow handlers. For inspectors and debug overlays. Without an inspector page, the first call begins
    /// to record paths and the time of polls.
    pub fn snapshot(&mut self) -> ServerSnapshot {
        self.app.is_inspected = true;
        let active_now = self.reactor.active_time(self.reactor.clock().now());
        self.snapshot_at(active_now)
    }

    fn snapshot_at(&mut self, active_now: Instant) -> ServerSnapshot {
        let connections = self.connections.iter();
        let slow = self.app.slow_handlers.iter().rev();
        ServerSnapshot {
            address: self.address,
            metrics: self.metrics(),
            connection_limits: (
                self.app.limits.connections,
                self.app.limits.connections_per_ip,
            ),
            waiting_connections: self.connections.waiting(),
            waiting_requests: self.app.pulled.len(),
            connections: connections
                .map(|connection: &Connection| connection.snapshot(active_now))
                .collect(),
            seconds: self.history.seconds(active_now),
            slow_handlers: slow
                .map(|(path, took)| SlowHandler {
                    path: path.clone(),
                    took: *took,
                })
                .collect(),
        }
    }

    /// Publishes the state if it is due and the page is open. Returns whether it was published.
    pub(super) fn update_inspection(&mut self, active_now: Instant) -> bool {
        let Some(mut inspection) = self.inspection.take() else {
            return false;
        };
        let is_published = self.advance_inspection(&mut inspection, active_now);
        self.inspection = Some(inspection);
        is_published
    }

    fn advance_inspection(&mut self, inspection: &mut Inspection, active_now: Instant) -> bool {
        let inspector = &inspection.inspector;
        if inspection.topic.subscribers() == 0 {
            if inspection.next.take().is_some() {
                inspection.waits_until = None;
                // What was made for the page becomes old.
                inspector.begin_update();
                inspector.forget_old_sections();
                inspector.0.is_wanted.store(false, Ordering::Relaxed);
            }
            return false;
        }
        if inspection.next.is_some_and(|next| next > active_now) {
            return false;
        }
        match inspection.waits_until {
            None if inspector.has_made_sections() => {
                inspector.begin_update();
                inspection.waits_until = active_now.checked_add(GRACE);
                return false;
            }
            Some(until) if until > active_now && !inspector.is_complete() => return false,
            _ => {}
        }
        if inspection.waits_until.take().is_some() {
            // Nobody makes them any more.
            inspector.forget_old_sections();
        }
        let state = json!({
            "server": self.snapshot_at(active_now).to_json(),
            "sections": inspector.to_json(),
        });
        let event = ServerSentEvent::new(state.to_string());
        // An event without a type and an id is always valid.
        let _ = inspection.topic.publish_latest("state", event);
        inspector.0.is_wanted.store(false, Ordering::Relaxed);
        if !inspector.has_made_sections() {
            // The page was just opened, or the program paused: whatever is made now is welcome.
            inspector.begin_update();
        }
        inspection.next = active_now.checked_add(INTERVAL);
        true
    }

    /// When the page has to be updated.
    pub(super) fn next_inspection(&self) -> Option<Instant> {
        let inspection = self.inspection.as_ref()?;
        inspection.waits_until.or(inspection.next)
    }
}
