//! How many frames a request takes, what a frame may cost, and that the order of systems does not matter.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use bevy_app::{App, First, Last, PreUpdate, Update};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{ScheduleBuildSettings, SingleThreadedExecutor};
use bevy_httpoll::httpoll::HttpClient;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Game, TIME_LIMIT, log_events, read_head, unhurried, url};

#[cfg(feature = "tls")]
const CERTIFICATE: &[u8] = include_bytes!("../certificate/certificate.pem");
#[cfg(feature = "tls")]
const KEY: &[u8] = include_bytes!("../certificate/key.pem");

#[derive(Resource, Default)]
struct Frame {
    number: usize,
    asked: Option<usize>,
    observed: Option<usize>,
}

/// Counts the frames from a request in `Update` to its observer.
fn count_frames(app: &mut App) {
    app.init_resource::<Frame>()
        .add_systems(First, |mut frame: ResMut<Frame>| frame.number += 1)
        .add_observer(|on: On<HttpResponse>, mut frame: ResMut<Frame>| {
            assert_eq!(on.status(), 200);
            frame.observed = Some(frame.number);
        });
}

fn ask(app: &mut App, url: String) {
    app.add_systems(
        Update,
        move |mut commands: Commands, mut frame: ResMut<Frame>| {
            if frame.asked.is_none() {
                frame.asked = Some(frame.number);
                commands.spawn(HttpRequest::get(url.as_str()));
            }
        },
    );
}

fn frames(app: &App) -> Option<usize> {
    let frame = app.world().resource::<Frame>();
    Some(frame.observed? - frame.asked?)
}

#[test]
fn a_get_on_a_kept_connection_is_delivered_in_the_next_frame() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answered, answers) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while read_head(&mut stream).is_some() {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                .unwrap();
            answered.send(()).unwrap();
        }
    });
    let mut app = App::new();
    app.add_plugins(unhurried());
    log_events(&mut app);
    // A first request opens the connection, which stays open.
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{address}/")));
    crate::support::until(&mut app, |world| {
        !world.resource::<EventLog>().responses.is_empty()
    });
    answers.recv_timeout(TIME_LIMIT).unwrap();
    count_frames(&mut app);
    ask(&mut app, format!("http://{address}/"));
    app.update();
    // The server has responded before the next frame, however slow this machine is.
    answers.recv_timeout(TIME_LIMIT).unwrap();
    app.update();
    assert_eq!(frames(&app), Some(1));
}

#[test]
fn a_queue_of_small_requests_to_a_server_nearby_takes_a_few_frames_with_default_settings() {
    for count in [64, 1000] {
        // The default budget, but for its length, which a slow machine would exhaust at any point.
        let mut game = Game::new();
        game.server
            .any("/**")
            .reply(MockResponse::ok().bytes(vec![1; 1024]));
        for _ in 0..count {
            game.spawn(HttpRequest::get("http://game.example/"));
        }
        let frames = game.until(|world| world.resource::<EventLog>().responses.len() == count);
        assert!(frames <= 3, "{count} in {frames} frames");
        assert_eq!(game.server.connections().opened, 6);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_get_over_a_new_tls_connection_is_delivered_within_three_frames() {
    use bevy_httpoll::httpoll::tls::TlsOptions;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection};
    use std::io::Read;
    use std::sync::Arc;

    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let private = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    let config = Arc::new(config);
    let network = bevy_httpoll::httpoll::memory::MemoryNetwork::new();
    network.serve("127.0.0.1:443".parse().unwrap(), move || {
        let mut tls = ServerConnection::new(config.clone()).unwrap();
        move |peer: &mut bevy_httpoll::httpoll::memory::Peer| {
            let received = peer.take_received();
            let mut received = received.as_slice();
            while !received.is_empty() {
                tls.read_tls(&mut received).unwrap();
                tls.process_new_packets().unwrap();
            }
            let mut asked = [0; 4096];
            if tls.reader().read(&mut asked).is_ok_and(|count| count > 0) {
                tls.writer()
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                    .unwrap();
            }
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out).unwrap();
            }
            if !out.is_empty() {
                peer.send(&out);
            }
        }
    });
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        tls: Some(
            TlsOptions::builder()
                .trusted_chain_pem(CERTIFICATE)
                .build()
                .unwrap(),
        ),
        ..unhurried()
    });
    count_frames(&mut app);
    ask(&mut app, "https://127.0.0.1/".to_owned());
    for _ in 0..10 {
        app.update();
        network.advance(Duration::from_micros(16_667));
    }
    let frames = frames(&app).unwrap();
    assert!(frames <= 3, "{frames}");
}

/// The same on real sockets. The server responds between the frames, so that only frames count.
#[cfg(all(feature = "tls", feature = "server"))]
#[test]
fn a_get_over_a_new_tls_connection_on_loopback_is_delivered_within_three_frames() {
    use bevy_httpoll::httpoll::server::{Request, Response, Server, ServerTlsOptions};
    use bevy_httpoll::httpoll::tls::TlsOptions;

    let options = ServerTlsOptions::builder()
        .certificate_pem(CERTIFICATE, KEY)
        .build()
        .unwrap();
    let mut server = Server::builder().tls(options).bind("127.0.0.1:0").unwrap();
    server
        .route("GET", "/", |asked: &mut Request| {
            assert!(asked.is_secure());
            Response::text("hi")
        })
        .unwrap();
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        tls: Some(
            TlsOptions::builder()
                .trusted_chain_pem(CERTIFICATE)
                .build()
                .unwrap(),
        ),
        ..unhurried()
    });
    count_frames(&mut app);
    ask(&mut app, format!("https://{}/", server.local_addr()));
    for _ in 0..10 {
        app.update();
        // Until nothing more arrives.
        while server
            .wait(Some(Duration::from_millis(20)))
            .unwrap()
            .changed
        {}
    }
    let frames = frames(&app).unwrap();
    assert!(frames <= 3, "{frames}");
}

#[test]
fn with_a_budget_of_zero_each_pump_still_sends_one_request() {
    let mut game = Game::with(HttpollPlugin {
        budget: Budget::frame(Duration::ZERO),
        ..unhurried()
    });
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    for number in 0..20 {
        game.spawn(HttpRequest::get(url(&format!("/{number}"))));
    }
    game.app.update();
    let begun = game.log().phases.len();
    assert!(begun <= 2, "{begun}");
    game.until_finished(20);
    assert_eq!(game.log().responses.len(), 20);
}

#[test]
fn the_second_pump_does_nothing_without_budget() {
    for (time, connections) in [(Duration::ZERO, 0), (Duration::from_secs(60), 1)] {
        let mut game = Game::with(HttpollPlugin {
            budget: Budget::frame(time),
            ..unhurried()
        });
        let _rule = game.server.get("/").reply(MockResponse::ok());
        count_frames(&mut game.app);
        ask(&mut game.app, url("/"));
        game.frame();
        assert_eq!(game.network.open_connections(), connections, "{time:?}");
        game.until_finished(1);
        assert_eq!(game.log().responses.len(), 1);
    }
}

#[test]
fn a_flood_of_requests_keeps_to_the_budget_of_each_frame() {
    let mut game = Game::with(HttpollPlugin {
        budget: Budget::default().with_bytes(10_000),
        ..unhurried()
    });
    let _rule = game
        .server
        .get("/**")
        .reply(MockResponse::ok().bytes(vec![7; 5_000]));
    for number in 0..200 {
        game.spawn(HttpRequest::get(url(&format!("/{number}"))));
    }
    let mut before = 0;
    while game.log().responses.len() < 200 {
        game.frame();
        let received = game.agent().transferred().1;
        // This counts bytes, because time would depend on the machine. The same meter limits time.
        assert!(received - before <= 10_000, "{}", received - before);
        before = received;
    }
}

#[test]
fn a_frame_of_a_minute_is_not_a_timeout() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().delay(Duration::from_secs(20)));
    game.spawn(HttpRequest::get(url("/")));
    game.frames(3);
    game.network.advance(Duration::from_secs(60));
    game.until_finished(1);
    assert_eq!(game.log().responses.len(), 1, "{:?}", game.log().errors);
}

#[test]
fn the_pace_sets_the_budget_of_the_next_frame() {
    let mut game = Game::with(HttpollPlugin::default());
    game.frame();
    let granted = |game: &Game| game.agent().spent().1;
    assert_eq!(granted(&game), Some(Duration::from_millis(1)));
    let mut budget = game.app.world_mut().resource_mut::<HttpBudget>();
    budget.pace = HttpPace::loading();
    game.frame();
    assert_eq!(granted(&game), Some(Duration::from_millis(14)));
    let mut budget = game.app.world_mut().resource_mut::<HttpBudget>();
    budget.pace = HttpPace::adaptive(60);
    game.frames(2);
    let granted = granted(&game).unwrap();
    let allowed = Duration::from_micros(200)..Duration::from_micros(8334);
    assert!(allowed.contains(&granted), "{granted:?}");
}

#[test]
fn the_plugin_works_in_any_order_of_systems_and_on_one_thread() {
    for seed in 0..12 {
        let mut game = Game::new();
        let _rules = [
            game.server.get("/**").reply(MockResponse::ok().text("hi")),
            game.server.get("/never").reply(MockResponse::ok().never()),
        ];
        for label in [
            bevy_ecs::schedule::ScheduleLabel::intern(&First),
            bevy_ecs::schedule::ScheduleLabel::intern(&PreUpdate),
            bevy_ecs::schedule::ScheduleLabel::intern(&Last),
        ] {
            game.app.edit_schedule(label, |schedule| {
                schedule.set_executor(SingleThreadedExecutor::new());
                schedule.set_build_settings(ScheduleBuildSettings {
                    shuffle_seed: Some(seed),
                    ..ScheduleBuildSettings::default()
                });
            });
        }
        game.app.world_mut().spawn((
            HttpRequest::get(url("/looped")),
            HttpRepeat::every(Duration::from_secs(1)),
        ));
        for number in 0..5 {
            game.spawn(HttpRequest::get(url(&format!("/{number}"))));
        }
        game.spawn(HttpRequest::get("no url"));
        game.until_finished(7);
        assert_eq!(game.log().responses.len(), 6, "seed {seed}");
        for pair in game.log().phases.windows(2) {
            if pair[0].0 == pair[1].0 {
                assert_eq!(pair[0].2, pair[1].1, "seed {seed}: in order");
            }
        }
    }
}

#[cfg(feature = "diagnostics")]
#[test]
fn diagnostics_are_measured_each_frame() {
    use bevy_diagnostic::{Diagnostic, DiagnosticPath, DiagnosticsStore};
    use bevy_httpoll::diagnostics::{BUDGET_SPENT, BYTES_IN, IN_FLIGHT, POLL_MS};
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![7; 1000]));
    game.spawn(HttpRequest::get(url("/")));
    let mut most = 0.0_f64;
    let mut received = 0.0;
    while game.log().responses.is_empty() {
        game.frame();
        let store = game.app.world().resource::<DiagnosticsStore>();
        let value = |path: DiagnosticPath| store.get(&path).and_then(Diagnostic::value);
        most = most.max(value(IN_FLIGHT).unwrap());
        received += value(BYTES_IN).unwrap();
        assert!(value(POLL_MS).is_some() && value(BUDGET_SPENT).is_some());
    }
    assert!((most - 1.0).abs() < f64::EPSILON, "{most}");
    assert!((received - 1000.0).abs() < f64::EPSILON, "{received}");
}

#[cfg(feature = "diagnostics")]
#[test]
fn diagnostics_show_the_phases_of_requests() {
    use bevy_diagnostic::{Diagnostic, DiagnosticPath, DiagnosticsStore};
    use bevy_httpoll::diagnostics::{AWAIT_HEAD_MS, QUEUE_MS, RECEIVE_BODY_MS, requests_in};
    let mut game = Game::new();
    let _rules = [
        game.server
            .get("/slow")
            .reply(MockResponse::ok().delay(Duration::from_millis(300))),
        game.server.get("/never").reply(MockResponse::ok().never()),
    ];
    for path in ["/never", "/never", "/slow"] {
        game.spawn(HttpRequest::get(url(path)));
    }
    let value = |game: &Game, path: &DiagnosticPath| {
        let store = game.app.world().resource::<DiagnosticsStore>();
        store.get(path).and_then(Diagnostic::value)
    };
    let waiting = requests_in(HttpPhase::AwaitHead).unwrap();
    assert_eq!(waiting.as_str(), "httpoll/requests/await_head");
    assert_eq!(requests_in(HttpPhase::Done), None);
    game.frames(5);
    assert_eq!(value(&game, &waiting), Some(3.0));
    assert_eq!(value(&game, &AWAIT_HEAD_MS), None, "none has ended");
    game.until_finished(1);
    game.frame();
    assert_eq!(value(&game, &waiting), Some(2.0));
    let waited = value(&game, &AWAIT_HEAD_MS).unwrap();
    assert!((300.0..400.0).contains(&waited), "{waited}");
    assert!(value(&game, &QUEUE_MS).is_some() && value(&game, &RECEIVE_BODY_MS).is_some());
}

/// How often each of these was changed in a frame.
#[derive(Resource, Default, Debug, PartialEq)]
struct Changed {
    agent: usize,
    node: usize,
    #[cfg(feature = "server")]
    server: usize,
}

fn count_changes(
    agent: Res<HttpAgent>,
    nodes: Query<Ref<HttpClientNode>>,
    #[cfg(feature = "server")] servers: Query<Ref<HttpServing>>,
    mut changed: ResMut<Changed>,
) {
    changed.agent += usize::from(agent.is_changed());
    changed.node += nodes.iter().filter(|it| it.is_changed()).count();
    #[cfg(feature = "server")]
    {
        changed.server += servers.iter().filter(|it| it.is_changed()).count();
    }
}

#[test]
fn in_idle_frames_nothing_is_marked_as_changed() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.spawn(HttpClientNode::default());
    let mut connected = HttpClientNode::new(HttpClient::on_memory(&game.network));
    connected.connect_to_host("game.example", -1, None).unwrap();
    let connected = game.spawn(connected);
    #[cfg(feature = "server")]
    game.spawn(HttpServer::bind("10.0.0.7:80"));
    let repeat = HttpRepeat::every(Duration::from_secs(60));
    game.spawn((HttpRequest::get(url("/")), repeat));
    game.until_finished(1);
    game.frames(3);
    game.app
        .init_resource::<Changed>()
        .add_systems(Update, count_changes);
    // A first run sees everything as changed.
    game.frame();
    *game.app.world_mut().resource_mut::<Changed>() = Changed::default();
    game.frames(10);
    assert_eq!(*game.app.world().resource::<Changed>(), Changed::default());
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(2);
    assert!(game.app.world().resource::<Changed>().agent > 0);
    assert_eq!(game.app.world().resource::<Changed>().node, 0);
    let mut node = game
        .app
        .world_mut()
        .get_mut::<HttpClientNode>(connected)
        .unwrap();
    assert_eq!(node.get_status(), Status::Connected);
    node.bypass_change_detection().close();
    game.frame();
    game.frame();
    assert_eq!(game.app.world().resource::<Changed>().node, 1);
}
