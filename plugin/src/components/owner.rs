//! Who asked: the relationship between a request and its owner.

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;

/// On a request: the entity that asked for it. Despawning that cancels and despawns the request, and
/// the events of the request go on to it.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// # #[derive(Component)] struct Leaderboard;
/// fn open(mut commands: Commands) {
///     commands
///         .spawn(Leaderboard)
///         .observe(|answer: On<HttpResponse>| println!("the owner hears of {}", answer.request))
///         .with_related::<RequestedBy>(HttpRequest::get("https://game.example/scores"));
/// }
/// ```
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug)
)]
#[relationship(relationship_target = Requests)]
pub struct RequestedBy(pub Entity);

/// On an owner: its requests that are still there. Maintained by [`RequestedBy`].
#[derive(Component, Debug, Default)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Debug)
)]
#[relationship_target(relationship = RequestedBy, linked_spawn)]
pub struct Requests(Vec<Entity>);

impl Requests {
    /// The entities of the requests.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}
