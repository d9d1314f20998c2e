//! The plugin in a bare app, against servers on loopback.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bevy_app::{App, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::{ErrorKind, Limit, Misuse, NetworkFault};
use bevy_httpoll::prelude::*;

/// Far more than any test needs; a test that hangs ends with a message.
const SAFETY_NET: Duration = Duration::from_secs(60);

/// What the observers saw.
#[derive(Resource, Default, Debug)]
struct Seen {
    responses: Vec<(Entity, u16, Vec<u8>)>,
    errors: Vec<(Entity, ErrorKind)>,
    statuses: Vec<(Entity, Status, Status)>,
}

fn app() -> App {
    let mut app = App::new();
    app.add_plugins(HttpPlugin::default());
    watch(&mut app);
    app
}

fn watch(app: &mut App) {
    app.init_resource::<Seen>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<Seen>| {
            seen.responses
                .push((on.entity, on.status(), on.body.to_vec()));
        })
        .add_observer(|on: On<HttpError>, mut seen: ResMut<Seen>| {
            seen.errors.push((on.entity, on.error.kind().clone()));
        })
        .add_observer(|on: On<HttpStatusChanged>, mut seen: ResMut<Seen>| {
            seen.statuses.push((on.entity, on.from, on.to));
        });
}

/// Runs frames until `done`.
fn until(app: &mut App, done: impl Fn(&World) -> bool) {
    let start = Instant::now();
    while !done(app.world()) {
        app.update();
        std::thread::yield_now();
        assert!(
            start.elapsed() < SAFETY_NET,
            "{:?}",
            app.world().resource::<Seen>()
        );
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Answers each request on each connection with what `answer` makes of its head.
fn serve(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = answer.clone();
            std::thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    if stream.write_all(answer(&head).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn with_length(code: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {code} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Answers with the target that was asked for.
fn echo() -> SocketAddr {
    serve(|head| with_length(200, head.split(' ').nth(1).unwrap()))
}

#[test]
fn a_request_is_answered_and_its_entity_despawned() {
    let server = echo();
    let mut app = app();
    let request = HttpRequest::get(format!("http://{server}/scores?top=3#part"));
    let entity = app.world_mut().spawn(request).id();
    until(&mut app, |world| {
        !world.resource::<Seen>().responses.is_empty()
    });
    let seen = app.world().resource::<Seen>();
    assert_eq!(seen.responses, [(entity, 200, b"/scores?top=3".to_vec())]);
    assert!(seen.errors.is_empty());
    assert!(app.world().get_entity(entity).is_err(), "despawned");
    for _ in 0..3 {
        app.update();
    }
    assert_eq!(
        app.world().resource::<Seen>().responses.len(),
        1,
        "exactly one event"
    );
}

#[test]
fn each_transition_of_a_request_is_an_event_in_order() {
    let server = echo();
    let mut app = app();
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/")));
    until(&mut app, |world| {
        !world.resource::<Seen>().responses.is_empty()
    });
    use Status::{Body, Connected, Connecting, Disconnected, Requesting};
    let statuses: Vec<_> = app
        .world()
        .resource::<Seen>()
        .statuses
        .iter()
        .map(|(_, from, to)| (*from, *to))
        .collect();
    assert_eq!(
        statuses,
        [
            (Disconnected, Connecting),
            (Connecting, Connected),
            (Connected, Requesting),
            (Requesting, Body),
            (Body, Connected),
        ]
    );
}

#[test]
fn an_observer_on_the_request_hears_of_it_alone() {
    let server = echo();
    let mut app = app();
    let (heard, hears) = mpsc::channel();
    for name in ["a", "b"] {
        let heard = heard.clone();
        app.world_mut()
            .spawn(HttpRequest::get(format!("http://{server}/{name}")))
            .observe(move |on: On<HttpResponse>| {
                heard.send((name, on.body.to_vec())).unwrap();
            });
    }
    until(&mut app, |world| {
        world.resource::<Seen>().responses.len() == 2
    });
    let mut both: Vec<_> = hears.try_iter().collect();
    both.sort();
    assert_eq!(both, [("a", b"/a".to_vec()), ("b", b"/b".to_vec())]);
}

#[test]
fn a_status_of_404_is_a_response() {
    let server = serve(|_| with_length(404, "gone"));
    let mut app = app();
    let entity = app
        .world_mut()
        .spawn((HttpRequest::get(format!("http://{server}/")), KeepRequest))
        .id();
    until(&mut app, |world| {
        !world.resource::<Seen>().responses.is_empty()
    });
    assert_eq!(app.world().resource::<Seen>().responses[0].1, 404);
    assert!(app.world().get::<HttpRequest>(entity).is_some(), "kept");
}

#[test]
fn headers_and_credentials_go_out() {
    let server = serve(|head| with_length(200, head));
    let mut app = app();
    let url = format!("http://user:pass@{server}/");
    app.world_mut()
        .spawn(HttpRequest::get(url).header("X-Game", "yes"));
    until(&mut app, |world| {
        !world.resource::<Seen>().responses.is_empty()
    });
    let head = String::from_utf8(app.world().resource::<Seen>().responses[0].2.clone()).unwrap();
    assert!(head.contains("\r\nX-Game: yes\r\n"), "{head}");
    assert!(
        head.contains("\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"),
        "{head}"
    );
}

#[test]
fn errors_known_at_the_spawn_reach_the_observer_attached_after_it() {
    for (request, kind) in [
        (
            HttpRequest::get("no url"),
            ErrorKind::Misuse(Misuse::InvalidTarget),
        ),
        (
            HttpRequest::get("ftp://127.0.0.1/"),
            ErrorKind::Misuse(Misuse::InvalidTarget),
        ),
    ] {
        let mut app = app();
        let (heard, hears) = mpsc::channel();
        app.world_mut()
            .spawn(request)
            .observe(move |on: On<HttpError>| {
                heard.send(on.error.kind().clone()).unwrap();
            });
        app.update();
        assert_eq!(hears.try_iter().collect::<Vec<_>>(), [kind]);
    }
}

#[test]
fn a_refused_connection_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut app = app();
    let entity = app
        .world_mut()
        .spawn(HttpRequest::get(format!("http://{address}/")))
        .id();
    until(&mut app, |world| {
        !world.resource::<Seen>().errors.is_empty()
    });
    let kind = ErrorKind::Network(NetworkFault::ConnectFailed);
    assert_eq!(app.world().resource::<Seen>().errors, [(entity, kind)]);
    assert!(app.world().get_entity(entity).is_err(), "despawned");
}

#[test]
fn a_header_that_would_inject_is_an_error() {
    let server = echo();
    let mut app = app();
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/")).header("X", "a\r\nY: b"));
    until(&mut app, |world| {
        !world.resource::<Seen>().errors.is_empty()
    });
    let kind = ErrorKind::Misuse(Misuse::InvalidHeader);
    assert_eq!(app.world().resource::<Seen>().errors[0].1, kind);
}

#[test]
fn content_over_the_limit_is_an_error() {
    let server = serve(|_| with_length(200, &"x".repeat(1000)));
    let mut app = App::new();
    app.add_plugins(HttpPlugin {
        max_body_bytes: 999,
        ..HttpPlugin::default()
    });
    watch(&mut app);
    app.world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/")));
    until(&mut app, |world| {
        !world.resource::<Seen>().errors.is_empty()
    });
    let kind = ErrorKind::Limit(Limit::BodyBytes(999));
    assert_eq!(app.world().resource::<Seen>().errors[0].1, kind);
}

#[test]
fn twenty_requests_in_one_frame_are_all_answered_and_leave_nothing() {
    let server = echo();
    let mut app = app();
    app.update();
    let entities = app.world().entities().count_spawned();
    for number in 0..20 {
        app.world_mut()
            .spawn(HttpRequest::get(format!("http://{server}/{number}")));
    }
    until(&mut app, |world| {
        world.resource::<Seen>().responses.len() == 20
    });
    app.update();
    assert_eq!(app.world().entities().count_spawned(), entities);
}

#[test]
fn without_time_one_connection_a_frame_is_begun_and_all_are_answered() {
    let server = echo();
    let mut app = App::new();
    app.add_plugins(HttpPlugin {
        budget: Budget::frame(Duration::ZERO),
        ..HttpPlugin::default()
    });
    watch(&mut app);
    for number in 0..5 {
        app.world_mut()
            .spawn(HttpRequest::get(format!("http://{server}/{number}")));
    }
    assert!(app.world().resource::<Seen>().statuses.is_empty());
    for frame in 1..=5 {
        app.update();
        let statuses = &app.world().resource::<Seen>().statuses;
        let begun = statuses
            .iter()
            .filter(|(_, from, _)| *from == Status::Disconnected);
        assert_eq!(begun.count(), frame);
    }
    until(&mut app, |world| {
        world.resource::<Seen>().responses.len() == 5
    });
}

#[test]
fn despawning_replacing_and_removing_cancel_and_the_server_sees_the_close() {
    let cancels: [fn(&mut World, Entity); 2] = [
        |world, entity| assert!(world.despawn(entity)),
        |world, entity| {
            world.entity_mut(entity).remove::<HttpRequest>();
        },
    ];
    for cancel in cancels {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, asks) = mpsc::channel();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_head(&mut stream).unwrap();
            asked.send(()).unwrap();
            stream.read(&mut [0; 16]).unwrap_or(0)
        });
        let mut app = app();
        let entity = app
            .world_mut()
            .spawn(HttpRequest::get(format!("http://{address}/")))
            .id();
        let start = Instant::now();
        while asks.try_recv().is_err() {
            app.update();
            assert!(start.elapsed() < SAFETY_NET);
        }
        cancel(app.world_mut(), entity);
        assert_eq!(server.join().unwrap(), 0, "closed without another frame");
        app.update();
        let seen = app.world().resource::<Seen>();
        assert!(
            seen.responses.is_empty() && seen.errors.is_empty(),
            "{seen:?}"
        );
    }
}

#[test]
fn replacing_a_request_starts_it_anew() {
    let server = echo();
    let mut app = app();
    let entity = app
        .world_mut()
        .spawn(HttpRequest::get(format!("http://{server}/old")))
        .id();
    app.world_mut()
        .entity_mut(entity)
        .insert(HttpRequest::get(format!("http://{server}/new")));
    until(&mut app, |world| {
        !world.resource::<Seen>().responses.is_empty()
    });
    assert_eq!(
        app.world().resource::<Seen>().responses,
        [(entity, 200, b"/new".to_vec())]
    );
}

#[test]
fn without_the_plugin_nothing_happens_and_nothing_panics() {
    let mut app = App::new();
    let entity = app
        .world_mut()
        .spawn(HttpRequest::get("http://127.0.0.1:9/"))
        .id();
    app.update();
    app.world_mut().despawn(entity);
}

#[test]
fn a_node_is_driven_by_its_events() {
    let server = serve(|head| {
        let target = head.split(' ').nth(1).unwrap();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{target}\r\n0\r\n\r\n",
            target.len()
        )
    });
    #[derive(Resource, Default)]
    struct Content(Vec<u8>);
    let mut app = app();
    app.init_resource::<Content>().add_systems(
        Update,
        |mut nodes: Query<&mut HttpClientNode>, mut content: ResMut<Content>| {
            for mut node in &mut nodes {
                while node.get_status() == Status::Body {
                    let Ok(chunk) = node.read_response_body_chunk() else {
                        return;
                    };
                    if chunk.is_empty() {
                        return;
                    }
                    content.0.extend_from_slice(&chunk);
                }
            }
        },
    );
    app.add_observer(
        |on: On<HttpStatusChanged>, mut nodes: Query<&mut HttpClientNode>| -> Result {
            if (on.from, on.to) == (Status::Connecting, Status::Connected) {
                nodes
                    .get_mut(on.entity)?
                    .request(Method::Get, "/from/a/node", &[], "")?;
            }
            Ok(())
        },
    );
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", server.port().into(), None)
        .unwrap();
    let entity = app.world_mut().spawn(node).id();
    until(&mut app, |world| {
        let last = world.resource::<Seen>().statuses.last();
        last.is_some_and(|(_, from, to)| (*from, *to) == (Status::Body, Status::Connected))
    });
    assert_eq!(app.world().resource::<Content>().0, b"/from/a/node");
    let seen = app.world().resource::<Seen>();
    assert!(seen.statuses.iter().all(|(whose, ..)| *whose == entity));
    for pair in seen.statuses.windows(2) {
        assert_eq!(pair[0].2, pair[1].1, "no transition is lost");
    }
}

#[test]
fn a_node_that_fails_says_why_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut app = app();
    let mut node = HttpClientNode::default();
    let _ = node.connect_to_host("127.0.0.1", address.port().into(), None);
    let entity = app.world_mut().spawn(node).id();
    until(&mut app, |world| {
        !world.resource::<Seen>().errors.is_empty()
    });
    for _ in 0..5 {
        app.update();
    }
    let kind = ErrorKind::Network(NetworkFault::ConnectFailed);
    assert_eq!(app.world().resource::<Seen>().errors, [(entity, kind)]);
}
