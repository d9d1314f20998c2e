//! Which observers run and in which order, and that a failing observer does not affect the others.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex, mpsc};

use bevy_ecs::prelude::*;
use bevy_ecs::system::RunSystemOnce;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, url};

#[test]
fn an_observer_on_a_request_gets_only_its_events() {
    let mut game = Game::new();
    let _rules = [
        game.server.get("/a").reply(MockResponse::ok().text("A")),
        game.server.get("/b").reply(MockResponse::ok().text("B")),
    ];
    let (sender, receiver) = mpsc::channel();
    for name in ["a", "b"] {
        let sender = sender.clone();
        game.app
            .world_mut()
            .spawn(HttpRequest::get(url(&format!("/{name}"))))
            .on_response(move |on: On<HttpResponse>| {
                sender.send((name, on.text())).unwrap();
            });
    }
    game.until_finished(2);
    let mut both: Vec<_> = receiver.try_iter().collect();
    both.sort();
    assert_eq!(both, [("a", "A".to_owned()), ("b", "B".to_owned())]);
}

#[test]
fn twenty_requests_in_one_frame_are_all_answered() {
    let mut game = Game::new();
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    for number in 0..20 {
        game.spawn(HttpRequest::get(url(&format!("/{number}"))));
    }
    game.until_finished(20);
    game.frames(3);
    assert_eq!(game.log().responses.len(), 20);
}

#[test]
fn the_owner_observes_after_the_request_and_knows_which_it_was() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let (sender, receiver) = mpsc::channel();
    let owner = game.spawn(());
    let entity = game.spawn((HttpRequest::get(url("/")), RequestedBy(owner)));
    for watched in [owner, entity] {
        let sender = sender.clone();
        game.app
            .world_mut()
            .entity_mut(watched)
            .observe(move |on: On<HttpResponse>| sender.send((on.entity, on.request)).unwrap());
    }
    game.until_finished(1);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [(entity, entity), (owner, entity)]
    );
    assert!(game.exists(owner), "the owner stays");
}

/// Sends ten requests whose observers fail for every even number. Returns the numbers whose observer ran
/// to its end.
fn with_failing_observers(how: impl Fn(u32) -> Result + Clone + Send + Sync + 'static) -> Vec<u32> {
    let mut game = Game::new();
    game.app.set_error_handler(bevy_ecs::error::ignore);
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    let completed = Arc::new(Mutex::new(Vec::new()));
    for number in 0..10_u32 {
        let (completed, how) = (completed.clone(), how.clone());
        game.app
            .world_mut()
            .spawn(HttpRequest::get(url(&format!("/{number}"))))
            .observe(move |_: On<HttpResponse>| -> Result {
                if number % 2 == 0 {
                    how(number)?;
                }
                completed.lock().unwrap().push(number);
                Ok(())
            });
    }
    game.until(|world| world.resource::<HttpAgent>().is_idle());
    game.frames(2);
    let mut completed = completed.lock().unwrap().clone();
    completed.sort_unstable();
    completed
}

#[test]
fn an_observer_that_returns_an_error_loses_no_other_response() {
    let completed = with_failing_observers(|number| Err(format!("no {number}").into()));
    assert_eq!(completed, [1, 3, 5, 7, 9]);
}

#[test]
fn an_observer_that_panics_loses_no_other_response() {
    let completed = with_failing_observers(|number| panic!("on purpose: {number}"));
    assert_eq!(completed, [1, 3, 5, 7, 9]);
}

#[test]
fn an_observer_may_despawn_any_request() {
    let mut game = Game::new();
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    let all: Vec<_> = (0..6)
        .map(|number| game.spawn(HttpRequest::get(url(&format!("/{number}")))))
        .collect();
    for entity in &all {
        let all = all.clone();
        game.app.world_mut().entity_mut(*entity).observe(
            move |_: On<HttpResponse>, mut commands: Commands| {
                for entity in &all {
                    commands.entity(*entity).try_despawn();
                }
            },
        );
    }
    game.until(|world| {
        !world
            .resource::<crate::support::EventLog>()
            .responses
            .is_empty()
    });
    game.frames(5);
    assert!(game.agent().is_idle());
    assert!(all.iter().all(|entity| !game.exists(*entity)));
}

#[test]
fn observers_run_in_the_dispatch_set() {
    #[derive(Resource, Default)]
    struct Order(Vec<&'static str>);
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.app
        .init_resource::<Order>()
        .add_systems(
            bevy_app::PreUpdate,
            (
                (|mut order: ResMut<Order>| order.0.push("before"))
                    .after(HttpollSystems::Poll)
                    .before(HttpollSystems::Dispatch),
                (|mut order: ResMut<Order>| order.0.push("after")).after(HttpollSystems::Dispatch),
            ),
        )
        .add_observer(|_: On<HttpResponse>, mut order: ResMut<Order>| order.0.push("observed"));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    let order = &game.app.world().resource::<Order>().0;
    assert_eq!(order[order.len() - 3..], ["before", "observed", "after"]);
}

#[test]
fn run_conditions_follow_the_requests() {
    #[derive(Resource, Default)]
    struct Runs(Vec<bool>);
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().delay(crate::support::FRAME * 3));
    game.app.init_resource::<Runs>().add_systems(
        bevy_app::Update,
        (
            (|mut runs: ResMut<Runs>| runs.0.push(false)).run_if(http_idle),
            (|mut runs: ResMut<Runs>| runs.0.push(true)).run_if(http_in_flight),
        ),
    );
    game.frame();
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    game.frame();
    let runs = &game.app.world().resource::<Runs>().0;
    assert_eq!((runs[0], runs[1]), (false, true));
    assert_eq!(runs.last(), Some(&false));
}

#[test]
fn the_system_parameter_sends_owns_and_cancels_requests() {
    #[derive(Resource)]
    struct Owner(Entity);
    let mut game = Game::new();
    let _rules = [
        game.server.any("/**").reply(MockResponse::ok().text("hi")),
        game.server.get("/never").reply(MockResponse::ok().never()),
    ];
    let owner = game.spawn(());
    game.app.insert_resource(Owner(owner)).add_systems(
        bevy_app::Startup,
        |mut http: Http, owner: Res<Owner>| {
            http.get(url("/get"));
            http.send(HttpRequest::delete(url("/delete")));
            http.send_for(owner.0, HttpRequest::get(url("/owned")));
            let never = http.get(url("/cancelled")).id();
            http.cancel(never);
        },
    );
    game.until_finished(3);
    game.frames(3);
    let mut asked: Vec<_> = game
        .server
        .requests()
        .iter()
        .map(|it| format!("{} {}", it.method, it.path()))
        .collect();
    asked.sort();
    assert_eq!(asked, ["DELETE /delete", "GET /get", "GET /owned"]);
}

#[test]
fn the_owner_of_a_request_may_be_spawned_by_a_command_of_any_parameter() {
    fn send(mut http: Http, mut commands: Commands) {
        let owner = commands.spawn(Name::new("screen")).id();
        http.send_for(owner, HttpRequest::get(url("/")));
    }
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.app.add_systems(bevy_app::Startup, send);
    #[derive(Resource, Default)]
    struct Owners(Vec<Entity>);
    game.app.init_resource::<Owners>().add_observer(
        |on: On<HttpResponse>, names: Query<&Name>, mut owners: ResMut<Owners>| {
            if names
                .get(on.entity)
                .is_ok_and(|name| name.as_str() == "screen")
            {
                owners.0.push(on.entity);
            }
        },
    );
    game.until_finished(1);
    game.frame();
    assert_eq!(game.app.world().resource::<Owners>().0.len(), 1);
    let entities = game.entities();
    game.frames(2);
    assert_eq!(game.entities(), entities);
}

#[test]
fn a_request_whose_owner_is_gone_is_not_sent() {
    #[derive(Resource)]
    struct Screen(Entity);
    fn after_the_despawn(screen: Res<Screen>, mut commands: Commands, mut http: Http) {
        commands.entity(screen.0).despawn();
        let request = HttpRequest::get(url("/"));
        http.send_for(screen.0, request)
            .insert(HttpRetry::times(1))
            .on_json(|_: On<HttpJson<u32>>| {});
    }
    fn before_the_despawn(mut http: Http, mut commands: Commands) {
        let screen = commands.spawn_empty().id();
        http.send_for(screen, HttpRequest::get(url("/")));
        commands.entity(screen).despawn();
    }
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let screen = game.spawn(());
    game.app.insert_resource(Screen(screen));
    game.frame();
    let entities = game.entities() - 1;
    let world = game.app.world_mut();
    world.run_system_once(after_the_despawn).unwrap();
    world.run_system_once(before_the_despawn).unwrap();
    game.frames(5);
    assert!(game.server.requests().is_empty());
    assert_eq!(game.entities(), entities);
    assert!(game.agent().is_idle());
}
