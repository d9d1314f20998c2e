//! Responses delivered while they arrive: chunks, server-sent events, WebSockets.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::{MockResponse, MockStream};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Folder, Game, unhurried, until, url};

#[test]
fn head_chunks_and_response_arrive_in_order() {
    let mut game = Game::new();
    let stream = MockStream::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().stream(&stream));
    let (sender, receiver) = mpsc::channel();
    let entity = game.spawn((HttpRequest::get(url("/")), HttpStream::default()));
    let (head, chunk, end) = (sender.clone(), sender.clone(), sender);
    game.app
        .world_mut()
        .entity_mut(entity)
        .observe(move |on: On<HttpHead>| head.send(format!("{}", on.head.status.as_u16())).unwrap())
        .observe(move |on: On<HttpChunk>| {
            let text = String::from_utf8_lossy(&on.bytes).into_owned();
            chunk.send(text).unwrap();
        })
        .observe(move |on: On<HttpResponse>| end.send(format!("end {}", on.body.len())).unwrap());
    for piece in ["one", "two"] {
        stream.send(piece);
        game.frames(4);
    }
    stream.close();
    game.until_finished(1);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        ["200", "one", "two", "end 0"]
    );
}

#[test]
fn the_limit_in_memory_does_not_apply_to_streams_and_files() {
    let mut game = Game::with(HttpollPlugin {
        max_body_bytes: 999,
        ..unhurried()
    });
    let folder = Folder::new("uncapped");
    let _rule = game
        .server
        .get("/")
        .times(4)
        .reply(MockResponse::ok().bytes(vec![b'x'; 5_000]));
    game.spawn((HttpRequest::get(url("/")), HttpStream::Chunks));
    let file = folder.path("file");
    game.spawn((HttpRequest::get(url("/")), HttpDownload::to(&file)));
    until(&mut game.app, |world| {
        world.resource::<EventLog>().responses.len() == 2
    });
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 5_000);
    game.spawn(HttpRequest::get(url("/")));
    game.spawn((HttpRequest::get(url("/")).max_body(999), HttpStream::Chunks));
    game.until_finished(4);
    assert_eq!(game.log().errors.len(), 2, "{:?}", game.log());
}

#[test]
fn pausing_leaves_content_with_the_server() {
    let mut game = Game::with(HttpollPlugin {
        budget: Budget::default().with_bytes(4_000),
        ..unhurried()
    });
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![7; 100_000]));
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.until(|world| {
        world
            .get::<HttpProgress>(entity)
            .is_some_and(|it| it.received > 0)
    });
    game.app.world_mut().entity_mut(entity).insert(HttpPaused);
    game.frames(2);
    let held = game
        .app
        .world()
        .get::<HttpProgress>(entity)
        .unwrap()
        .received;
    game.frames(20);
    let still = game
        .app
        .world()
        .get::<HttpProgress>(entity)
        .unwrap()
        .received;
    assert_eq!(still, held);
    game.app
        .world_mut()
        .entity_mut(entity)
        .remove::<HttpPaused>();
    game.until_finished(1);
    assert_eq!(game.log().responses[0].2.len(), 100_000);
}

#[test]
fn server_sent_events_arrive_one_by_one_and_the_stream_reconnects() {
    let mut game = Game::new();
    let stream = MockStream::new();
    let _rule = game.server.get("/events").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .stream(&stream),
    );
    let (sender, receiver) = mpsc::channel();
    let entity = game.spawn((
        HttpRequest::get(url("/events")),
        HttpStream::ServerSentEvents,
    ));
    game.app
        .world_mut()
        .entity_mut(entity)
        .observe(move |on: On<HttpServerSentEvent>| {
            sender.send(on.event.data.clone()).unwrap();
        });
    stream.send("retry: 100\nid: 1\ndata: one\n\n");
    game.frames(4);
    stream.send("id: 2\ndata: two\n\n");
    game.frames(4);
    stream.close();
    game.until(|world| world.get::<HttpPhase>(entity) == Some(&HttpPhase::AwaitRetry));
    stream.send("data: three\n\n");
    game.until(|world| world.get::<HttpPhase>(entity) == Some(&HttpPhase::ReceiveBody));
    game.frames(10);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    let again = &game.server.requests()[1];
    assert_eq!(again.header("last-event-id"), Some("2"));
    game.app.world_mut().trigger(CancelHttp { request: entity });
    assert_eq!(game.connections(), 0);
}

#[cfg(feature = "websocket")]
#[test]
fn a_web_socket_is_an_entity() {
    use crate::support::{log_events, until};
    use bevy_httpoll::httpoll::server::Server;
    use bevy_httpoll::httpoll::server::websocket::{Options, WebSocket};
    use bevy_httpoll::httpoll::websocket::{CloseFrame, WebSocketMessage};

    let mut server = Server::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/chat", server.local_addr());
    server.pull("GET", "/chat").unwrap();
    let server = std::thread::spawn(move || {
        let mut socket = None::<WebSocket>;
        loop {
            server.wait(None).unwrap();
            if let Some(mut request) = server.next_request() {
                socket = Some(request.accept_websocket(Options::default()).unwrap());
            }
            let Some(socket) = &mut socket else { continue };
            while let Some(message) = socket.receive() {
                if matches!(message, WebSocketMessage::Text(_)) {
                    socket.send(message).unwrap();
                }
            }
            if socket.is_closed() {
                return (socket.close_frame(), socket.fault());
            }
        }
    });
    #[derive(Resource, Default)]
    struct ReceivedMessages(Vec<WebSocketMessage>);
    let mut app = bevy_app::App::new();
    app.add_plugins(unhurried())
        .init_resource::<ReceivedMessages>();
    log_events(&mut app);
    let (sender, closed) = mpsc::channel();
    app.add_observer(move |on: On<HttpWebSocketClosed>| {
        let code = on.frame.as_ref().map(|frame| frame.code);
        sender.send((on.entity == on.request, code)).unwrap();
    });
    app.world_mut()
        .spawn((
            HttpRequest::get(url),
            HttpStream::WebSocket(HttpWebSocket::default()),
        ))
        .observe(|on: On<HttpWebSocketOpened>, mut commands: Commands| {
            commands.trigger(SendWebSocketMessage {
                request: on.request,
                message: WebSocketMessage::Text("hello".into()),
            });
        })
        .observe(
            |on: On<HttpWebSocketMessage>,
             mut received: ResMut<ReceivedMessages>,
             mut commands: Commands| {
                received.0.push(on.message.clone());
                let frame = CloseFrame {
                    code: 1000,
                    reason: "bye".into(),
                };
                commands.trigger(SendWebSocketMessage {
                    request: on.request,
                    message: WebSocketMessage::Close(Some(frame)),
                });
            },
        );
    until(&mut app, |world| {
        !world
            .resource::<crate::support::EventLog>()
            .responses
            .is_empty()
    });
    assert_eq!(
        app.world().resource::<ReceivedMessages>().0,
        [WebSocketMessage::Text("hello".into())]
    );
    let (frame, fault) = server.join().unwrap();
    assert_eq!(
        frame.map(|frame| (frame.code, frame.reason)),
        Some((1000, "bye".into()))
    );
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(closed.try_iter().collect::<Vec<_>>(), [(true, Some(1000))]);
    let seen = app.world().resource::<crate::support::EventLog>();
    assert_eq!(seen.responses[0].1, 101);
    assert!(seen.errors.is_empty());
}
