//! A whole server against clients that send anything: every connection comes to its end, every request
//! is answered at most once, and what was read of content keeps to its limit.

#![no_main]

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, MemoryStream};
use httpoll::server::files::{EmbeddedRoot, StaticFiles};
use httpoll::server::multipart::MultipartLimits;
use httpoll::server::websocket::{Options as WebSocketOptions, WebSocket};
use httpoll::server::{Piece, Request, Responder, Response, Server, ServerLimits, ServerTimeouts};
use httpoll::{Budget, event_stream::ServerSentEvent, websocket::WebSocketConfig};
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const MOST_CONTENT: u64 = 1000;
const FRAME: Duration = Duration::from_millis(300);

/// What handlers keep for a later frame.
#[derive(Default)]
struct Kept {
    responders: Vec<Responder>,
    sockets: Vec<WebSocket>,
    streams: Vec<httpoll::server::event_stream::EventStream>,
    contents: Vec<(httpoll::server::Content, Responder)>,
    sent: u64,
    connected: u64,
    disconnected: u64,
}

type Shared = Arc<Mutex<Kept>>;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let network = MemoryNetwork::new();
    let kept = Shared::default();
    let mut server = build(&network, &kept);
    let mut streams: Vec<_> = (0..1 + choices.bits(1))
        .map(|_| Some(network.connect(address()).unwrap()))
        .collect();
    let ending = choices.bits(2);
    let waits = choices.flag();
    poll(&mut server, &network, &kept);
    for (index, piece) in pieces(&choices, bytes).enumerate() {
        let at = index % streams.len();
        if let Some(stream) = &mut streams[at] {
            write(stream, piece);
        }
        if waits && index % 16 == 15 {
            network.advance(Duration::from_millis(10));
        }
        poll(&mut server, &network, &kept);
        let _ = drain(&mut streams);
    }
    match ending {
        0 => streams
            .iter_mut()
            .flatten()
            .for_each(MemoryStream::shutdown_write),
        1 => streams.drain(..).flatten().for_each(MemoryStream::reset),
        _ => {}
    }
    // Longer than all deadlines together: what is still open then is a WebSocket or an event stream.
    for _ in 0..20 {
        network.advance(FRAME);
        let are_over = drain(&mut streams);
        poll(&mut server, &network, &kept);
        if are_over {
            break;
        }
    }
    let lasting = {
        let kept = kept.lock().unwrap();
        kept.sockets.len() + kept.streams.len()
    };
    assert!(
        server.metrics().open <= lasting,
        "open beyond all deadlines"
    );
    streams.clear();
    for _ in 0..8 {
        network.advance(FRAME);
        poll(&mut server, &network, &kept);
    }
    let metrics = server.metrics();
    assert_eq!(metrics.open, 0, "a connection without a client stays open");
    {
        let kept = kept.lock().unwrap();
        assert_eq!(kept.connected, kept.disconnected);
        // Each response that was begun is told of once, whole or cut.
        assert_eq!(kept.sent, metrics.responses.iter().sum::<u64>());
    }
    drop(server);
    assert_eq!(network.open_connections(), 0);
});

fn address() -> SocketAddr {
    "10.0.0.1:80".parse().unwrap()
}

fn poll(server: &mut Server, network: &MemoryNetwork, kept: &Shared) {
    for _ in 0..3 {
        server.poll_at(network.now(), &Budget::unlimited()).unwrap();
        // What was kept is used behind the poll, as a game would. Nothing is dropped under the lock.
        let (responders, contents) = {
            let mut kept = kept.lock().unwrap();
            for socket in &mut kept.sockets {
                while let Some(message) = socket.receive() {
                    let _ = socket.send(message);
                }
            }
            for stream in &mut kept.streams {
                let _ = stream.send(&ServerSentEvent::new("tick"));
            }
            (
                std::mem::take(&mut kept.responders),
                std::mem::take(&mut kept.contents),
            )
        };
        for responder in responders {
            responder.respond(Response::text("later"));
        }
        for (mut content, responder) in contents {
            loop {
                match content.next() {
                    Piece::Bytes(bytes) => assert!(bytes.len() as u64 <= MOST_CONTENT),
                    Piece::Pending => {
                        kept.lock().unwrap().contents.push((content, responder));
                        break;
                    }
                    Piece::End(_) => {
                        responder.respond(Response::text("all"));
                        break;
                    }
                    Piece::Cut => break,
                    _ => break,
                }
            }
        }
    }
}

fn write(stream: &mut MemoryStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => return,
        }
    }
}

/// Reads and forgets; answers whether all have ended.
fn drain(streams: &mut Vec<Option<MemoryStream>>) -> bool {
    thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 * 1024]));
    BUFFER.with_borrow_mut(|buffer| {
        for slot in streams.iter_mut() {
            while let Some(stream) = slot {
                match stream.read(buffer) {
                    Ok(0) => *slot = None,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::NotConnected => break,
                    Err(_) => *slot = None,
                }
            }
        }
    });
    streams.iter().all(Option::is_none)
}

fn build(network: &MemoryNetwork, kept: &Shared) -> Server {
    let mut limits = ServerLimits::default();
    limits.message.head_bytes = 1024;
    limits.message.header_count = 10;
    limits.body_bytes = MOST_CONTENT;
    limits.drained_bytes = 200;
    limits.queued_bytes = 4000;
    let mut timeouts = ServerTimeouts::default();
    timeouts.head = Some(Duration::from_secs(1));
    timeouts.stall = Some(Duration::from_secs(1));
    timeouts.send_stall = Some(Duration::from_secs(1));
    timeouts.idle = Some(Duration::from_secs(1));
    timeouts.respond = Some(Duration::from_secs(1));
    timeouts.linger = Duration::from_millis(500);
    let mut forms = MultipartLimits::default();
    forms.parts = 5;
    let mut server = Server::builder()
        .limits(limits)
        .timeouts(timeouts)
        .form_limits(forms)
        .on_memory(network, address())
        .unwrap();
    let of = |kept: &Shared| Arc::clone(kept);
    let shared = of(kept);
    server.on_connect(move |_| shared.lock().unwrap().connected += 1);
    let shared = of(kept);
    server.on_disconnect(move |_| shared.lock().unwrap().disconnected += 1);
    let shared = of(kept);
    server.on_sent(move |_| shared.lock().unwrap().sent += 1);
    server
        .route("GET", "/", |_: &mut Request| Response::text("hi"))
        .unwrap();
    server
        .route("POST", "/echo", |request: &mut Request| {
            assert!(request.body().len() as u64 <= MOST_CONTENT);
            let body = request.body().clone();
            let query: Vec<_> = request.query().iter().map(|(name, _)| name.len()).collect();
            let _ = (
                request.json::<serde_json::Value>(),
                request.cookies().count(),
                query,
                request.host(),
            );
            Response::content("text/plain", body)
        })
        .unwrap();
    server
        .route("POST", "/form", |request: &mut Request| {
            let parts = request
                .form()
                .map(|form| form.fields.len() + form.files.len());
            Response::text(format!("{parts:?}"))
        })
        .unwrap();
    server
        .route("GET", "/p/:a/*b", |request: &mut Request| {
            Response::text(request.params().map(|(_, value)| value).collect::<String>())
        })
        .unwrap();
    let shared = of(kept);
    server
        .route("GET", "/later", move |request: &mut Request| {
            shared.lock().unwrap().responders.push(request.defer());
        })
        .unwrap();
    server
        .route("GET", "/never", |request: &mut Request| {
            drop(request.defer())
        })
        .unwrap();
    let shared = of(kept);
    server
        .route("GET", "/events", move |request: &mut Request| {
            let stream = request.event_stream(Response::new());
            shared.lock().unwrap().streams.push(stream);
        })
        .unwrap();
    let shared = of(kept);
    server
        .route("GET", "/ws", move |request: &mut Request| {
            let mut config = WebSocketConfig::default();
            config.message_bytes = 256;
            config.frame_bytes = 128;
            let mut options = WebSocketOptions::default();
            options.config = config;
            match request.accept_websocket(options) {
                Ok(socket) => {
                    shared.lock().unwrap().sockets.push(socket);
                    Response::new()
                }
                Err(refused) => refused.into(),
            }
        })
        .unwrap();
    let shared = of(kept);
    server
        .route("POST", "/head", move |request: &mut Request| {
            let content = request.take_content();
            let responder = request.defer();
            if let Some(content) = content {
                shared.lock().unwrap().contents.push((content, responder));
            }
        })
        .unwrap()
        .at_head();
    let root = EmbeddedRoot::new()
        .with("index.html", "<p>hello</p>")
        .with("a/b.txt", "0123456789");
    server.files(StaticFiles::new("/files", root));
    server
}
