//! The network is cut after each byte of a few fixed exchanges, in each direction. A request that may be
//! sent again succeeds all the same. One that may not ends once, with an error or with all of its content.

use std::path::{Path, PathBuf};
use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{Break, ConnectionFault, Direction, MemoryNetwork};
use httpoll::{
    Agent, Budget, Download, Event, PollAt, Request, RetryPolicy, agent::WebSocketOptions,
    websocket::WebSocketMessage,
};

use super::event_log::EventLog;
use super::handlers::event_data;
use super::test_server::{FILES, TestServer, address};
use crate::seeded::{Random, content};

/// More turns than any of these needs.
const MOST_TURNS: usize = 2000;

const LENGTH: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exchange {
    Get,
    Chunked,
    Put,
    Post,
    Upload,
    Download,
    Events,
    Socket,
}

pub(crate) const ALL: [Exchange; 8] = [
    Exchange::Get,
    Exchange::Chunked,
    Exchange::Put,
    Exchange::Post,
    Exchange::Upload,
    Exchange::Download,
    Exchange::Events,
    Exchange::Socket,
];

/// How an exchange ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Whole,
    Failed,
}

/// How many bytes went each way.
pub(crate) struct Moved {
    pub(crate) to_server: u64,
    pub(crate) to_client: u64,
}

impl Exchange {
    fn request(self, path: &Path) -> Request {
        let url = |rest: &str| format!("http://a.example/{rest}");
        let bytes = content(7, LENGTH);
        match self {
            Self::Get => Request::get(url("bytes/7/300")),
            Self::Chunked => Request::get(url("chunked/7/300")),
            Self::Put => Request::put(url("echo/7")).body(bytes),
            Self::Post => Request::post(url("echo/7")).body(bytes),
            Self::Upload => Request::put(url("upload/7"))
                .body(bytes)
                .expect_continue(Some(1)),
            Self::Download => {
                Request::get(url("static/2")).download_to(Download::to(path).resume(true))
            }
            Self::Events => Request::get(url("events/7/4")).event_stream(),
            Self::Socket => Request::get(url("ws/7/3")).web_socket(WebSocketOptions::new()),
        }
    }

    /// Whether its request may be sent again.
    pub(crate) fn may_repeat(self) -> bool {
        !matches!(self, Self::Post | Self::Socket)
    }
}

/// Plays one exchange; the first connection breaks like this.
pub(crate) fn play(exchange: Exchange, cut: Option<(Direction, u64)>) -> (End, Moved) {
    let network = MemoryNetwork::new();
    network.add_name("a.example", &[address().ip()]);
    network.set_latency(Duration::from_millis(2));
    network.set_connection_faults(move |_, number| {
        let (direction, bytes) = cut.filter(|_| number == 0)?;
        Some(ConnectionFault::BreakAfter {
            direction,
            bytes,
            how: Break::Reset,
        })
    });
    let log = EventLog::default();
    let mut test_server = TestServer::open(&network, &log, Random::new(1), true);
    let mut retries = RetryPolicy::default();
    retries.retries = 3;
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().retries(retries))
        .build_on_memory(&network);
    let folder = Folder::new(exchange, cut);
    let file = folder.0.join("file.bin");
    let handle = agent.send(exchange.request(&file)).unwrap();
    let mut reported = Reported::default();
    for turn in 0.. {
        assert!(turn < MOST_TURNS, "{exchange:?} {cut:?} hangs");
        let polled = agent.poll_with(&Budget::unlimited());
        while let Some(event) = agent.next_event() {
            reported.note(exchange, event, &mut agent, &file);
        }
        test_server.frame(&Budget::unlimited(), true);
        if reported.end.is_some() && polled.next == PollAt::Idle {
            break;
        }
        if reported.end.is_some() {
            agent.close_idle_connections();
        }
        network.advance(Duration::from_millis(5));
    }
    handle.detach();
    let metrics = test_server.server.metrics();
    while test_server.server.metrics().open > 0 || !test_server.tasks.is_empty() {
        test_server.frame(&Budget::unlimited(), true);
        network.advance(Duration::from_millis(5));
    }
    test_server.close();
    assert_eq!(network.open_connections(), 0, "{exchange:?} {cut:?}");
    folder.check(&file);
    let moved = Moved {
        to_server: metrics.bytes_received,
        to_client: metrics.bytes_sent,
    };
    (reported.end.unwrap(), moved)
}

#[derive(Default)]
struct Reported {
    end: Option<End>,
    events: usize,
    messages: usize,
}

impl Reported {
    fn note(&mut self, exchange: Exchange, event: Event, agent: &mut Agent, file: &Path) {
        assert!(self.end.is_none(), "reported after the end: {event:?}");
        match event {
            Event::ServerSent { event, .. } => {
                self.events += 1;
                assert_eq!(event.data, event_data(7, self.events));
            }
            Event::WebSocketOpen { id, .. } => {
                for text in ["one", "two", "three"] {
                    // An error if the WebSocket has failed already: the next event says so.
                    let _ = agent.send_message(id, text.into());
                }
            }
            Event::WebSocketMessage { id, message } => {
                let expected = ["one", "two", "three"][self.messages];
                assert_eq!(message, WebSocketMessage::from(expected));
                self.messages += 1;
                if self.messages == 3 {
                    agent.close_web_socket(id, 1000, "");
                }
            }
            Event::Done { response, .. } => {
                match exchange {
                    Exchange::Download => {
                        assert_eq!(std::fs::read(file).unwrap(), content(2, FILES[2]));
                    }
                    Exchange::Events => assert_eq!(self.events, 4),
                    Exchange::Socket => {}
                    _ => assert_eq!(response.body()[..], content(7, LENGTH)),
                }
                self.end = Some(End::Whole);
            }
            Event::Failed { .. } => {
                assert!(!file.exists());
                self.end = Some(End::Failed);
            }
            _ => {}
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(exchange: Exchange, cut: Option<(Direction, u64)>) -> Self {
        let name = format!("httpoll-cuts-{}-{exchange:?}-{cut:?}", std::process::id());
        let name: String = name.chars().filter(|it| it.is_alphanumeric()).collect();
        Self(std::env::temp_dir().join(name))
    }

    /// Nothing is left but the file.
    fn check(&self, file: &Path) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten() {
            assert_eq!(entry.unwrap().path(), file);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
