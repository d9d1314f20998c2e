//! The plugin: what runs when, and how the frame's budget is shared.

use std::time::Instant;

use bevy_app::{App, Plugin, PreUpdate};
use bevy_ecs::entity::Entity;
use bevy_ecs::query::With;
use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::{IntoScheduleConfigs, SystemSet};
use bevy_ecs::system::{Commands, Query, Res, ResMut};
use httpoll::{Budget, Status};

use crate::driver::Driver;
use crate::events::{HttpError, HttpResponse, HttpStatusChanged};
use crate::node::HttpClientNode;
use crate::request::KeepRequest;

/// Adds HTTP to an app: [`HttpRequest`](crate::HttpRequest) entities are answered by events, and
/// [`HttpClientNode`] components are polled.
///
/// Needs no other plugin: it runs under `MinimalPlugins` and in a bare [`App`].
#[derive(Clone, Debug)]
pub struct HttpPlugin {
    /// What all requests and nodes together may spend in one frame. Default 1 ms.
    pub budget: Budget,
    /// The most bytes of one response's content; beyond it the request fails. Default 64 MiB.
    pub max_body_bytes: usize,
    /// How requests speak TLS; `None`, the default, is [`TlsOptions::client`](httpoll::TlsOptions::client).
    #[cfg(feature = "tls")]
    pub tls: Option<httpoll::TlsOptions>,
}

impl Default for HttpPlugin {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            max_body_bytes: 64 * 1024 * 1024,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// When the plugin works. Both sets are in [`PreUpdate`], in this order, so that `Update` sees what
/// came in this frame.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpollSystems {
    /// Polls every request and node, within the budget.
    Poll,
    /// Triggers the events, and despawns requests that are done.
    Dispatch,
}

#[derive(Resource, Debug)]
struct FrameBudget(Budget);

impl Plugin for HttpPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(FrameBudget(self.budget.clone()))
            .insert_resource(Driver::new(self))
            .configure_sets(
                PreUpdate,
                (HttpollSystems::Poll, HttpollSystems::Dispatch).chain(),
            )
            .add_systems(
                PreUpdate,
                (
                    poll.in_set(HttpollSystems::Poll),
                    (dispatch_nodes, dispatch_requests).in_set(HttpollSystems::Dispatch),
                ),
            );
    }
}

/// A frame's budget, shared between its clients.
struct Shares {
    budget: Budget,
    began: Instant,
    clients: usize,
    /// Clients that have not had their turn.
    left: usize,
}

impl Shares {
    fn new(budget: Budget, clients: usize) -> Self {
        Self {
            budget,
            began: Instant::now(),
            clients,
            left: clients,
        }
    }

    /// The budget of the next client. All get a turn in each frame, and each poll gets on a little
    /// whatever its budget, so that none starves; time that the others did not use is there for
    /// those after them.
    fn next(&mut self) -> Budget {
        let mut share = self.budget.clone();
        let part = |clients: usize| u32::try_from(clients.max(1)).unwrap_or(u32::MAX);
        if let Some(time) = self.budget.time {
            share.time = Some(time.saturating_sub(self.began.elapsed()) / part(self.left));
        }
        share.bytes = self
            .budget
            .bytes
            .map(|bytes| bytes / u64::from(part(self.clients)));
        self.left = self.left.saturating_sub(1);
        share
    }

    fn is_spent(&self) -> bool {
        self.budget
            .time
            .is_some_and(|time| self.began.elapsed() >= time)
    }
}

fn poll(
    budget: Res<FrameBudget>,
    mut driver: ResMut<Driver>,
    mut nodes: Query<&mut HttpClientNode>,
) {
    let clients = driver.in_flight.len() + nodes.iter().len();
    let mut shares = Shares::new(budget.0.clone(), clients);
    // Whoever was first in the last frame is last in this one.
    if !driver.in_flight.is_empty() {
        driver.in_flight.rotate_left(1);
    }
    // However little time there is, one new connection a frame is begun.
    let mut has_begun = false;
    for transfer in &mut driver.in_flight {
        let share = shares.next();
        if transfer.is_waiting() {
            if has_begun && shares.is_spent() {
                continue;
            }
            has_begun = true;
        }
        transfer.drive(&share);
    }
    for mut node in &mut nodes {
        let share = shares.next();
        if node.get_status() != Status::Disconnected && !node.get_status().is_error() {
            node.set_budget(share);
            // A failure is announced by the dispatch system, from the client itself.
            let _ = node.poll();
        }
    }
}

fn dispatch_nodes(mut commands: Commands, mut nodes: Query<(Entity, &mut HttpClientNode)>) {
    for (entity, mut node) in &mut nodes {
        while let Some(transition) = node.next_transition() {
            commands.trigger(HttpStatusChanged {
                entity,
                from: transition.from,
                to: transition.to,
            });
            if transition.to.is_error()
                && let Some(error) = node.get_error().cloned()
            {
                commands.trigger(HttpError { entity, error });
            }
        }
    }
}

fn dispatch_requests(
    mut commands: Commands,
    mut driver: ResMut<Driver>,
    kept: Query<(), With<KeepRequest>>,
) {
    for transfer in &mut driver.in_flight {
        let entity = transfer.entity;
        while let Some(transition) = transfer.next_transition() {
            commands.trigger(HttpStatusChanged {
                entity,
                from: transition.from,
                to: transition.to,
            });
        }
        match &transfer.outcome {
            None => continue,
            Some(Ok((head, body))) => commands.trigger(HttpResponse {
                entity,
                head: head.clone(),
                body: body.clone(),
            }),
            Some(Err(error)) => commands.trigger(HttpError {
                entity,
                error: error.clone(),
            }),
        }
        if !kept.contains(entity) {
            commands.entity(entity).try_despawn();
        }
    }
    driver
        .in_flight
        .retain(|transfer| transfer.outcome.is_none());
}
