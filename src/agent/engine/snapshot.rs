//! What the engine is doing at this moment, as the owner of the agent may see it.

use super::Engine;
use crate::agent::event::Progress;
use crate::agent::pool::{ConnectionKey, Pooled, Service};
use crate::agent::response::{Timings, without_query};
use crate::agent::snapshot::{
    AgentSnapshot, ConnectionSnapshot, ConnectionState, HostSnapshot, QueueSnapshot,
    RequestSnapshot,
};
use crate::agent::transfer::Transfer;
use crate::clock::Instant;
use crate::phase::Phase;

impl Engine {
    pub(crate) fn snapshot(&mut self) -> AgentSnapshot {
        let now = self.now();
        let active_now = self.active_time();
        let transfers = self.transfers.ids().into_iter();
        let transfers = transfers.filter_map(|id| self.transfers.get(id));
        let mut requests: Vec<_> = transfers.map(|it| self.of_transfer(it, now)).collect();
        let submitted = self.submissions.iter().map(|it| of_submission(it, now));
        requests.extend(submitted);
        AgentSnapshot {
            requests,
            hosts: self.snapshot_of_hosts(active_now),
            queues: QueueSnapshot {
                submitted: self.submissions.iter().count(),
                connection: self.pool.waiting(),
                files: self.files.watched_count(),
                bandwidth: self.bandwidth.as_ref().map_or(0, |it| it.waiting()),
                events: self.events.len().0,
                turns: self.run_queue.len(),
            },
            seconds: self.history.seconds(active_now),
        }
    }

    fn of_transfer(&self, transfer: &Transfer, now: Instant) -> RequestSnapshot {
        let key = transfer.connection();
        let connection = key.and_then(|key| self.pool.get(key));
        let timings = match (transfer.state.response(), connection) {
            (Some(response), _) => response.result.timings,
            (None, Some(pooled)) => transfer.timings(&pooled.connection),
            (None, None) => waiting_since(transfer, now),
        };
        RequestSnapshot {
            id: transfer.id,
            method: transfer.request.method.clone(),
            url: without_query(&transfer.request.url),
            progress: transfer.progress(self.phase_of(transfer)),
            priority: transfer.settings.priority,
            age: now.saturating_duration_since(transfer.times.began),
            timings,
            attempts: transfer.attempts.count,
            redirects: transfer.attempts.history.len(),
            is_paused: transfer.paused,
            unread_bytes: transfer.delivery.unread_bytes,
            connection: key.map(|ConnectionKey(number)| number),
        }
    }

    fn of_connection(
        &self,
        ConnectionKey(number): ConnectionKey,
        pooled: &Pooled,
        active_now: Instant,
    ) -> ConnectionSnapshot {
        let link = pooled.connection.link();
        let (state, phase) = match pooled.service {
            Service::Busy(id) => {
                let transfer = self.transfers.get(id);
                let phase = transfer.map(|transfer| self.phase_of(transfer));
                (ConnectionState::Busy(id), phase)
            }
            Service::Idle { .. } => (ConnectionState::Idle, None),
            Service::Draining { .. } => (ConnectionState::Draining, None),
        };
        ConnectionSnapshot {
            number,
            state,
            phase,
            age: active_now.saturating_duration_since(pooled.opened),
            requests: pooled.requests,
            peer_address: link.and_then(|link| link.socket().peer_address()),
        }
    }

    fn snapshot_of_hosts(&self, active_now: Instant) -> Vec<HostSnapshot> {
        let hosts = self.pool.hosts();
        hosts
            .map(|(key, name, waiting)| HostSnapshot {
                name,
                waiting,
                connections: self
                    .pool
                    .iter()
                    .filter(|(_, pooled)| pooled.host == key)
                    .map(|(key, pooled)| self.of_connection(key, pooled, active_now))
                    .collect(),
            })
            .collect()
    }
}

/// The times of a transfer that has no connection.
fn waiting_since(transfer: &Transfer, now: Instant) -> Timings {
    let left_queue = transfer.times.left_queue.unwrap_or(now);
    Timings {
        queue: left_queue.saturating_duration_since(transfer.times.began),
        ..Timings::default()
    }
}

fn of_submission(transfer: &Transfer, now: Instant) -> RequestSnapshot {
    let age = now.saturating_duration_since(transfer.times.began);
    RequestSnapshot {
        id: transfer.id,
        method: transfer.request.method.clone(),
        url: without_query(&transfer.request.url),
        progress: Progress {
            phase: Phase::Queue,
            sent: 0,
            to_send: transfer.request.payload.length(),
            received: 0,
            to_receive: None,
        },
        priority: transfer.settings.priority,
        age,
        timings: Timings {
            queue: age,
            ..Timings::default()
        },
        attempts: 0,
        redirects: 0,
        is_paused: false,
        unread_bytes: 0,
        connection: None,
    }
}
