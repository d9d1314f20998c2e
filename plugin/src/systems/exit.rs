//! The end of the app: cancels all requests, or waits for them.

use std::time::Duration;

#[cfg(feature = "outbox")]
use bevy_ecs::world::Mut;
use bevy_ecs::world::World;
use httpoll::clock::Instant;

use crate::resources::agent::HttpAgent;
use crate::resources::config::PluginConfig;
#[cfg(feature = "outbox")]
use crate::resources::outbox::HttpOutbox;
use crate::schedule::HttpOnExit;
use crate::systems::dispatch::dispatch;
use crate::systems::submit::submit_all;

/// How long the last frame waits for the worker to close or remove files.
const FILES: Duration = Duration::from_millis(250);

/// How long the last frame waits for the clients of servers.
#[cfg(feature = "server")]
const CLIENTS: Duration = Duration::from_millis(250);

/// The longest sleep between two polls.
const LONGEST_SLEEP: Duration = Duration::from_millis(10);

pub(crate) fn leave(world: &mut World) {
    let on_exit = world
        .get_resource::<PluginConfig>()
        .map_or_else(HttpOnExit::default, |config| config.on_exit);
    let Some(mut http) = world.get_resource_mut::<HttpAgent>() else {
        return;
    };
    http.is_exiting = true;
    match on_exit {
        HttpOnExit::Abort => http.abort(true),
        HttpOnExit::Drain(limit) => {
            http.abort(false);
            drain(world, limit);
        }
    }
    #[cfg(feature = "outbox")]
    flush_outbox(world);
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        http.abort(true);
    }
    #[cfg(feature = "server")]
    crate::systems::server_shutdown::shut_down(world, CLIENTS);
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        http.agent.finish_files(FILES);
        #[cfg(feature = "cache")]
        if let Err(error) = http.save_cache() {
            log::warn!("the HTTP cache was not saved: {error}");
        }
    }
}

/// Sends what the outbox has, within its deadline.
#[cfg(feature = "outbox")]
fn flush_outbox(world: &mut World) {
    world.try_resource_scope(|world, mut outbox: Mut<HttpOutbox>| {
        if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
            outbox.flush(&mut http);
        }
    });
}

fn drain(world: &mut World, limit: Duration) {
    let began = Instant::now();
    loop {
        // Observers of the last responses may spawn more requests: they are waited for, too.
        let sent = world.run_system_cached(submit_all).is_ok();
        #[cfg(feature = "server")]
        crate::systems::server_shutdown::serve(world);
        let left = limit.saturating_sub(began.elapsed());
        let Some(mut http) = world.get_resource_mut::<HttpAgent>() else {
            return;
        };
        let sleep = left.min(LONGEST_SLEEP);
        if http.in_flight() > 0 {
            http.agent.wait(Some(sleep));
        } else if http.jobs.has_pending_tasks() {
            http.mailbox.wait(sleep);
        }
        let dispatched = world.run_system_cached(dispatch).is_ok();
        let is_done = world
            .get_resource::<HttpAgent>()
            .is_none_or(|http| http.in_flight() == 0 && !http.jobs.has_pending_tasks());
        if is_done || left.is_zero() || !sent || !dispatched {
            return;
        }
    }
}
