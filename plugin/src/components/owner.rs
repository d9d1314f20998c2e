//! [`RequestedBy`] and [`Requests`]: the relationship between a request and its owner.

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;

/// On a request: its owner. Despawning the owner cancels and despawns the request, and the events of the
/// request propagate to the owner.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// # #[derive(Component)] struct Leaderboard;
/// fn open(mut commands: Commands) {
///     commands
///         .spawn(Leaderboard)
///         .observe(|on: On<HttpResponse>| println!("the owner's request {} is done", on.request))
///         .with_related::<RequestedBy>(HttpRequest::get("https://game.example/scores"));
/// }
/// ```
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug),
    type_path = "bevy_httpoll"
)]
#[relationship(relationship_target = Requests)]
pub struct RequestedBy(pub Entity);

/// On a request of [`Http::send_for`](crate::Http::send_for) whose owner is still to be spawned by a command of the same
/// frame. The pump that sends the request makes it [`RequestedBy`].
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct AwaitsOwner(pub(crate) Entity);

/// On an owner: its requests that still exist. Bevy maintains it from [`RequestedBy`].
#[derive(Component, Debug, Default)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Debug),
    type_path = "bevy_httpoll"
)]
#[relationship_target(relationship = RequestedBy, linked_spawn)]
pub struct Requests(Vec<Entity>);

impl Requests {
    /// The entities of the requests.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}
