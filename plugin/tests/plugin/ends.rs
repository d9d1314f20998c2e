//! The end of the app: requests are cancelled or waited for.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use bevy_app::{App, AppExit, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Game, TIME_LIMIT, log_events, serve, unhurried, url, with_length};

#[test]
fn app_exit_cancels_requests_in_flight() {
    let mut game = Game::new();
    let _rule = game.server.get("/never").reply(MockResponse::ok().never());
    let entity = game.spawn((HttpRequest::get(url("/never")), KeepRequest));
    game.frames(3);
    assert_eq!(game.connections(), 1);
    game.app.world_mut().write_message(AppExit::Success);
    game.app.update();
    assert_eq!(game.connections(), 0);
    assert!(game.agent().is_idle());
    assert!(game.exists(entity));
}

/// An app that ends in this way, and a server that echoes the request target.
fn exiting_app(on_exit: HttpOnExit) -> (App, std::net::SocketAddr) {
    let server = serve(|head| with_length(200, head.split(' ').nth(1).unwrap()));
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        on_exit,
        ..unhurried()
    });
    log_events(&mut app);
    (app, server)
}

#[test]
fn draining_waits_for_requests_of_the_last_frame_and_of_their_observers() {
    let (mut app, server) = exiting_app(HttpOnExit::Drain(TIME_LIMIT));
    let (sender, receiver) = mpsc::channel();
    app.add_systems(
        Update,
        move |mut commands: Commands, mut exit: MessageWriter<AppExit>| {
            let sender = sender.clone();
            commands
                .spawn(HttpRequest::post(format!("http://{server}/save")))
                .observe(move |on: On<HttpResponse>, mut commands: Commands| {
                    sender.send(on.text()).unwrap();
                    commands.spawn(HttpRequest::get(format!("http://{server}/bye")));
                });
            exit.write(AppExit::Success);
        },
    );
    app.update();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["/save"]);
    let last = app.world().resource::<EventLog>().responses.last().cloned();
    assert_eq!(last.unwrap().2, "/bye");
}

#[test]
fn draining_waits_for_json_that_another_thread_parses() {
    let numbers = format!("[{}1]", "1,".repeat(100_000));
    let server = serve(move |_| with_length(200, &numbers));
    let (mut app, _) = exiting_app(HttpOnExit::Drain(TIME_LIMIT));
    let (sender, receiver) = mpsc::channel();
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/")))
        .on_json(move |on: On<HttpJson<Vec<u32>>>| {
            let count = on.result.as_ref().map(Vec::len);
            sender.send(count.map_err(ToString::to_string)).unwrap();
        });
    app.world_mut().write_message(AppExit::Success);
    app.update();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [Ok(100_001)]);
}

#[test]
fn an_app_that_runs_on_after_app_exit_begins_new_loops() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.app.world_mut().write_message(AppExit::Success);
    game.frames(5);
    let repeat = HttpRepeat::every(Duration::from_millis(100));
    game.spawn((HttpRequest::get(url("/")), repeat));
    game.until_finished(3);
    assert_eq!(game.log().responses.len(), 3);
}

#[test]
fn draining_ends_at_its_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut app, _) = exiting_app(HttpOnExit::Drain(Duration::from_millis(20)));
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{address}/")));
    app.world_mut().write_message(AppExit::Success);
    let start = Instant::now();
    app.update();
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(app.world().resource::<HttpAgent>().is_idle());
    assert!(app.world().resource::<EventLog>().responses.is_empty());
}

#[test]
fn draining_does_not_wait_for_streams_or_the_next_round() {
    let (mut app, server) = exiting_app(HttpOnExit::Drain(TIME_LIMIT));
    let events = serve(|_| {
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n".to_owned()
    });
    app.world_mut().spawn((
        HttpRequest::get(format!("http://{server}/")),
        HttpRepeat::every(Duration::ZERO),
    ));
    app.world_mut().spawn((
        HttpRequest::get(format!("http://{events}/")),
        HttpStream::ServerSentEvents,
    ));
    #[derive(Resource, Default)]
    struct Events(usize);
    app.init_resource::<Events>()
        .add_observer(|_: On<HttpServerSentEvent>, mut events: ResMut<Events>| events.0 += 1);
    crate::support::until(&mut app, |world| world.resource::<Events>().0 > 0);
    app.world_mut().write_message(AppExit::Success);
    let start = Instant::now();
    app.update();
    app.update();
    assert!(start.elapsed() < TIME_LIMIT);
    assert!(app.world().resource::<HttpAgent>().is_idle());
}
