//! Requests on their own thread: components and events are the same.

#![allow(clippy::unwrap_used)]

use bevy_app::{App, AppExit};
use bevy_httpoll::httpoll::{ErrorKind, error::Misuse};
use bevy_httpoll::prelude::*;

use crate::support::{
    EventLog, Folder, TIME_LIMIT, echo, log_events, serve, unhurried, until, with_length,
};

fn game(on_exit: HttpOnExit) -> App {
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        on_thread: true,
        on_exit,
        ..unhurried()
    });
    log_events(&mut app);
    app
}

#[test]
fn a_thread_delivers_responses_errors_and_files() {
    let folder = Folder::new("thread");
    let server = echo();
    let mut app = game(HttpOnExit::Abort);
    let path = folder.path("pack");
    let world = app.world_mut();
    for number in 0..20 {
        world.spawn(HttpRequest::get(format!("http://{server}/{number}")));
    }
    let wrong = world.spawn(HttpRequest::get("no url")).id();
    let pack = world
        .spawn((
            HttpRequest::get(format!("http://{server}/pack")),
            HttpDownload::to(&path),
        ))
        .id();
    until(&mut app, |world| {
        let seen = world.resource::<EventLog>();
        seen.responses.len() + seen.errors.len() == 22
    });
    let seen = app.world().resource::<EventLog>();
    assert!(matches!(
        seen.errors[..],
        [(request, ErrorKind::Misuse(Misuse::InvalidUrl))] if request == wrong
    ));
    for number in 0..20 {
        let target = format!("/{number}");
        assert_eq!(seen.responses.iter().filter(|it| it.2 == target).count(), 1);
    }
    assert!(seen.responses.iter().any(|it| it.0 == pack && it.1 == 200));
    assert_eq!(std::fs::read(&path).unwrap(), b"/pack");
    assert!(app.world().resource::<HttpAgent>().is_idle());
}

#[test]
fn a_despawned_request_gets_no_further_event() {
    let server = serve(|head| {
        // Never responds: keeps the connection open until the request is gone.
        if head.starts_with("GET /never") {
            std::thread::park();
        }
        with_length(200, "hi")
    });
    let mut app = game(HttpOnExit::Abort);
    let never = app
        .world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/never")))
        .id();
    until(&mut app, |world| {
        world
            .resource::<EventLog>()
            .phases
            .iter()
            .any(|(_, _, to)| *to == HttpPhase::SendHead)
    });
    app.world_mut().despawn(never);
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/")));
    until(&mut app, |world| {
        !world.resource::<EventLog>().responses.is_empty()
    });
    let seen = app.world().resource::<EventLog>();
    assert_eq!(seen.responses.len(), 1);
    assert!(seen.errors.is_empty());
    assert!(app.world().resource::<HttpAgent>().is_idle());
}

#[test]
fn the_last_frame_waits_for_the_thread() {
    let server = echo();
    let mut app = game(HttpOnExit::Drain(TIME_LIMIT));
    let world = app.world_mut();
    world.spawn(HttpRequest::post(format!("http://{server}/save")));
    world.write_message(AppExit::Success);
    app.update();
    let seen = app.world().resource::<EventLog>();
    assert_eq!(seen.responses.len(), 1);
    assert_eq!(seen.responses[0].2, "/save");
}

#[test]
fn requests_move_to_a_thread_and_back_while_they_are_under_way() {
    let server = echo();
    let mut app = game(HttpOnExit::Abort);
    assert!(app.world().resource::<HttpAgent>().is_on_thread());
    for number in 0..60 {
        let world = app.world_mut();
        world.spawn(HttpRequest::get(format!("http://{server}/{number}")));
        let mut http = world.resource_mut::<HttpAgent>();
        let is_on_thread = http.is_on_thread();
        assert!(http.set_on_thread(!is_on_thread));
        assert_eq!(http.is_on_thread(), !is_on_thread);
        app.update();
    }
    until(&mut app, |world| {
        world.resource::<EventLog>().responses.len() == 60
    });
    assert!(app.world().resource::<EventLog>().errors.is_empty());
}
