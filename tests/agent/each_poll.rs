//! Requests of every kind at once, in polls that are cut short, and something that happens to all of them at the
//! n-th poll, for every n.
//!
//! Whatever happens: each request that was not cancelled ends once, with the right content. Files are whole, or
//! absent, or can be continued. Nothing stays open, and the agent comes to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use httpoll::agent::{RequestOptions, WebSocketOptions};
use httpoll::error::RequestRefused;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockRequest, MockResponse, MockServer};
use httpoll::proxy::ProxySettings;
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request as ServerRequest, Response as ServerResponse, Server};
use httpoll::websocket::WebSocketMessage;
use httpoll::{
    Agent, Budget, Download, ErrorKind, Event, Phase, PollAt, Priority, Request, RequestHandle,
    RequestId, RetryPolicy, Timeouts,
};
use rcgen::{CertifiedIssuer, KeyPair};

use crate::support::{FRAME, Folder, address, pattern, run};
use crate::tls::{authority, serve, trusting};

const LENGTH: usize = 3000;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n";
const SOCKS: [&[u8]; 2] = [b"\x05\x00", b"\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x50"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Cancel,
    DropHandles,
    DropAgent,
    Suspend,
    Pause,
    Change,
}

const ACTIONS: [Action; 6] = [
    Action::Cancel,
    Action::DropHandles,
    Action::DropAgent,
    Action::Suspend,
    Action::Pause,
    Action::Change,
];

/// What limits a poll.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Bytes,
    Time,
}

/// A peer that responds to each message with the next of these, and to all others with [`OK`].
fn scripted(network: &MemoryNetwork, at: &str, replies: &'static [&'static [u8]]) {
    network.serve(address(at), move || {
        let mut replies = replies.iter();
        move |peer: &mut Peer| {
            if !peer.take_received().is_empty() {
                peer.send(replies.next().unwrap_or(&OK));
            }
        }
    });
}

fn mock(network: &MemoryNetwork) -> MockServer {
    let server = MockServer::on(network, "game.example", 80);
    let resource = || MockResponse::resource(pattern(LENGTH)).etag("\"a\"");
    server.get("/plain").reply(resource());
    server
        .get("/chunked")
        .reply(MockResponse::ok().chunked(pattern(LENGTH).chunks(700)));
    server
        .get("/cached")
        .reply(resource().header("Cache-Control", "max-age=600"));
    server
        .get("/redirect")
        .reply(MockResponse::with_status(302).header("Location", "/plain"));
    server
        .get("/busy")
        .reply(MockResponse::with_status(503).header("Retry-After", "0"))
        .then_reply(resource());
    let echo = |request: &MockRequest| MockResponse::ok().bytes(request.body.clone());
    let _ = server.any("/echo").reply_with(echo);
    server
}

struct World {
    network: MemoryNetwork,
    _mock: MockServer,
    web: Server,
    sockets: Vec<WebSocket>,
    folder: Folder,
}

impl World {
    fn new(authority: &CertifiedIssuer<'static, KeyPair>) -> Self {
        let network = MemoryNetwork::new();
        network.set_latency(Duration::from_millis(5));
        network.set_transfer_limit(Some(400));
        let mock = mock(&network);
        network.add_slow_name(
            "slow.example",
            &[address("10.0.0.9:80").ip()],
            Duration::from_millis(60),
        );
        scripted(&network, "10.0.0.9:80", &[]);
        scripted(&network, "10.0.0.7:80", &[OPENED]);
        scripted(&network, "10.0.0.8:80", &SOCKS);
        let secure = "secure.example";
        serve(&network, authority, secure, "10.0.0.6:443", &[secure], 2100);
        let mut web = Server::builder()
            .on_memory(&network, address("10.0.0.5:80"))
            .unwrap();
        web.pull("GET", "/socket").unwrap();
        web.route("GET", "/events", |request: &mut ServerRequest| {
            let last = request.header("last-event-id").unwrap_or("0");
            let last: usize = last.parse().unwrap_or(0);
            if last >= 4 {
                return ServerResponse::status(204);
            }
            let text: String = (last + 1..last + 3)
                .map(|id| format!("retry: 10\nid: {id}\ndata: {id}\n\n"))
                .collect();
            ServerResponse::content("text/event-stream", text)
        })
        .unwrap();
        Self {
            network,
            _mock: mock,
            web,
            sockets: Vec::new(),
            folder: Folder::new("each-poll"),
        }
    }

    fn requests(
        &self,
        authority: &CertifiedIssuer<'static, KeyPair>,
        has_files: bool,
    ) -> Vec<Request> {
        let get = |path: &str| Request::get(format!("http://game.example/{path}"));
        let proxied = |url: &str| {
            let proxy = ProxySettings::default().with_all(url).unwrap();
            Request::get("http://10.0.0.2/").proxies(proxy)
        };
        let kept = Download::to(self.folder.path("kept")).resume(true);
        let mut all = vec![
            get("plain"),
            get("chunked"),
            get("chunked").stream(),
            get("cached"),
            get("redirect"),
            get("busy").retries(RetryPolicy::standard()),
            Request::put("http://game.example/echo").body(pattern(LENGTH)),
            Request::get("http://slow.example/"),
            proxied("http://10.0.0.7:80").proxy_tunnel(true),
            proxied("socks5h://10.0.0.8:80"),
            Request::get("https://secure.example/").tls(trusting(authority)),
            Request::get("http://10.0.0.5/events").event_stream(),
            Request::get("ws://10.0.0.5/socket").web_socket(WebSocketOptions::new()),
        ];
        if has_files {
            all.push(get("plain").download_to(self.folder.path("new/file")));
            all.push(get("plain").download_to(kept));
        }
        all
    }

    /// One frame of the server, and time.
    fn advance(&mut self) {
        self.web.poll().unwrap();
        while let Some(mut request) = self.web.next_request() {
            let socket = request.accept_websocket(Options::default());
            self.sockets.push(socket.unwrap());
        }
        for socket in &mut self.sockets {
            while let Some(message) = socket.receive() {
                if let WebSocketMessage::Text(_) = message {
                    // The client may have left.
                    let _ = socket.send(message);
                }
            }
        }
        self.network.advance(FRAME);
    }
}

/// What was reported of a request.
#[derive(Debug, Default)]
struct Seen {
    streamed: Vec<u8>,
    events: usize,
    is_over: bool,
}

struct Game {
    world: World,
    agent: Agent,
    budget: Budget,
    handles: Vec<RequestHandle>,
    seen: BTreeMap<RequestId, Seen>,
    may_refuse: bool,
    shown: String,
}

impl Game {
    fn frame(&mut self) {
        self.agent.poll_with(&self.budget);
        while let Some(event) = self.agent.next_event() {
            self.note(event);
        }
        self.world.advance();
    }

    fn note(&mut self, event: Event) {
        let Some(id) = event.id() else { return };
        let seen = self.seen.entry(id).or_default();
        assert!(!seen.is_over, "{}: {event:?}", self.shown);
        match event {
            Event::Chunk { bytes, .. } => seen.streamed.extend_from_slice(&bytes),
            Event::ServerSent { event, .. } => {
                seen.events += 1;
                assert_eq!(event.data, seen.events.to_string(), "{}", self.shown);
            }
            Event::WebSocketOpen { .. } => {
                let text = WebSocketMessage::Text("hi".into());
                let sent = self.agent.send_message(id, text);
                // It may have been closed since it was open.
                assert!(sent.is_ok() || self.may_refuse, "{}", self.shown);
            }
            Event::WebSocketMessage { message, .. } => {
                assert_eq!(message, WebSocketMessage::Text("hi".into()));
                self.agent.close_web_socket(id, 1000, "");
            }
            Event::Done { response, .. } => {
                seen.is_over = true;
                let body = response.body();
                let is_right = match response.url().unwrap().host_str().unwrap() {
                    _ if response.saved().is_some() => {
                        let saved = response.saved().unwrap();
                        std::fs::read(&saved.path).unwrap() == pattern(LENGTH)
                    }
                    "10.0.0.5" if response.status() == 204 => seen.events == 4,
                    "10.0.0.5" => response.status() == 101,
                    "game.example" if !seen.streamed.is_empty() => seen.streamed == pattern(LENGTH),
                    "game.example" => **body == *pattern(LENGTH),
                    _ => **body == *b"hi",
                };
                assert!(is_right, "{}: {response:?}", self.shown);
            }
            Event::Failed { error, .. } => {
                seen.is_over = true;
                let is_suspended = *error.kind() == ErrorKind::Refused(RequestRefused::Suspended);
                assert!(self.may_refuse && is_suspended, "{}: {error}", self.shown);
            }
            _ => {}
        }
    }

    fn act(&mut self, action: Action) {
        let ids: Vec<_> = self.handles.iter().map(RequestHandle::id).collect();
        match action {
            Action::Cancel => ids.iter().for_each(|id| self.agent.cancel(*id)),
            Action::DropHandles => self.handles.clear(),
            Action::DropAgent => self.agent = Agent::on_memory(&self.world.network),
            Action::Suspend => {
                self.may_refuse = true;
                self.agent.suspend(Duration::ZERO);
                (0..3).for_each(|_| self.frame());
                self.agent.resume_all();
            }
            Action::Pause => {
                ids.iter().for_each(|id| self.agent.pause(*id));
                (0..5).for_each(|_| self.frame());
                ids.iter().for_each(|id| self.agent.resume(*id));
            }
            Action::Change => {
                for (at, id) in ids.iter().enumerate() {
                    self.agent.set_priority(*id, Priority::ALL[at % 4]);
                    self.agent.set_rate_limit(*id, Some(100));
                }
                self.agent.set_global_rate_limit(Some(100));
                self.agent.close_idle_connections();
                (0..2).for_each(|_| self.frame());
                ids.iter()
                    .for_each(|id| self.agent.set_rate_limit(*id, None));
                self.agent.set_global_rate_limit(None);
            }
        }
        if matches!(action, Action::Cancel | Action::DropHandles) {
            // No event may follow.
            ids.iter()
                .for_each(|id| self.seen.entry(*id).or_default().is_over = true);
        }
        if action == Action::DropAgent {
            self.seen.values_mut().for_each(|seen| seen.is_over = true);
        }
    }

    /// Runs everything to its end, and checks what is left.
    fn finish(&mut self) {
        for _ in 0..3000 {
            if self.seen.values().all(|seen| seen.is_over) {
                break;
            }
            self.frame();
        }
        let shown = &self.shown;
        assert!(
            self.seen.values().all(|seen| seen.is_over),
            "{shown}: {:?}\n{}",
            self.seen,
            self.agent.snapshot().to_json()
        );
        self.agent.close_idle_connections();
        (0..12).for_each(|_| self.frame());
        let shown = &self.shown;
        self.budget = Budget::unlimited();
        let polled = self.agent.poll_with(&self.budget);
        assert_eq!(polled.next, PollAt::Idle, "{shown}");
        assert!(!polled.changed && self.agent.next_event().is_none());
        assert_eq!(self.world.network.open_connections(), 0, "{shown}");
        let mut names = self.world.folder.names();
        names.retain(|name| !["new", "new/file", "kept"].contains(&name.as_str()));
        let is_kept = names == ["kept.part", "kept.part.json"];
        assert!(names.is_empty() || is_kept, "{shown}: {names:?}");
    }
}

/// Returns whether anything was under way when it happened.
fn play(
    authority: &CertifiedIssuer<'static, KeyPair>,
    cut: Cut,
    at: usize,
    action: Action,
) -> bool {
    let world = World::new(authority);
    let budget = match cut {
        Cut::Bytes => Budget::unlimited().with_bytes(1500),
        Cut::Time => {
            let micros = Duration::from_micros;
            world.network.set_work(micros(10), micros(20));
            Budget::frame(micros(150))
        }
    };
    let builder = Agent::builder();
    #[cfg(feature = "cache")]
    let builder = builder.cache(Default::default());
    #[cfg(feature = "cookies")]
    let builder = builder.cookies(Default::default());
    let mut agent = builder.build_on_memory(&world.network);
    // Files are flushed to the disk, which takes long.
    let requests = world.requests(authority, at.is_multiple_of(6));
    let handles: Vec<_> = requests
        .into_iter()
        .map(|request| agent.send(request).unwrap())
        .collect();
    let seen = handles
        .iter()
        .map(|handle| (handle.id(), Seen::default()))
        .collect();
    let mut game = Game {
        world,
        agent,
        budget,
        handles,
        seen,
        may_refuse: false,
        shown: format!("{action:?} at poll {at}, cut by {cut:?}"),
    };
    (0..at).for_each(|_| game.frame());
    let is_over = game.seen.values().all(|seen| seen.is_over);
    game.act(action);
    game.finish();
    !is_over
}

#[test]
fn whatever_happens_at_any_poll_each_request_ends_once_and_nothing_is_left() {
    let authority = authority();
    // Every third poll, where polls are cut by time: all of them would take long.
    for (cut, every) in [(Cut::Bytes, 1), (Cut::Time, 3)] {
        for action in ACTIONS {
            let polls = (0..)
                .step_by(every)
                .take_while(|at| play(&authority, cut, *at, action));
            let polls = polls.count() * every;
            assert!((20..100).contains(&polls), "{polls}");
        }
    }
}

/// How a proxy stops in the middle of its reply.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Hang,
    Close,
    Reset,
}

#[test]
fn a_proxy_that_stops_after_any_byte_of_its_replies_fails_the_tunnel_in_time() {
    let limit = Duration::from_secs(2);
    let socks = SOCKS.concat();
    for (scheme, replies, heads) in [("http", OPENED, 1), ("socks5h", &*socks, 2)] {
        for length in 0..replies.len() {
            for stop in [Stop::Hang, Stop::Close, Stop::Reset] {
                let network = MemoryNetwork::new();
                let sent = replies[..length].to_vec();
                network.serve(address("10.0.0.7:80"), move || {
                    let mut left = sent.clone();
                    let mut heard = 0;
                    move |peer: &mut Peer| {
                        if peer.take_received().is_empty() {
                            return;
                        }
                        heard += 1;
                        // The first reply of SOCKS has two bytes.
                        let first = if heads == 2 && heard == 1 { 2 } else { 100 };
                        let rest = left.split_off(first.min(left.len()));
                        peer.send(&left);
                        left = rest;
                        if left.is_empty() && (heard == heads || length < first) {
                            match stop {
                                Stop::Hang => {}
                                Stop::Close => peer.close(),
                                Stop::Reset => peer.reset(),
                            }
                        }
                    }
                });
                let proxy = ProxySettings::default();
                let proxy = proxy.with_all(&format!("{scheme}://10.0.0.7:80")).unwrap();
                let options = RequestOptions::new()
                    .proxies(proxy)
                    .proxy_tunnel(true)
                    .timeouts(Timeouts::with(|it| it.tunnel = Some(limit)));
                let mut agent = Agent::builder().defaults(options).build_on_memory(&network);
                let began = network.now();
                let outcome = run(&network, &mut agent, Request::get("http://10.0.0.2/"));
                let error = outcome.error();
                let shown = format!("{scheme}, {stop:?} after {length} bytes: {error}");
                assert_eq!(error.phase(), Some(Phase::Tunnel), "{shown}");
                assert_eq!(error.is_timeout(), matches!(stop, Stop::Hang), "{shown}");
                assert!(network.now() - began <= limit + 3 * FRAME, "{shown}");
                network.advance(FRAME);
                agent.poll();
                network.advance(FRAME);
                assert_eq!(network.open_connections(), 0, "{shown}");
            }
        }
    }
}
