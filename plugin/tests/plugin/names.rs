//! The names that the entities of requests have, for inspectors and logs.

#![allow(clippy::unwrap_used)]

use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, url};

#[derive(Component)]
struct Player;

fn name(game: &Game, entity: Entity) -> Option<&str> {
    game.app.world().get::<Name>(entity).map(Name::as_str)
}

#[test]
fn a_request_gives_its_entity_a_name_without_secrets() {
    let mut game = Game::new();
    let _rule = game.server.any("/**").reply(MockResponse::ok().never());
    let request = HttpRequest::get("http://ada:pass@game.example/scores?token=secret");
    let spawned = game.spawn(request.clone());
    let disabled = game.spawn((request, Disabled));
    game.frame();
    for entity in [spawned, disabled] {
        assert_eq!(name(&game, entity), Some("GET http://game.example/scores"));
    }
    game.app
        .world_mut()
        .entity_mut(spawned)
        .insert(HttpRequest::put(url("/other")));
    game.frame();
    assert_eq!(
        name(&game, spawned),
        Some("PUT http://game.example/other"),
        "it is the name of the request that replaced the first"
    );
}

#[test]
fn a_name_of_the_game_stays() {
    let mut game = Game::new();
    let _rule = game.server.any("/**").reply(MockResponse::ok());
    let entity = game.spawn((HttpRequest::get(url("/")), Name::new("news"), KeepRequest));
    game.frame();
    assert_eq!(name(&game, entity), Some("news"));
    game.until_finished(1);
    game.app
        .world_mut()
        .entity_mut(entity)
        .remove::<HttpRequest>();
    game.frame();
    assert_eq!(name(&game, entity), Some("news"));
}

#[test]
fn the_end_of_a_request_on_a_game_entity_removes_the_name() {
    let mut game = Game::new();
    let _rule = game.server.any("/**").reply(MockResponse::ok());
    let player = game.spawn((Player, HttpRequest::get(url("/"))));
    game.frame();
    assert_eq!(name(&game, player), Some("GET http://game.example/"));
    game.until_finished(1);
    game.frames(2);
    assert!(game.exists(player));
    assert_eq!(name(&game, player), None);
}
