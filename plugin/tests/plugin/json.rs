//! Responses as JSON values.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use bevy_app::TaskPoolPlugin;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::ErrorKind;
use bevy_httpoll::httpoll::error::Misuse;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;
use serde::Deserialize;

use crate::support::{Game, unhurried, url};

#[derive(Deserialize, Debug, PartialEq)]
struct Score {
    name: String,
    score: u32,
}

type Observed = (Result<Vec<Score>, ErrorKind>, Option<u16>);

fn ask(game: &mut Game, path: &str) -> (Entity, mpsc::Receiver<Observed>) {
    let (sender, receiver) = mpsc::channel();
    let entity = game
        .app
        .world_mut()
        .spawn(HttpRequest::get(path.to_owned()))
        .on_json(move |mut on: On<HttpJson<Vec<Score>>>| {
            let result = std::mem::replace(&mut on.result, Ok(Vec::new()));
            let status = on.response.as_ref().map(|it| it.status().as_u16());
            let result = result.map_err(|error| error.kind().clone());
            sender.send((result, status)).unwrap();
        })
        .id();
    (entity, receiver)
}

#[test]
fn on_json_delivers_a_value_or_an_error_exactly_once() {
    let mut game = Game::new();
    let _rules = [
        game.server
            .get("/good")
            .reply(MockResponse::ok().text("[{\"name\":\"Ada\",\"score\":7}]")),
        game.server.get("/bad").reply(MockResponse::ok().text("[")),
        game.server
            .get("/gone")
            .reply(MockResponse::with_status(404).text("[]")),
    ];
    let ada = Score {
        name: "Ada".into(),
        score: 7,
    };
    for (path, result, status) in [
        (url("/good"), Ok(vec![ada]), Some(200)),
        (url("/bad"), Err(ErrorKind::InvalidJson), Some(200)),
        (url("/gone"), Err(ErrorKind::Status(404)), Some(404)),
    ] {
        let (_, receiver) = ask(&mut game, &path);
        game.frames(20);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(result, status)]);
    }
    let (_, receiver) = ask(&mut game, "no url");
    game.frames(3);
    let observed: Vec<_> = receiver.try_iter().collect();
    assert_eq!(
        observed,
        [(Err(ErrorKind::Misuse(Misuse::InvalidUrl)), None)]
    );
}

#[test]
fn large_json_is_parsed_off_the_frame_and_its_entity_stays_until_then() {
    let mut game = Game::with(HttpollPlugin {
        json_off_frame: 100,
        ..unhurried()
    });
    game.app.add_plugins(TaskPoolPlugin::default());
    let scores: Vec<String> = (0..500)
        .map(|score| format!("{{\"name\":\"p\",\"score\":{score}}}"))
        .collect();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().text(&format!("[{}]", scores.join(","))));
    let (entity, receiver) = ask(&mut game, &url("/"));
    game.until_finished(1);
    let start = std::time::Instant::now();
    let observed = loop {
        if let Ok(observed) = receiver.try_recv() {
            break observed;
        }
        // Some frames may pass while the pool works; the entity stays until then.
        assert!(game.exists(entity));
        game.frame();
        std::thread::yield_now();
        assert!(start.elapsed() < crate::support::TIME_LIMIT);
    };
    assert_eq!(observed.0.unwrap().len(), 500);
    game.frame();
    assert!(!game.exists(entity), "despawned after the event");
}

#[test]
fn on_json_works_on_an_owner() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("[1]"));
    let (sender, receiver) = mpsc::channel();
    let owner = game
        .app
        .world_mut()
        .spawn(())
        .on_json(move |on: On<HttpJson<Vec<u8>>>| {
            sender.send((on.entity, on.request)).unwrap();
        })
        .id();
    let entity = game.spawn((HttpRequest::get(url("/")), RequestedBy(owner)));
    game.until_finished(1);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(owner, entity)]);
}

#[test]
fn two_observers_of_one_type_share_one_value() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("7"));
    let (sender, receiver) = mpsc::channel();
    let (first, second, other) = (sender.clone(), sender.clone(), sender);
    game.app
        .world_mut()
        .spawn(HttpRequest::get(url("/")))
        .on_json(move |on: On<HttpJson<Counted>>| {
            first
                .send(("first", on.result.as_ref().unwrap().0))
                .unwrap();
        })
        .on_json(move |on: On<HttpJson<Counted>>| {
            second
                .send(("second", on.result.as_ref().unwrap().0))
                .unwrap();
        })
        .on_json(move |on: On<HttpJson<u64>>| {
            other.send(("other", *on.result.as_ref().unwrap())).unwrap();
        });
    game.until_finished(1);
    game.frames(3);
    let mut received: Vec<_> = receiver.try_iter().collect();
    received.sort_unstable();
    assert_eq!(received, [("first", 7), ("other", 7), ("second", 7)]);
    assert_eq!(PARSED.load(std::sync::atomic::Ordering::Relaxed), 1);
}

static PARSED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// A number that counts how often it is parsed.
struct Counted(u64);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PARSED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        u64::deserialize(deserializer).map(Self)
    }
}

#[test]
fn a_clone_of_an_entity_with_on_json_can_have_its_own() {
    for clone_observers in [false, true] {
        let mut game = Game::new();
        let _rule = game.server.get("/").reply(MockResponse::ok().text("7"));
        let (sender, receiver) = mpsc::channel();
        let (first, second) = (sender.clone(), sender);
        let world = game.app.world_mut();
        let original = world
            .spawn(())
            .on_json(move |_: On<HttpJson<u64>>| first.send("first").unwrap())
            .id();
        let clone = world
            .entity_mut(original)
            .clone_and_spawn_with_opt_out(move |cloner| {
                cloner.add_observers(clone_observers);
            });
        world
            .entity_mut(clone)
            .on_json(move |_: On<HttpJson<u64>>| second.send("second").unwrap())
            .insert(HttpRequest::get(url("/")));
        game.until_finished(1);
        game.frames(3);
        let mut received: Vec<_> = receiver.try_iter().collect();
        received.sort_unstable();
        match clone_observers {
            false => assert_eq!(received, ["second"]),
            true => assert_eq!(received, ["first", "second"]),
        }
    }
}

/// The value, or the kind of the error.
fn shown<T: std::fmt::Debug>(result: &Result<T, bevy_httpoll::httpoll::Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

#[test]
fn empty_content_is_null() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::with_status(204));
    let (sender, receiver) = mpsc::channel();
    let (unit, option, number) = (sender.clone(), sender.clone(), sender);
    game.app
        .world_mut()
        .spawn(HttpRequest::get(url("/")))
        .on_json(move |on: On<HttpJson<()>>| unit.send(("()", shown(&on.result))).unwrap())
        .on_json(move |on: On<HttpJson<Option<u32>>>| {
            option.send(("option", shown(&on.result))).unwrap();
        })
        .on_json(move |on: On<HttpJson<u32>>| number.send(("u32", shown(&on.result))).unwrap());
    game.until_finished(1);
    game.frames(3);
    let mut received: Vec<_> = receiver.try_iter().collect();
    received.sort_unstable();
    let expected = [("()", "()"), ("option", "None"), ("u32", "InvalidJson")];
    assert_eq!(received, expected.map(|(of, shown)| (of, shown.to_owned())));
}

#[test]
fn without_a_task_pool_a_thread_parses_large_content() {
    /// Notes the thread that parses it.
    struct OnThread(Option<String>);

    impl<'de> Deserialize<'de> for OnThread {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <String as Deserialize>::deserialize(deserializer)?;
            let name = std::thread::current().name().map(str::to_owned);
            Ok(Self(name))
        }
    }

    let mut game = Game::with(HttpollPlugin {
        json_off_frame: 4,
        ..unhurried()
    });
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().text("\"long enough\""));
    let (sender, receiver) = mpsc::channel();
    game.app
        .world_mut()
        .spawn(HttpRequest::get(url("/")))
        .on_json(move |on: On<HttpJson<OnThread>>| {
            sender.send(on.result.as_ref().unwrap().0.clone()).unwrap();
        });
    let here = std::thread::current().name().map(str::to_owned);
    let start = std::time::Instant::now();
    let name = loop {
        if let Ok(name) = receiver.try_recv() {
            break name;
        }
        game.frame();
        std::thread::yield_now();
        assert!(start.elapsed() < crate::support::TIME_LIMIT);
    };
    assert_ne!(name, here, "not on the frame's thread");
}

#[test]
fn a_type_that_panics_off_the_frame_leaves_no_request_behind() {
    use bevy_ecs::error::{BevyError, ErrorContext, FallbackErrorHandler};
    struct Panics;
    impl<'de> serde::Deserialize<'de> for Panics {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("this type cannot be read")
        }
    }
    let mut game = Game::with(HttpollPlugin {
        json_off_frame: 1,
        ..unhurried()
    });
    fn ignore(_: BevyError, _: ErrorContext) {}
    game.app.insert_resource(FallbackErrorHandler(ignore));
    let _rule = game.server.get("/").reply(MockResponse::ok().text("[1]"));
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.app
        .world_mut()
        .entity_mut(entity)
        .on_json(|_: On<HttpJson<Panics>>| {});
    game.until_finished(1);
    game.until(|world| world.get_entity(entity).is_err());
    assert!(game.agent().is_idle());
}

#[test]
fn json_of_a_request_that_was_replaced_meanwhile_is_not_delivered() {
    let mut game = Game::with(HttpollPlugin {
        json_off_frame: 0,
        ..unhurried()
    });
    let _rules = [
        game.server.get("/1").reply(MockResponse::ok().text("1")),
        game.server.get("/2").reply(MockResponse::ok().text("2")),
    ];
    let (sender, receiver) = mpsc::channel();
    game.app
        .world_mut()
        .spawn(HttpRequest::get(url("/1")))
        .on_json(move |on: On<HttpJson<u32>>| {
            sender.send(on.result.as_ref().ok().copied()).unwrap();
        })
        .on_response(|on: On<HttpResponse>, mut commands: Commands| {
            if on.text() == "1" {
                let next = HttpRequest::get(url("/2"));
                commands.entity(on.request).insert(next);
            }
        });
    let start = std::time::Instant::now();
    while game.agent().needs_frames() {
        game.frame();
        std::thread::yield_now();
        assert!(start.elapsed() < crate::support::TIME_LIMIT);
    }
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [Some(2)]);
}
