//! What the plugin logs. A separate program, because a program has only one logger.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::{MockResponse, MockServer};
use bevy_httpoll::prelude::*;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.target().starts_with("bevy_httpoll") && metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    std::mem::take(&mut LINES.lock().unwrap())
}

#[test]
fn mistakes_of_the_developer_are_logged_once() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    // Without the plugin.
    let mut app = App::new();
    for _ in 0..3 {
        let request = HttpRequest::get("http://game.example/?token=secret");
        let entity = app.world_mut().spawn(request).id();
        app.update();
        app.world_mut().despawn(entity);
    }
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(
        logged[0].contains("HttpollPlugin was not added"),
        "{logged:?}"
    );
    unobserved_errors_are_logged_once();
    a_post_with_an_idempotency_key_is_not_explained();
    a_post_that_is_not_retried_is_explained_once();

    // A slow observer.
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.get("/").reply(MockResponse::ok());
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        slow_observer: Some(Duration::ZERO),
        ..HttpollPlugin::default()
    });
    let entity = app
        .world_mut()
        .spawn((HttpRequest::get("http://game.example/"), KeepRequest))
        .observe(|_: On<HttpResponse>| {})
        .id();
    while app.world().get::<HttpPhase>(entity) != Some(&HttpPhase::Done) {
        app.update();
        network.advance(Duration::from_millis(16));
    }
    let logged = lines();
    let slow = logged.iter().find(|line| line.contains("HttpResponse"));
    assert!(slow.unwrap().contains(&entity.to_string()), "{logged:?}");

    slow_json_is_not_blamed_on_observers();

    #[cfg(feature = "server")]
    slow_handlers_are_logged();
    #[cfg(feature = "server")]
    handlers_that_fail_are_logged();
    #[cfg(feature = "server")]
    requests_that_nothing_responds_to_are_logged_once();
    a_long_wait_for_a_connection_is_logged_with_its_reason();

    // Invalid settings.
    App::new().add_plugins(HttpollPlugin {
        base_url: Some("no url".into()),
        ..HttpollPlugin::default()
    });
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("base_url"), "{logged:?}");
}

#[cfg(feature = "server")]
fn slow_handlers_are_logged() {
    use bevy_httpoll::httpoll::server::{Request, Response};
    let network = MemoryNetwork::new();
    let mut app = app_on(&network);
    let clock = network.clone();
    app.world_mut()
        .spawn(HttpServer::bind("10.0.0.7:80").with(move |server| {
            let clock = clock.clone();
            server.route("GET", "/slow", move |_: &mut Request| {
                clock.advance(Duration::from_millis(9));
                Response::text("slow")
            })?;
            server.route("GET", "/quick", |_: &mut Request| Response::text("quick"))?;
            Ok(())
        }));
    run(&mut app, &network, 3);
    for path in ["slow", "slow", "quick"] {
        app.world_mut()
            .spawn(HttpRequest::get(format!("http://10.0.0.7/{path}")));
    }
    run(&mut app, &network, 20);
    let logged = lines();
    assert_eq!(logged.len(), 1, "at most once a second: {logged:?}");
    assert!(logged[0].contains("/slow"), "{logged:?}");
}

#[cfg(feature = "server")]
fn handlers_that_fail_are_logged() {
    use bevy_httpoll::httpoll::server::Request;
    let network = MemoryNetwork::new();
    let mut app = app_on(&network);
    app.world_mut()
        .spawn(HttpServer::bind("10.0.0.7:80").with(|server| {
            server.route("GET", "/", |_: &mut Request| -> Result<(), _> {
                Err(std::io::Error::other("no scores today"))
            })?;
            Ok(())
        }));
    run(&mut app, &network, 3);
    app.world_mut().spawn(HttpRequest::get("http://10.0.0.7/"));
    run(&mut app, &network, 20);
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("no scores today"), "{logged:?}");
}

#[cfg(feature = "server")]
fn requests_that_nothing_responds_to_are_logged_once() {
    let network = MemoryNetwork::new();
    let mut app = app_on(&network);
    app.world_mut().spawn(HttpServer::bind("10.0.0.7:80"));
    run(&mut app, &network, 3);
    for path in ["favicon.ico?token=secret", "robots.txt"] {
        app.world_mut()
            .spawn(HttpRequest::get(format!("http://10.0.0.7/{path}")));
        run(&mut app, &network, 40);
    }
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(
        logged[0].contains("GET /favicon.ico got status 404"),
        "{logged:?}"
    );
    assert!(!logged[0].contains("secret"), "{logged:?}");
}

fn a_long_wait_for_a_connection_is_logged_with_its_reason() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.any("/**").reply(MockResponse::ok().never());
    let mut pool = bevy_httpoll::httpoll::agent::PoolLimits::default();
    pool.per_host = 1;
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        slow_observer: None,
        pool,
        ..HttpollPlugin::default()
    });
    for path in ["first", "second?token=secret"] {
        let request = HttpRequest::get(format!("http://game.example/{path}"));
        app.world_mut().spawn(request);
    }
    run(&mut app, &network, 400);
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    for part in ["GET http://game.example/second has waited", "per_host"] {
        assert!(logged[0].contains(part), "{logged:?}");
    }
    assert!(!logged[0].contains("secret"), "{logged:?}");
}

/// An app that does not log slow observers.
fn app_on(network: &MemoryNetwork) -> App {
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        slow_observer: None,
        ..HttpollPlugin::default()
    });
    app
}

/// An app with a server whose responses are all 503.
fn busy_server() -> (App, MemoryNetwork) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.any("/**").reply(MockResponse::with_status(503));
    let app = app_on(&network);
    (app, network)
}

fn run(app: &mut App, network: &MemoryNetwork, frames: usize) {
    for _ in 0..frames {
        app.update();
        network.advance(Duration::from_millis(16));
    }
}

fn unobserved_errors_are_logged_once() {
    let request =
        || HttpRequest::get("http://user:pass@game.example/news?token=secret").error_for_status();
    let (mut app, network) = busy_server();
    app.world_mut().spawn((
        request(),
        HttpRepeat {
            jitter: 0.0,
            ..HttpRepeat::every(Duration::from_millis(50))
        },
    ));
    run(&mut app, &network, 50);
    let logged = lines();
    assert_eq!(logged.len(), 1, "once for a series of failures: {logged:?}");
    for part in ["GET http://game.example/news failed", "on_error"] {
        assert!(logged[0].contains(part), "{logged:?}");
    }
    for secret in ["pass", "secret"] {
        assert!(!logged[0].contains(secret), "{logged:?}");
    }

    // What another entity observes is not observed here.
    let (mut app, network) = busy_server();
    app.world_mut().spawn(()).on_error(|_: On<HttpError>| ());
    app.world_mut().spawn(request());
    run(&mut app, &network, 20);
    assert_eq!(lines().len(), 1);

    // Observed in one way or another.
    let (mut app, network) = busy_server();
    let owner = app
        .world_mut()
        .spawn(())
        .on_error(|_: On<HttpError>| ())
        .id();
    app.world_mut().spawn((request(), RequestedBy(owner)));
    app.world_mut()
        .spawn(request())
        .on_error(|_: On<HttpError>| ());
    app.world_mut()
        .spawn(request())
        .on_json(|_: On<HttpJson<u32>>| ());
    run(&mut app, &network, 20);
    app.add_observer(|_: On<HttpError>| ());
    app.world_mut().spawn(request());
    run(&mut app, &network, 20);
    assert!(lines().is_empty());
}

fn a_post_that_is_not_retried_is_explained_once() {
    let (mut app, network) = busy_server();
    for _ in 0..2 {
        let request = HttpRequest::post("http://game.example/scores?token=secret");
        app.world_mut().spawn((request, HttpRetry::times(3)));
    }
    app.world_mut().spawn((
        HttpRequest::get("http://game.example/news"),
        HttpRetry::times(1),
    ));
    run(&mut app, &network, 200);
    let logged = lines();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(
        logged[0].contains("POST http://game.example/scores"),
        "{logged:?}"
    );
    assert!(logged[0].contains("idempotency_key"), "{logged:?}");
}

/// It is not retried because the server asks for more patience than the policy has.
fn a_post_with_an_idempotency_key_is_not_explained() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let refusal = MockResponse::with_status(503).header("Retry-After", "86400");
    let _rule = server.any("/**").reply(refusal);
    let mut app = app_on(&network);
    let request = HttpRequest::post("http://game.example/scores").header("idempotency-key", "7");
    app.world_mut().spawn((request, HttpRetry::times(3)));
    run(&mut app, &network, 50);
    assert_eq!(server.requests().len(), 1);
    assert!(lines().is_empty());
}

/// The log names the parsing of JSON on the frame, and not only the observers of the response.
fn slow_json_is_not_blamed_on_observers() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.get("/").reply(MockResponse::ok().text("7"));
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        slow_observer: Some(Duration::ZERO),
        json_off_frame: usize::MAX,
        ..HttpollPlugin::default()
    });
    app.world_mut()
        .spawn(HttpRequest::get("http://game.example/"))
        .on_json(|_: On<HttpJson<u32>>| ());
    run(&mut app, &network, 20);
    let logged = lines();
    assert!(
        logged.iter().any(|line| line.contains("json_off_frame")),
        "{logged:?}"
    );
}
