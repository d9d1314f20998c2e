//! A server for everything that a client can try: `serve --help` lists its options, and the page at `/`
//! what it serves.
//!
//! It listens on 127.0.0.1 only. It runs in one loop on one thread, as in a game, but sleeps where a game
//! would draw. The page at `/debug` shows the connections of the server and of an agent. Open
//! `/load`, and the agent sends requests to the server.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use httpoll::agent::RequestOptions;
use httpoll::server::files::{FolderRoot, StaticFiles};
use httpoll::server::topic::Topic;
use httpoll::server::websocket::{Options as WebSocketOptions, WebSocket};
use httpoll::server::{
    Metrics, Request, Responder, Response, Server, ServerLimits, ServerTlsOptions,
};
use httpoll::tls::TlsOptions;
use httpoll::{
    Agent, Bytes, PollGroup, Priority, event_stream::ServerSentEvent, websocket::WebSocketMessage,
};
use serde_json::json;

#[macro_use]
mod offline;

/// How long `/slow` takes.
const SLOW: Duration = Duration::from_secs(1);

/// Connections at a time: enough for measurements.
const CONNECTIONS: usize = 2000;

/// How fast the agent downloads at `/load`, in bytes per second, so that there is something to see.
const LOAD_RATE: u64 = 200_000;

/// How often `/sse` ticks.
const TICK: Duration = Duration::from_millis(500);

const HELP: &str = "\
Serves the files of a folder, and what a client can try, at 127.0.0.1.

usage: serve [--port N] [--root DIR] [--tls CERT KEY] [--message-bytes N]

  --port N         the port; 0, the default, is a free one
  --root DIR       the folder that is served below /files/; default: the working directory
  --tls CERT KEY   speaks TLS, with this certificate chain and key (PEM files)
  --message-bytes N
                   the largest message of a WebSocket; default: 1048576
  --help           prints this text
  --version        prints the version

The address is printed once the server listens. The page at / links to what there is; /debug shows
what the server and its agent do.";

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("serve: {wrong}; see serve --help");
            return ExitCode::from(2);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    port: u16,
    tls: Option<(PathBuf, PathBuf)>,
    root: PathBuf,
    message_bytes: usize,
}

impl Options {
    /// `None` when only help is wanted.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            port: 0,
            tls: None,
            root: PathBuf::from("."),
            message_bytes: 1024 * 1024,
        };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                Long("version") | Short('V') => {
                    println!("serve {}", env!("CARGO_PKG_VERSION"));
                    return Ok(None);
                }
                Long("port") => {
                    let port = arguments.value()?.string()?;
                    let port = port.parse().map_err(|_| format!("{port} is not a port"))?;
                    options.port = port;
                }
                Long("tls") => {
                    let chain = arguments.value()?;
                    options.tls = Some((chain.into(), arguments.value()?.into()));
                }
                Long("message-bytes") => options.message_bytes = arguments.value()?.parse()?,
                Long("root") => options.root = arguments.value()?.into(),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

/// What the loop does besides polling.
#[derive(Default)]
struct Pending {
    slow: Vec<(Instant, Responder)>,
    sockets: Vec<WebSocket>,
    metrics: Metrics,
    /// How often `/load` was requested since the agent looked.
    loads: usize,
}

type Shared<T> = Arc<Mutex<T>>;

fn serve(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut limits = ServerLimits::default();
    limits.connections = CONNECTIONS;
    let group = PollGroup::new();
    let mut builder = Server::builder().limits(limits).group(&group);
    // It talks to this server only, whose certificate is whatever the command line names.
    let trust = RequestOptions::new().tls(TlsOptions::client_unsafe(None)?);
    let mut agent = Agent::builder().group(&group).defaults(trust).build();
    if let Some((cert, key)) = &options.tls {
        builder = builder.tls(ServerTlsOptions::load_certs(cert, Some(key))?);
    }
    let root = FolderRoot::new(&options.root)
        .map_err(|error| format!("the root {}: {error}", options.root.display()))?;
    let mut server = builder.bind_local(options.port)?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let pending: Shared<Pending> = Arc::default();
    let ticks = Topic::new();
    register(&mut server, options, &pending, &ticks)?;
    server.files(StaticFiles::new("/files", root).listing(true));
    let inspector = server.inspect("/debug")?;
    // Everything that can go wrong at the start has been tried.
    let url = format!("{scheme}://{}", server.local_addr());
    println!("{url}/");
    eprintln!("serve: the page at / links to what there is; Ctrl-C ends the server");

    let mut next_tick = Instant::now() + TICK;
    let mut ticked = 0_u64;
    loop {
        let now = Instant::now();
        if now >= next_tick {
            ticked += 1;
            ticks.publish(ServerSentEvent::new(format!("tick {ticked}")))?;
            next_tick = now + TICK;
        }
        let (due, loads) = with(&pending, |pending| {
            pending.metrics = server.metrics();
            (pending.turn(now), std::mem::take(&mut pending.loads))
        });
        for _ in 0..loads {
            send_load(&mut agent, &url)?;
        }
        // Nobody reads the content.
        while agent.next_event().is_some() {}
        inspector.show("agent", || agent.snapshot().to_json());
        let until_tick = next_tick.saturating_duration_since(now);
        let timeout = due.map_or(TICK, |due| due.min(TICK)).min(until_tick);
        group.wait(Some(timeout), &mut [&mut server, &mut agent])?;
    }
}

/// Lets the agent send requests to the server itself.
fn send_load(agent: &mut Agent, url: &str) -> Result<(), httpoll::Error> {
    for path in ["slow", "slow", "chunked", "echo?a=1", "status/404"] {
        let request = agent.get(format!("{url}/{path}"));
        request.send()?.detach();
    }
    for megabytes in 1..=3 {
        agent
            .get(format!("{url}/bytes/{megabytes}000000"))
            .rate_limit(Some(LOAD_RATE))
            .priority(Priority::Background)
            .stream()
            .send()?
            .detach();
    }
    Ok(())
}

impl Pending {
    /// Answers what is due and echoes what came; how long until there is more to do.
    fn turn(&mut self, now: Instant) -> Option<Duration> {
        let (due, later): (Vec<_>, Vec<_>) = self.slow.drain(..).partition(|(at, _)| *at <= now);
        self.slow = later;
        for (_, responder) in due {
            responder.respond(Response::text("slow, but here\n"));
        }
        for socket in &mut self.sockets {
            while let Some(message) = socket.receive() {
                if matches!(
                    message,
                    WebSocketMessage::Text(_) | WebSocketMessage::Binary(_)
                ) {
                    // A client that sends more than it takes is not echoed to.
                    let _ = socket.send(message);
                }
            }
        }
        self.sockets.retain(|socket| !socket.is_closed());
        let next = self.slow.iter().map(|(at, _)| *at).min()?;
        Some(next.saturating_duration_since(now))
    }
}

fn register(
    server: &mut Server,
    options: &Options,
    pending: &Shared<Pending>,
    ticks: &Topic,
) -> Result<(), Box<dyn std::error::Error>> {
    let index = std::fs::read_to_string(options.root.join("index.html"));
    let index = Bytes::from(index.unwrap_or_else(|_| PAGE.to_owned()));
    server.route("GET", "/", move |_: &mut Request| {
        Response::content("text/html; charset=utf-8", index.clone())
    })?;
    server.route("*", "/echo", |request: &mut Request| request.to_json())?;
    server.route("GET", "/chunked", |_: &mut Request| {
        let text: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let content = std::io::Cursor::new(text);
        Response::reader(content, None).with_header("Content-Type", "text/plain")
    })?;
    server.route("GET", "/bytes/:n", |request: &mut Request| {
        match request.param("n").unwrap_or_default().parse() {
            Ok(n) => Response::reader(std::io::repeat(b'x').take(n), Some(n)),
            Err(_) => Response::status(400),
        }
    })?;
    server.route("GET", "/status/:code", |request: &mut Request| {
        let code = request.param("code").unwrap_or_default();
        match code.parse() {
            Ok(code @ 200..=999) => Response::status(code),
            _ => Response::status(400),
        }
    })?;
    server.route("GET", "/redirect/:n", |request: &mut Request| {
        let left: u32 = request.param("n").unwrap_or_default().parse().unwrap_or(0);
        match left {
            0 | 1 => Response::redirect("/echo"),
            left => Response::redirect(&format!("/redirect/{}", left - 1)),
        }
    })?;

    let slow = Arc::clone(pending);
    server.handle(
        "GET",
        "/slow",
        move |request: &mut Request, _: &mut Response| {
            let responder = request.defer();
            with(&slow, |pending| {
                pending.slow.push((Instant::now() + SLOW, responder))
            });
        },
    )?;
    let sockets = Arc::clone(pending);
    let mut sockets_options = WebSocketOptions::default();
    sockets_options.config.message_bytes = options.message_bytes;
    sockets_options.config.frame_bytes = options.message_bytes;
    // The echo of one message, while another one is being sent.
    sockets_options.config.send_queue_bytes = 2 * options.message_bytes + 64;
    server.handle(
        "GET",
        "/ws",
        move |request: &mut Request, response: &mut Response| match request
            .accept_websocket(sockets_options.clone())
        {
            Ok(socket) => with(&sockets, |pending| pending.sockets.push(socket)),
            Err(refused) => *response = refused.into(),
        },
    )?;
    let events = ticks.clone();
    server.handle(
        "GET",
        "/sse",
        move |request: &mut Request, _: &mut Response| {
            events.subscribe(request);
        },
    )?;
    let loads = Arc::clone(pending);
    server.route("GET", "/load", move |_: &mut Request| {
        with(&loads, |pending| pending.loads += 1);
        Response::text("the agent sends requests: see /debug\n")
    })?;
    let counted = Arc::clone(pending);
    server.route("GET", "/metrics", move |_: &mut Request| {
        let metrics = with(&counted, |pending| pending.metrics);
        json!({
            "accepted": metrics.accepted, "open": metrics.open, "requests": metrics.requests,
            "responses": metrics.responses, "faults": metrics.faults,
            "bytes_received": metrics.bytes_received, "bytes_sent": metrics.bytes_sent,
        })
    })?;
    server.on_error(|fault, client| match client {
        Some(client) => eprintln!("{}: {fault}", client.peer_addr()),
        None => eprintln!("{fault}"),
    });
    Ok(())
}

fn with<T, R>(shared: &Shared<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

const PAGE: &str = r#"<!doctype html>
<title>httpoll</title>
<h1>httpoll serves</h1>
<ul>
<li><a href="/echo?a=1">/echo</a>: what was asked, as JSON, by every method
<li><a href="/chunked">/chunked</a>, <a href="/slow">/slow</a>, <a href="/metrics">/metrics</a>
<li><a href="/bytes/1000000">/bytes/1000000</a>: N bytes
<li><a href="/status/404">/status/404</a>, <a href="/redirect/3">/redirect/3</a>
<li><a href="/files/">/files/</a>: the root folder
<li><a href="/debug">/debug</a>: what the server does; <a href="/load">/load</a>: gives its agent something to do
<li>/sse: <output id="sse">waiting</output>
<li>/ws: <output id="ws">waiting</output>
<li>/slow: <iframe src="/slow" height="40"></iframe>
</ul>
<script>
new EventSource("/sse").onmessage = (event) => { sse.value = event.data; };
const socket = new WebSocket(location.href.replace(/^http/, "ws") + "ws");
socket.binaryType = "arraybuffer";
const heard = [];
socket.onopen = () => { socket.send("h\u00e9llo"); socket.send(new Uint8Array([1, 2, 3])); };
socket.onmessage = (event) => {
  heard.push(typeof event.data === "string" ? event.data : "bytes " + new Uint8Array(event.data));
  ws.value = heard.join(" | ");
};
</script>
"#;
