//! The two pumps of a frame: they poll servers, nodes and the agent within the frame's budget.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::system::{Query, Res, ResMut};
use httpoll::budget::Polled;
use httpoll::{Error, GroupMember, Status};

use crate::components::node::{HttpClientNode, is_active};
#[cfg(feature = "server")]
use crate::components::server::HttpServing;
use crate::resources::agent::HttpAgent;
use crate::resources::budget::HttpBudget;

pub(crate) fn begin_frame(http: Option<ResMut<HttpAgent>>, budget: Option<Res<HttpBudget>>) {
    let Some(mut http) = http else { return };
    let http = http.bypass_change_detection();
    // The app may have kept running in spite of `AppExit`.
    http.is_exiting = false;
    let now = http.now();
    http.frame.begin(budget.as_deref(), now);
}

/// The first pump. It gets three quarters of the budget, so that the second pump can still start what
/// this frame spawns.
pub(crate) fn poll(
    http: Option<ResMut<HttpAgent>>,
    mut nodes: Query<&mut HttpClientNode>,
    #[cfg(feature = "server")] mut servers: Query<&mut HttpServing>,
) {
    let Some(mut http) = http else { return };
    let http = http.bypass_change_detection();
    let began = http.now();
    let mut budget = http.frame.granted().clone();
    budget.time = budget
        .time
        .map(|time| (time - time / 4).saturating_sub(http.frame.spent()));
    budget.bytes = budget.bytes.map(|bytes| bytes - bytes / 4);
    let mut nodes: Vec<_> = nodes.iter_mut().filter(|node| is_active(node)).collect();
    let before: Vec<Status> = nodes.iter().map(|node| node.get_status()).collect();
    {
        #[cfg(feature = "server")]
        let mut servers: Vec<_> = servers.iter_mut().collect();
        let HttpAgent { agent, group, .. } = &mut *http;
        let mut members: Vec<&mut dyn GroupMember> = Vec::new();
        // A server that gives up on a request responds before its client, here, gives up on the response.
        #[cfg(feature = "server")]
        for server in &mut servers {
            members.push(&mut server.bypass_change_detection().server);
        }
        members.push(agent);
        for node in &mut nodes {
            let node = node.bypass_change_detection();
            // It may have been made before there was a group.
            node.join(group);
            members.push(&mut **node);
        }
        // One system call for all of them. Those that have work share the budget.
        report(group.poll(&budget, &mut members));
    }
    for (node, before) in nodes.iter_mut().zip(before) {
        let status = node.get_status();
        if status != before || status == Status::Body {
            node.set_changed();
        }
    }
    http.frame
        .spend(http.now().saturating_duration_since(began));
}

/// The second pump. It gets the rest of the budget. With less than half of the budget left it does nothing. It makes no
/// system call when the game has given the agent and the servers nothing to do since the first pump.
pub(crate) fn flush(
    http: Option<ResMut<HttpAgent>>,
    nodes: Query<&HttpClientNode>,
    #[cfg(feature = "server")] mut servers: Query<&mut HttpServing>,
) {
    let Some(mut http) = http else { return };
    let http = http.bypass_change_detection();
    http.others.active_nodes = nodes.iter().filter(|node| is_active(node)).count();
    let mut budget = http.frame.granted().clone();
    let granted = budget.time;
    budget.time = granted.map(|time| time.saturating_sub(http.frame.spent()));
    budget.bytes = budget.bytes.map(|bytes| bytes / 4);
    // The first step of a poll runs whatever it costs, such as half a millisecond for a handshake. So the
    // pump needs a reserve.
    let is_enough_left = match (granted, budget.time) {
        (Some(granted), Some(left)) => left >= granted / 2 && !left.is_zero(),
        _ => true,
    };
    if is_enough_left {
        let began = http.now();
        #[cfg(feature = "server")]
        let mut servers: Vec<_> = servers.iter_mut().collect();
        let HttpAgent { agent, group, .. } = &mut *http;
        let mut members: Vec<&mut dyn GroupMember> = Vec::new();
        #[cfg(feature = "server")]
        for server in &mut servers {
            members.push(&mut server.bypass_change_detection().server);
        }
        members.push(agent);
        report(group.poll_again(&budget, &mut members));
        http.frame
            .spend(http.now().saturating_duration_since(began));
    }
    let now = http.now();
    http.frame.end(now);
}

/// Each client reports its own failures. This one is a failure of the operating system.
fn report(polled: Result<Polled, Error>) {
    if let Err(error) = polled {
        log::warn!("sockets could not be polled: {error}");
    }
}
