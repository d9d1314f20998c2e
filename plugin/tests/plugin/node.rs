//! `HttpClientNode` on loopback.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;

use bevy_app::{App, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::{ErrorKind, error::NetworkFault};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, log_events, read_head, serve, unhurried, until};

fn app() -> App {
    let mut app = App::new();
    app.add_plugins(unhurried());
    log_events(&mut app);
    app
}

fn chunked() -> std::net::SocketAddr {
    serve(|head| {
        let target = head.split(' ').nth(1).unwrap();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{target}\r\n0\r\n\r\n",
            target.len()
        )
    })
}

#[test]
fn observers_of_its_status_drive_a_node() {
    let server = chunked();
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
        let last = world.resource::<EventLog>().statuses.last();
        last.is_some_and(|(_, from, to)| (*from, *to) == (Status::Body, Status::Connected))
    });
    assert_eq!(app.world().resource::<Content>().0, b"/from/a/node");
    let seen = app.world().resource::<EventLog>();
    assert!(seen.statuses.iter().all(|(whose, ..)| *whose == entity));
    for pair in seen.statuses.windows(2) {
        assert_eq!(pair[0].2, pair[1].1, "no transition is lost");
    }
}

#[test]
fn a_node_reports_its_failure_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut app = app();
    let mut node = HttpClientNode::default();
    let _ = node.connect_to_host("127.0.0.1", address.port().into(), None);
    let entity = app.world_mut().spawn(node).id();
    until(&mut app, |world| {
        !world.resource::<EventLog>().errors.is_empty()
    });
    for _ in 0..5 {
        app.update();
    }
    let kind = ErrorKind::Network(NetworkFault::ConnectFailed);
    assert_eq!(app.world().resource::<EventLog>().errors, [(entity, kind)]);
}

#[test]
fn with_http_stream_the_content_of_a_node_arrives_as_events() {
    #[derive(Resource, Default)]
    struct Content(Vec<u8>);
    let server = chunked();
    let mut app = app();
    app.init_resource::<Content>();
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", server.port().into(), None)
        .unwrap();
    app.world_mut()
        .spawn((node, HttpStream::Chunks))
        .observe(
            |on: On<HttpStatusChanged>, mut nodes: Query<&mut HttpClientNode>| -> Result {
                if (on.from, on.to) == (Status::Connecting, Status::Connected) {
                    nodes
                        .get_mut(on.entity)?
                        .request(Method::Get, "/streamed", &[], "")?;
                }
                Ok(())
            },
        )
        .observe(|on: On<HttpChunk>, mut content: ResMut<Content>| {
            content.0.extend_from_slice(&on.bytes);
        });
    until(&mut app, |world| {
        let last = world.resource::<EventLog>().statuses.last();
        last.is_some_and(|(_, from, to)| (*from, *to) == (Status::Body, Status::Connected))
    });
    assert_eq!(app.world().resource::<Content>().0, b"/streamed");
}

#[test]
fn a_node_that_its_observer_removes_gets_no_further_event() {
    let server = chunked();
    let mut app = app();
    app.add_observer(|on: On<HttpStatusChanged>, mut commands: Commands| {
        commands.entity(on.entity).remove::<HttpClientNode>();
    });
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", server.port().into(), None)
        .unwrap();
    // It has two transitions when the first is reported.
    while node.get_status() != Status::Connected {
        node.poll().unwrap();
    }
    let entity = app.world_mut().spawn(node).id();
    for _ in 0..5 {
        app.update();
    }
    let log = app.world().resource::<EventLog>();
    let first = (entity, Status::Disconnected, Status::Connecting);
    assert_eq!(log.statuses, [first]);
}

/// An app with a node whose content arrives in two pieces, each when told to, and what arrived.
fn slow_content(components: impl Bundle) -> (App, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (go_on, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream).unwrap();
        let mut rest = &b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"[..];
        for length in [rest.len() - 6, 3, 3] {
            let (piece, next) = rest.split_at(length);
            stream.write_all(piece).unwrap();
            rest = next;
            if told.recv().is_err() {
                return;
            }
        }
    });
    let mut app = app();
    app.init_resource::<Content>();
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    app.world_mut().spawn((node, components)).observe(
        |on: On<HttpStatusChanged>, mut nodes: Query<&mut HttpClientNode>| -> Result {
            if (on.from, on.to) == (Status::Connecting, Status::Connected) {
                let mut node = nodes.get_mut(on.entity)?;
                node.request(Method::Get, "/", &[], "")?;
            }
            Ok(())
        },
    );
    until(&mut app, |world| {
        let last = world.resource::<EventLog>().statuses.last();
        last.is_some_and(|(.., to)| *to == Status::Body)
    });
    for _ in 0..3 {
        app.update();
    }
    (app, go_on)
}

#[derive(Resource, Default)]
struct Content(Vec<Vec<u8>>);

fn has_content(text: &'static [u8]) -> impl Fn(&World) -> bool {
    move |world| world.resource::<Content>().0.concat() == text
}

#[test]
fn content_of_a_node_that_arrives_slowly_is_delivered_without_empty_chunks() {
    let (mut app, go_on) = slow_content(HttpStream::Chunks);
    app.add_observer(|on: On<HttpChunk>, mut content: ResMut<Content>| {
        content.0.push(on.bytes.to_vec());
    });
    for text in [&b"abc"[..], b"abcdef"] {
        go_on.send(()).unwrap();
        until(&mut app, has_content(text));
    }
    let chunks = &app.world().resource::<Content>().0;
    assert!(!chunks.iter().any(Vec::is_empty), "{chunks:?}");
}

#[test]
fn a_system_that_waits_for_changed_nodes_sees_all_content() {
    let (mut app, go_on) = slow_content(());
    app.add_systems(
        Update,
        |mut nodes: Query<&mut HttpClientNode, Changed<HttpClientNode>>,
         mut content: ResMut<Content>|
         -> Result {
            for mut node in &mut nodes {
                // Otherwise the system itself would change it.
                let node = node.bypass_change_detection();
                while node.get_status() == Status::Body {
                    let chunk = node.read_response_body_chunk()?;
                    if chunk.is_empty() {
                        break;
                    }
                    content.0.push(chunk.to_vec());
                }
            }
            Ok(())
        },
    );
    for _ in 0..3 {
        app.update();
    }
    for text in [&b"abc"[..], b"abcdef"] {
        go_on.send(()).unwrap();
        until(&mut app, has_content(text));
    }
}

#[test]
fn a_node_that_its_observer_removes_when_it_fails_reports_no_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut app = app();
    app.add_observer(|on: On<HttpStatusChanged>, mut commands: Commands| {
        if on.to.is_error() {
            commands.entity(on.entity).remove::<HttpClientNode>();
        }
    });
    let mut node = HttpClientNode::default();
    let _ = node.connect_to_host("127.0.0.1", address.port().into(), None);
    let entity = app.world_mut().spawn(node).id();
    until(&mut app, |world| {
        world.get::<HttpClientNode>(entity).is_none()
    });
    app.update();
    assert!(app.world().resource::<EventLog>().errors.is_empty());
}
