//! [`AgentSnapshot`]: what an agent is doing at one moment, as values and as JSON, for inspectors and debug
//! overlays.
//!
//! It contains no header fields, no content, no credentials and no queries. How it is taken is in `engine`.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::event::Progress;
use super::id::RequestId;
use super::response::Timings;
use super::settings::Priority;
use crate::budget::{PollSecond, milliseconds};
use crate::phase::Phase;

/// How many requests, and how many connections, [`AgentSnapshot::to_json`] lists at most.
const MOST_ROWS: usize = 200;

/// What an agent is doing at one moment; see [`Agent::snapshot`](crate::Agent::snapshot).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AgentSnapshot {
    /// The requests that have not ended, oldest first.
    pub requests: Vec<RequestSnapshot>,
    /// The connections, by the host that they lead to.
    pub hosts: Vec<HostSnapshot>,
    /// How much waits.
    pub queues: QueueSnapshot,
    /// The time that polls took in each of the last 30 seconds, the latest at the end. It is recorded while
    /// snapshots are taken, at least once a minute, so the first snapshot has none.
    pub seconds: Vec<PollSecond>,
}

/// A request that has not ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RequestSnapshot {
    /// Its id.
    pub id: RequestId,
    /// The method of the present hop.
    pub method: Method,
    /// The URL of the present hop, without credentials, query and fragment. `?(hidden)` says that it has a
    /// query.
    pub url: String,
    /// What it is doing, and how many bytes of content it has moved.
    pub progress: Progress,
    /// Its priority.
    pub priority: Priority,
    /// The time since [`Agent::send`](crate::Agent::send).
    pub age: Duration,
    /// The time from [`Agent::send`](crate::Agent::send) to each step of the present hop. A step that was not
    /// reached has the time of the one before.
    pub timings: Timings,
    /// How often it was sent, for the present hop.
    pub attempts: u32,
    /// How many redirects it has followed.
    pub redirects: usize,
    /// Whether it is [paused](crate::Agent::pause).
    pub is_paused: bool,
    /// Bytes of content that wait for [`Agent::next_event`](crate::Agent::next_event).
    pub unread_bytes: usize,
    /// The [number](ConnectionSnapshot::number) of its connection.
    pub connection: Option<usize>,
}

/// The connections of one host with the same TLS options and proxy.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostSnapshot {
    /// Scheme, host and port, such as `https://game.example:443`, and the proxy if there is one.
    pub name: String,
    /// How many requests wait for a connection.
    pub waiting: usize,
    /// The connections.
    pub connections: Vec<ConnectionSnapshot>,
}

/// A connection of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSnapshot {
    /// Its number. A connection that is opened later may get the number of one that was closed.
    pub number: usize,
    /// What it is used for.
    pub state: ConnectionState,
    /// What its request is doing.
    pub phase: Option<Phase>,
    /// The time since it was begun to be opened.
    pub age: Duration,
    /// How many requests it was given.
    pub requests: u32,
    /// The address of the peer, once there is one: of the proxy, if one is used.
    pub peer_address: Option<SocketAddr>,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It serves this request, or is being opened for it.
    Busy(RequestId),
    /// It is open and waits for a request.
    Idle,
    /// It reads the rest of a response that is not wanted.
    Draining,
}

/// How much waits in an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// Requests that no poll has looked at.
    pub submitted: usize,
    /// Requests that wait for a connection.
    pub connection: usize,
    /// Requests that wait for their files.
    pub files: usize,
    /// Requests that wait for the bandwidth that all share.
    pub bandwidth: usize,
    /// Events that wait for [`Agent::next_event`](crate::Agent::next_event).
    pub events: usize,
    /// Connections that need another turn.
    pub turns: usize,
}

impl AgentSnapshot {
    /// As JSON, with the members `totals`, `queues`, `seconds`, `requests` and `connections`. It lists at most
    /// 200 requests and 200 connections; `totals` has their numbers. Times are in milliseconds.
    pub fn to_json(&self) -> Value {
        let open: usize = self.hosts.iter().map(|host| host.connections.len()).sum();
        let requests = self.requests.iter().take(MOST_ROWS);
        let connections = self
            .hosts
            .iter()
            .flat_map(|host| host.connections.iter().map(|it| it.to_json(&host.name)))
            .take(MOST_ROWS);
        json!({
            "totals": {
                "requests": self.requests.len(),
                "hosts": self.hosts.len(),
                "connections": open,
            },
            "queues": self.queues.to_json(),
            "seconds": self.seconds.iter().map(PollSecond::to_json).collect::<Value>(),
            "requests": requests.map(RequestSnapshot::to_json).collect::<Value>(),
            "connections": connections.collect::<Value>(),
        })
    }
}

impl RequestSnapshot {
    fn to_json(&self) -> Value {
        json!({
            "request": self.id.0,
            "method": self.method.as_str(),
            "url": self.url,
            "phase": self.phase_text(),
            "priority": format!("{:?}", self.priority),
            "age_ms": milliseconds(self.age),
            "queue_ms": milliseconds(self.timings.queue),
            "sent_bytes": self.progress.sent,
            "to_send_bytes": self.progress.to_send,
            "received_bytes": self.progress.received,
            "to_receive_bytes": self.progress.to_receive,
            "progress": self.progress.fraction(),
            "unread_bytes": self.unread_bytes,
            "attempts": self.attempts,
            "redirects": self.redirects,
            "connection": self.connection,
        })
    }

    fn phase_text(&self) -> String {
        match self.is_paused {
            true => format!("paused, {}", self.progress.phase),
            false => self.progress.phase.to_string(),
        }
    }
}

impl ConnectionSnapshot {
    fn to_json(&self, host: &str) -> Value {
        let (state, request) = match self.state {
            ConnectionState::Busy(id) => ("busy", Some(id.0)),
            ConnectionState::Idle => ("idle", None),
            ConnectionState::Draining => ("draining", None),
        };
        json!({
            "connection": self.number,
            "host": host,
            "state": state,
            "request": request,
            "phase": self.phase.map(|phase| phase.to_string()),
            "age_ms": milliseconds(self.age),
            "requests": self.requests,
            "peer": self.peer_address.map(|peer| peer.to_string()),
        })
    }
}

impl QueueSnapshot {
    fn to_json(self) -> Value {
        json!({
            "requests that no poll has looked at": self.submitted,
            "requests that wait for a connection": self.connection,
            "requests that wait for their files": self.files,
            "requests that wait for bandwidth": self.bandwidth,
            "events to be taken": self.events,
            "connections with something to do": self.turns,
        })
    }
}
