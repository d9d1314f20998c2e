//! [`HttpPriority`]: which request gets a connection first.

use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use bevy_ecs::world::DeferredWorld;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::Priority;

use crate::resources::agent::HttpAgent;

/// Which request gets a connection or bandwidth first when these are short: httpoll's [`Priority`], under
/// the same names. Insert, replace or remove it at any time, also in the frame of the spawn. Without it a
/// request has the priority [`Interface`](Self::Interface).
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq, Hash),
    type_path = "bevy_httpoll"
)]
#[component(immutable, on_insert = set, on_remove = reset)]
#[non_exhaustive]
pub enum HttpPriority {
    /// The player waits for it now.
    Gameplay,
    /// A menu or a leaderboard shows it. The default.
    #[default]
    Interface,
    /// Assets that are needed soon.
    Streaming,
    /// Everything that can wait: telemetry, prefetching.
    Background,
}

impl From<HttpPriority> for Priority {
    fn from(priority: HttpPriority) -> Self {
        match priority {
            HttpPriority::Gameplay => Self::Gameplay,
            HttpPriority::Interface => Self::Interface,
            HttpPriority::Streaming => Self::Streaming,
            HttpPriority::Background => Self::Background,
        }
    }
}

impl HttpAgent {
    /// Limits the bytes of content per second of all requests of one [`HttpPriority`] together, beside the limit
    /// of all; `None` removes the limit. What a priority may not use is left to the others.
    ///
    /// ```no_run
    /// # use bevy_ecs::prelude::*;
    /// # use bevy_httpoll::prelude::*;
    /// fn begin_match(mut http: ResMut<HttpAgent>) {
    ///     http.set_priority_rate_limit(HttpPriority::Streaming, Some(500_000));
    ///     http.set_priority_rate_limit(HttpPriority::Background, Some(50_000));
    /// }
    /// ```
    pub fn set_priority_rate_limit(
        &mut self,
        priority: HttpPriority,
        bytes_per_second: Option<u64>,
    ) {
        let priority = priority.into();
        self.agent
            .set_priority_rate_limit(priority, bytes_per_second);
    }
}

fn set(mut world: DeferredWorld, context: HookContext) {
    let priority = world.get::<HttpPriority>(context.entity).copied();
    apply(&mut world, context, priority.unwrap_or_default());
}

fn reset(mut world: DeferredWorld, context: HookContext) {
    apply(&mut world, context, HttpPriority::default());
}

fn apply(world: &mut DeferredWorld, context: HookContext, priority: HttpPriority) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>()
        && let Some(id) = http.id(context.entity)
    {
        http.agent.set_priority(id, priority.into());
    }
}
