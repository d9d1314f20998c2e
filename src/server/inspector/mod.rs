//! The inspector: a page that shows what a running server does, updated by an event stream.
//!
//! The page is a single file without external scripts. It passes the [`guard`](crate::server::guard) like
//! every route, so at a loopback address only this machine can open it. It shows paths without their
//! queries, and neither fields nor content.

mod history;
pub(super) mod time;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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
pub(super) use history::History;
use time::milliseconds;

const PAGE: &str = include_str!("page.html");

/// How often the page is updated.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many connections the page lists at most.
const MOST_CONNECTIONS: usize = 200;

/// What the page may do: run its own script and style, and connect to its own server.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A handle to the inspector page of a server, made by [`Server::inspect`]. Clones refer to the same page. It
/// can be sent to another thread.
#[derive(Clone, Debug, Default)]
pub struct Inspector {
    sections: Arc<Mutex<BTreeMap<String, Value>>>,
}

/// The state of the inspector in its server.
#[derive(Debug)]
pub(super) struct Inspection {
    inspector: Inspector,
    topic: Topic,
    pub(super) history: History,
    next: Option<Instant>,
}

impl Inspector {
    /// Shows a value of the program in a section of the page. It replaces the section with this title. Use it,
    /// for example, for the requests of an agent and their progress, once a frame or once a second.
    pub fn set_section(&self, title: &str, value: Value) {
        let mut sections = self.sections.lock().unwrap_or_else(PoisonError::into_inner);
        sections.insert(title.to_owned(), value);
    }

    fn sections(&self) -> Value {
        let sections = self.sections.lock().unwrap_or_else(PoisonError::into_inner);
        json!(*sections)
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
        self.inspection = Some(Inspection {
            inspector: inspector.clone(),
            topic,
            history: History::default(),
            next: None,
        });
        Ok(inspector)
    }

    /// Records how long a poll took. Publishes the state if it is due and the page is open.
    pub(super) fn update_inspection(&mut self, active_now: Instant, took: Duration) -> bool {
        let Some(mut inspection) = self.inspection.take() else {
            return false;
        };
        inspection.history.note(active_now, took);
        let is_seen = inspection.topic.subscribers() > 0;
        let is_due = is_seen && inspection.next.is_none_or(|next| next <= active_now);
        if is_due {
            let state = self.to_json(&inspection, active_now);
            let event = ServerSentEvent::new(state.to_string());
            // An event without a type and an id is always valid.
            let _ = inspection.topic.publish_latest("state", event);
        }
        if is_due {
            inspection.next = active_now.checked_add(INTERVAL);
        } else if !is_seen {
            inspection.next = None;
        }
        self.inspection = Some(inspection);
        is_due
    }

    /// When the page has to be updated.
    pub(super) fn next_inspection(&self) -> Option<Instant> {
        self.inspection.as_ref()?.next
    }

    fn to_json(&self, inspection: &Inspection, active_now: Instant) -> Value {
        let metrics = self.metrics();
        let connections: Vec<_> = self
            .connections
            .iter()
            .take(MOST_CONNECTIONS)
            .map(|connection: &Connection| connection.to_json(active_now))
            .collect();
        let slow: Vec<_> = self
            .app
            .slow_handlers
            .iter()
            .rev()
            .map(|(path, took)| json!({ "path": path, "took_ms": milliseconds(*took) }))
            .collect();
        json!({
            "address": self.address.to_string(),
            "metrics": {
                "accepted": metrics.accepted, "refused": metrics.refused, "open": metrics.open,
                "requests": metrics.requests, "faults": metrics.faults,
                "bytes_received": metrics.bytes_received, "bytes_sent": metrics.bytes_sent,
            },
            "limits": {
                "connections": self.app.limits.connections,
                "connections_per_ip": self.app.limits.connections_per_ip,
            },
            "queues": {
                "connections with something to do": self.connections.waiting(),
                "requests to be pulled": self.app.pulled.len(),
            },
            "connections": connections,
            "seconds": inspection.history.to_json(),
            "slow_handlers": slow,
            "sections": inspection.inspector.sections(),
        })
    }
}
