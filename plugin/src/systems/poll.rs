//! The two pumps of a frame: they poll servers, nodes and the agent within the frame's budget.

use std::time::Instant;

use bevy_ecs::system::{Query, Res, ResMut};

use crate::components::node::{HttpClientNode, is_active};
#[cfg(feature = "server")]
use crate::components::server::HttpServing;
use crate::resources::agent::HttpAgent;
#[cfg(feature = "assets")]
use crate::resources::asset_loads::HttpAssetLoads;
use crate::resources::budget::HttpBudget;
use crate::systems::shares::Shares;

pub(crate) fn begin_frame(http: Option<ResMut<HttpAgent>>, budget: Option<Res<HttpBudget>>) {
    let Some(mut http) = http else { return };
    let granted = budget.map(|budget| budget.granted(http.frame.busy));
    http.frame.begin(granted);
}

/// The first pump. It gets three quarters of the budget, so that the second pump can still start what
/// this frame spawns.
pub(crate) fn poll(
    http: Option<ResMut<HttpAgent>>,
    mut nodes: Query<&mut HttpClientNode>,
    #[cfg(feature = "server")] mut servers: Query<&mut HttpServing>,
    #[cfg(feature = "assets")] loads: Option<Res<HttpAssetLoads>>,
) {
    let Some(mut http) = http else { return };
    let began = Instant::now();
    let mut budget = http.frame.granted.clone();
    budget.time = budget
        .time
        .map(|time| (time - time / 4).saturating_sub(http.frame.spent));
    budget.bytes = budget.bytes.map(|bytes| bytes - bytes / 4);
    let requests = weight(
        &http,
        #[cfg(feature = "assets")]
        loads.as_deref(),
    );
    let active = nodes.iter().filter(|node| is_active(node)).count();
    #[cfg(feature = "server")]
    let active = active + servers.iter().len();
    let mut shares = Shares::new(budget, requests + active);
    #[cfg(feature = "server")]
    for mut server in &mut servers {
        server.poll(&shares.next(1));
    }
    for mut node in &mut nodes {
        if is_active(&node) {
            node.set_budget(shares.next(1));
            // `dispatch_nodes` reports a failure.
            let _ = node.poll();
        }
    }
    http.agent.poll_with(&shares.next(requests));
    http.frame.spent += began.elapsed();
}

/// The second pump. It gets the rest of the budget. With less than half of the budget left it does nothing.
pub(crate) fn flush(
    http: Option<ResMut<HttpAgent>>,
    #[cfg(feature = "server")] mut servers: Query<&mut HttpServing>,
    #[cfg(feature = "assets")] loads: Option<Res<HttpAssetLoads>>,
) {
    let Some(mut http) = http else { return };
    let mut budget = http.frame.granted.clone();
    let granted = budget.time;
    budget.time = granted.map(|time| time.saturating_sub(http.frame.spent));
    budget.bytes = budget.bytes.map(|bytes| bytes / 4);
    // The first step of a poll runs whatever it costs, such as half a millisecond for a handshake. So the
    // pump needs a reserve.
    let is_enough_left = match (granted, budget.time) {
        (Some(granted), Some(left)) => left >= granted / 2 && !left.is_zero(),
        _ => true,
    };
    if is_enough_left {
        let began = Instant::now();
        let requests = weight(
            &http,
            #[cfg(feature = "assets")]
            loads.as_deref(),
        );
        #[cfg(feature = "server")]
        let listening = servers.iter().len();
        #[cfg(not(feature = "server"))]
        let listening = 0;
        let mut shares = Shares::new(budget, requests + listening);
        #[cfg(feature = "server")]
        for mut server in &mut servers {
            server.poll(&shares.next(1));
        }
        http.agent.poll_with(&shares.next(requests));
        http.frame.spent += began.elapsed();
    }
    http.frame.end();
}

/// The number of requests and loads that share the budget with nodes and servers.
fn weight(http: &HttpAgent, #[cfg(feature = "assets")] loads: Option<&HttpAssetLoads>) -> usize {
    if http.agent.is_on_thread() {
        return 1;
    }
    #[cfg(feature = "assets")]
    let loads = loads.map_or(0, HttpAssetLoads::count);
    #[cfg(not(feature = "assets"))]
    let loads = 0;
    (http.in_flight() + loads).max(1)
}
