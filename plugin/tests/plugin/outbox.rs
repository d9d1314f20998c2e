//! `HttpOutbox`: events are pushed, sent in batches, and flushed in the last frame.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use bevy_app::AppExit;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, TIME_LIMIT};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bevy-httpoll-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A game with an outbox that sends after a second.
fn game(folder: &Folder) -> Game {
    let mut game = Game::new();
    game.server
        .post("/events")
        .reply(MockResponse::with_status(204));
    let file = folder.0.join("telemetry.outbox");
    let world = game.app.world_mut();
    let mut http = world.resource_mut::<HttpAgent>();
    let outbox = HttpOutbox::with(&mut http, file, "http://game.example/events", |outbox| {
        outbox.interval(Duration::from_secs(1))
    })
    .unwrap();
    world.insert_resource(outbox);
    game
}

fn push(game: &mut Game, event: &str) {
    let mut outbox = game.app.world_mut().resource_mut::<HttpOutbox>();
    outbox.push(event).unwrap();
}

#[test]
fn events_of_the_outbox_are_sent_in_a_batch() {
    let folder = Folder::new("outbox");
    let mut game = game(&folder);
    push(&mut game, "one");
    push(&mut game, "two");
    game.until(|world| world.resource::<HttpOutbox>().state().sent == 2);
    let requests = game.server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].text(), r#"["one","two"]"#);
    // Its requests are not requests of the app.
    assert!(game.log().responses.is_empty() && game.log().errors.is_empty());
}

#[test]
fn the_last_frame_sends_what_the_outbox_has() {
    let folder = Folder::new("outbox-exit");
    let mut game = game(&folder);
    game.frames(2);
    push(&mut game, "last words");
    game.app.world_mut().write_message(AppExit::Success);
    game.frame();
    let requests = game.server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].text(), r#"["last words"]"#);
    let state = game.app.world().resource::<HttpOutbox>().state();
    assert_eq!((state.waiting, state.sent), (0, 1));
}

#[test]
fn the_last_frame_waits_for_the_outbox_as_long_as_it_may() {
    // Without any time the worker cannot even hand the event over.
    for (deadline, waiting, sent) in [(Duration::ZERO, 1, 0), (TIME_LIMIT, 0, 1)] {
        let folder = Folder::new("outbox-deadline");
        let mut game = Game::new();
        game.server
            .post("/events")
            .reply(MockResponse::with_status(204));
        let world = game.app.world_mut();
        let mut http = world.resource_mut::<HttpAgent>();
        let file = folder.0.join("telemetry.outbox");
        let outbox = HttpOutbox::open(&mut http, file, "http://game.example/events").unwrap();
        world.insert_resource(outbox.exit_deadline(deadline));
        push(&mut game, "last words");
        game.app.world_mut().write_message(AppExit::Success);
        game.frame();
        let state = game.app.world().resource::<HttpOutbox>().state();
        assert_eq!((state.waiting, state.sent), (waiting, sent), "{deadline:?}");
    }
}

#[test]
fn the_outbox_says_why_a_batch_was_not_sent() {
    let folder = Folder::new("outbox-error");
    let mut game = Game::new();
    game.server
        .post("/events")
        .reply(MockResponse::with_status(503));
    let world = game.app.world_mut();
    let mut http = world.resource_mut::<HttpAgent>();
    let file = folder.0.join("telemetry.outbox");
    let url = "http://game.example/events";
    let outbox = HttpOutbox::with(&mut http, file, url, |outbox| {
        outbox.interval(Duration::from_secs(1))
    });
    world.insert_resource(outbox.unwrap());
    assert!(world.resource::<HttpOutbox>().last_error().is_none());
    push(&mut game, "one");
    game.until(|world| world.resource::<HttpOutbox>().last_error().is_some());
    let outbox = game.app.world().resource::<HttpOutbox>();
    assert!(outbox.last_error().unwrap().to_string().contains("503"));
    assert_eq!(outbox.state().waiting, 1);
}
