//! The end of the app.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use bevy_app::{App, AppExit, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, SAFETY_NET, Seen, patient, serve, url, watch, with_length};

#[test]
fn app_exit_cancels_what_is_under_way() {
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

/// An app with this rule for its end, whose server answers after it was asked.
fn leaving(on_exit: HttpOnExit) -> (App, std::net::SocketAddr) {
    let server = serve(|head| with_length(200, head.split(' ').nth(1).unwrap()));
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        on_exit,
        ..patient()
    });
    watch(&mut app);
    (app, server)
}

#[test]
fn draining_waits_for_answers_asked_for_in_the_last_frame_and_for_what_they_ask() {
    let (mut app, server) = leaving(HttpOnExit::Drain(SAFETY_NET));
    let (heard, hears) = mpsc::channel();
    app.add_systems(
        Update,
        move |mut commands: Commands, mut exit: MessageWriter<AppExit>| {
            let heard = heard.clone();
            commands
                .spawn(HttpRequest::post(format!("http://{server}/save")))
                .observe(move |on: On<HttpResponse>, mut commands: Commands| {
                    heard.send(on.text()).unwrap();
                    commands.spawn(HttpRequest::get(format!("http://{server}/bye")));
                });
            exit.write(AppExit::Success);
        },
    );
    app.update();
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), ["/save"]);
    let last = app.world().resource::<Seen>().responses.last().cloned();
    assert_eq!(last.unwrap().2, "/bye");
}

#[test]
fn draining_ends_at_its_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut app, _) = leaving(HttpOnExit::Drain(Duration::from_millis(20)));
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{address}/")));
    app.world_mut().write_message(AppExit::Success);
    let start = Instant::now();
    app.update();
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(app.world().resource::<HttpAgent>().is_idle());
    assert!(app.world().resource::<Seen>().responses.is_empty());
}

#[test]
fn draining_waits_for_no_stream_and_no_next_round() {
    let (mut app, server) = leaving(HttpOnExit::Drain(SAFETY_NET));
    app.world_mut().spawn((
        HttpRequest::get(format!("http://{server}/")),
        HttpRepeat::every(Duration::ZERO),
    ));
    app.world_mut().spawn((
        HttpRequest::get(format!("http://{server}/")),
        HttpStream::ServerSentEvents,
    ));
    app.world_mut().write_message(AppExit::Success);
    let start = Instant::now();
    app.update();
    app.update();
    assert!(start.elapsed() < SAFETY_NET);
    assert!(app.world().resource::<HttpAgent>().is_idle());
}
