//! The server's side: its routes, whose paths say what to respond; its frames; and its owner, who closes it
//! and opens another one at the same address.

use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::server::files::{EmbeddedRoot, StaticFiles};
use httpoll::server::websocket::Options as WebSocketOptions;
use httpoll::server::{Request, Response, Server, ServerLimits, ServerTimeouts};
use httpoll::{Budget, PollAt};

use super::event_log::EventLog;
use super::handlers::{Task, Tasks, answer};
use crate::seeded::{Random, content};

/// Lengths of the static files, by number.
pub(crate) const FILES: [usize; 5] = [0, 10, 300, 3000, 40_000];

pub(crate) fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) tasks: Tasks,
    network: MemoryNetwork,
    log: EventLog,
    random: Random,
    is_calm: bool,
    /// Servers so far.
    number: usize,
    /// Its owner asked it to close.
    is_closing: bool,
}

impl TestServer {
    pub(crate) fn open(
        network: &MemoryNetwork,
        log: &EventLog,
        random: Random,
        is_calm: bool,
    ) -> Self {
        let mut random = random;
        let tasks = Tasks::default();
        let server = build(network, log, &tasks, &mut random, is_calm, 1);
        Self {
            server,
            tasks,
            network: network.clone(),
            log: log.clone(),
            random,
            is_calm,
            number: 1,
            is_closing: false,
        }
    }

    /// One poll, and the work of the game on what handlers left.
    pub(crate) fn frame(&mut self, budget: &Budget, all: bool) -> PollAt {
        let polled = self.server.poll_at(self.network.now(), budget).unwrap();
        if all || !self.random.one_in(4) {
            self.pull(all);
        }
        self.tasks.work(&mut self.random, all);
        self.log.check();
        if self.is_closing && self.server.is_closed() {
            self.replace();
        }
        polled.next
    }

    /// Responds to pulled requests, delays or drops them.
    fn pull(&mut self, all: bool) {
        while let Some(mut request) = self.server.next_request() {
            let number: usize = request.param("number").unwrap().parse().unwrap();
            let length: usize = request.param("length").unwrap().parse().unwrap();
            match self.random.below(3) {
                0 => self.tasks.put(Task::Late {
                    responder: Some(request.defer()),
                    frames: self.random.below(10),
                    answer: Some((number, length)),
                }),
                1 if !self.is_calm => drop(request),
                _ => request.respond(answer(number, content(number, length))),
            }
            if !all && self.random.one_in(2) {
                break;
            }
        }
    }

    /// Shuts the server down, gracefully or at once.
    pub(crate) fn restart(&mut self) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        if self.random.one_in(3) {
            self.log.note("closed at once".to_owned());
            self.server.close_now();
        } else {
            let deadline = Duration::from_millis(self.random.of(&[0, 100, 3000, 20_000]));
            self.log.note(format!("shutdown {deadline:?}"));
            self.server.shutdown(deadline);
        }
    }

    fn replace(&mut self) {
        self.log.check_closed(self.number, &self.server);
        assert_eq!(
            self.server
                .poll_at(self.network.now(), &Budget::unlimited())
                .unwrap()
                .next,
            PollAt::Idle
        );
        // The server is gone, so its tasks are useless.
        self.tasks.clear();
        self.is_closing = false;
        self.number += 1;
        self.server = build(
            &self.network,
            &self.log,
            &self.tasks,
            &mut self.random,
            self.is_calm,
            self.number,
        );
    }

    /// The end of the run: nothing is open and nothing is due.
    pub(crate) fn close(mut self) {
        let metrics = self.server.metrics();
        assert_eq!(metrics.open, 0, "{}", self.log.open());
        assert!(self.tasks.is_empty());
        let budget = Budget::unlimited();
        let now = self.network.now();
        let idle = self.server.poll_at(now, &budget).unwrap();
        assert_eq!(idle.next, PollAt::Io, "a timer is left");
        self.server.shutdown(Duration::from_secs(1));
        let over = self.server.poll_at(now, &budget).unwrap();
        assert_eq!(over.next, PollAt::Idle);
        assert!(self.server.is_closed() && !self.server.is_listening());
        self.log.check_closed(self.number, &self.server);
    }
}

fn build(
    network: &MemoryNetwork,
    log: &EventLog,
    tasks: &Tasks,
    random: &mut Random,
    is_calm: bool,
    number: usize,
) -> Server {
    let mut limits = ServerLimits::default();
    limits.queued_bytes = 600 + random.below(20_000);
    limits.drained_bytes = random.of(&[0, 1000, 64 * 1024]);
    let mut timeouts = ServerTimeouts::default();
    if is_calm {
        timeouts.head = None;
        timeouts.stall = None;
        timeouts.send_stall = None;
        timeouts.idle = None;
        timeouts.respond = None;
    } else {
        limits.connections = random.of(&[1, 2, 4, 256]);
        limits.connections_per_ip = random.of(&[3, 128, 128]);
        limits.requests_per_connection = random.of(&[None, Some(1), Some(4)]);
        timeouts.idle = Some(Duration::from_secs(random.of(&[1, 5, 30])));
        timeouts.respond = Some(Duration::from_secs(random.of(&[3, 30])));
    }
    let mut server = Server::builder()
        .limits(limits)
        .timeouts(timeouts)
        .on_memory(network, address())
        .unwrap();
    log.watch(&mut server, number);
    routes(&mut server, log, tasks, random);
    server
}

/// Made once: thousands of servers have them.
fn files() -> EmbeddedRoot {
    static FILES_OF_ALL: OnceLock<EmbeddedRoot> = OnceLock::new();
    let make = || {
        let mut root = EmbeddedRoot::new();
        for (file, length) in FILES.iter().enumerate() {
            root.insert(&file.to_string(), content(file, *length));
        }
        root
    };
    FILES_OF_ALL.get_or_init(make).clone()
}

fn number_of(request: &Request, name: &str) -> usize {
    request.param(name).unwrap().parse().unwrap()
}

fn routes(server: &mut Server, log: &EventLog, tasks: &Tasks, random: &mut Random) {
    server.files(StaticFiles::new("/static", files()));
    server.pull("GET", "/pulled/:number/:length").unwrap();
    answers(server, log);
    deferred(server, tasks, random);
    streams(server, tasks, random);
    stalled(server, log, tasks, random);
    sockets(server, tasks, random);
}

/// Routes that respond at once.
fn answers(server: &mut Server, log: &EventLog) {
    let bytes = |request: &mut Request| {
        let number = number_of(request, "number");
        answer(number, content(number, number_of(request, "length")))
    };
    server
        .route("GET", "/bytes/:number/:length", bytes)
        .unwrap();
    let chunked = |request: &mut Request| {
        let bytes = content(number_of(request, "number"), number_of(request, "length"));
        Response::reader(Cursor::new(bytes), None)
    };
    server
        .route("GET", "/chunked/:number/:length", chunked)
        .unwrap();
    let echo =
        |request: &mut Request| answer(number_of(request, "number"), request.body().to_vec());
    server.route("*", "/echo/:number", echo).unwrap();
    let redirect = |request: &mut Request| {
        let status = number_of(request, "status") as u16;
        let to = format!("/{}", request.param("rest").unwrap());
        Response::redirect_with(&to, status).unwrap()
    };
    server
        .route("GET", "/redirect/:status/*rest", redirect)
        .unwrap();
    let books = log.clone();
    let busy = move |request: &mut Request| {
        let (number, times) = (number_of(request, "number"), number_of(request, "times"));
        if books.is_busy(number, times) {
            return Response::status(503)
                .with_header("Retry-After", "1")
                .unwrap();
        }
        answer(number, content(number, number_of(request, "length")))
    };
    server
        .route("GET", "/busy/:number/:length/:times", busy)
        .unwrap();
    let nothing = |_: &mut Request| Response::status(404);
    server.route("GET", "/nothing/:number", nothing).unwrap();
    let panics = |_: &mut Request| -> Response {
        // Without the message that a panic prints.
        std::panic::resume_unwind(Box::new("as planned"))
    };
    server.route("GET", "/panic/:number", panics).unwrap();
}

/// Routes that keep the responder.
fn deferred(server: &mut Server, tasks: &Tasks, random: &mut Random) {
    let (later, mut numbers) = (tasks.clone(), random.branch());
    let late = move |request: &mut Request, _: &mut Response| {
        let number = number_of(request, "number");
        let length = number_of(request, "length");
        later.put(Task::Late {
            responder: Some(request.defer()),
            frames: numbers.below(20),
            answer: Some((number, length)),
        });
    };
    server.handle("GET", "/late/:number/:length", late).unwrap();
    let (later, mut numbers) = (tasks.clone(), random.branch());
    let dropped = move |request: &mut Request, _: &mut Response| {
        later.put(Task::Late {
            responder: Some(request.defer()),
            frames: numbers.below(5),
            answer: None,
        });
    };
    server.handle("GET", "/dropped/:number", dropped).unwrap();
    let later = tasks.clone();
    let upload = move |request: &mut Request, _: &mut Response| {
        let Some(content) = request.take_content() else {
            // The request has no content.
            let number = number_of(request, "number");
            request.defer().respond(answer(number, Vec::new()));
            return;
        };
        later.put(Task::Upload {
            content,
            number: number_of(request, "number"),
            responder: Some(request.defer()),
            received: Vec::new(),
        });
    };
    server
        .handle("*", "/upload/:number", upload)
        .unwrap()
        .at_head();
}

/// Redirects and refusals whose content is not wanted, and does not end for a while.
fn stalled(server: &mut Server, log: &EventLog, tasks: &Tasks, random: &mut Random) {
    let (later, mut numbers) = (tasks.clone(), random.branch());
    let mut stall = move |request: &mut Request, response: Response, may_tear: bool| {
        let mut stream = request.defer().stream(response);
        let _ = stream.write("not wanted");
        later.put(Task::Stalled {
            stream: Some(stream),
            frames: numbers.of(&[0, 3, 300]),
            may_tear,
        });
    };
    let mut redirects = stall.clone();
    let redirect = move |request: &mut Request, _: &mut Response| {
        let status = number_of(request, "status") as u16;
        let to = format!("/{}", request.param("rest").unwrap());
        redirects(request, Response::redirect_with(&to, status).unwrap(), true);
    };
    server
        .handle("GET", "/stalled/:status/*rest", redirect)
        .unwrap();
    let books = log.clone();
    let busy = move |request: &mut Request, response: &mut Response| {
        let (number, times) = (number_of(request, "number"), number_of(request, "times"));
        if books.is_busy(number, times) {
            let refusal = Response::status(503).with_header("Retry-After", "1");
            stall(request, refusal.unwrap(), false);
        } else {
            *response = answer(number, content(number, number_of(request, "length")));
        }
    };
    server
        .handle("GET", "/occupied/:number/:length/:times", busy)
        .unwrap();
}

/// Routes whose content comes in later frames.
fn streams(server: &mut Server, tasks: &Tasks, random: &mut Random) {
    for (path, is_torn) in [
        ("/stream/:number/:length", false),
        ("/torn/:number/:length", true),
    ] {
        let (later, mut numbers) = (tasks.clone(), random.branch());
        let stream = move |request: &mut Request, _: &mut Response| {
            let number = number_of(request, "number");
            let left = content(number, number_of(request, "length"));
            let torn_at = is_torn.then(|| numbers.below(left.len() + 1));
            let response = answer(number, Vec::new());
            later.put(Task::Stream {
                stream: Some(request.defer().stream(response)),
                left,
                torn_at,
            });
        };
        server.handle("GET", path, stream).unwrap();
    }
    let (later, mut numbers) = (tasks.clone(), random.branch());
    let events = move |request: &mut Request, response: &mut Response| {
        let (number, count) = (number_of(request, "number"), number_of(request, "length"));
        let last = request.header("last-event-id").unwrap_or("0");
        let last: usize = last.parse().unwrap();
        if last >= count {
            response.set_status(204);
            return;
        }
        let mut stream = request.event_stream(Response::new());
        let retry = Duration::from_millis(numbers.of(&[0, 10, 300]));
        stream.set_retry(retry).unwrap();
        later.put(Task::Events {
            stream,
            number,
            next: last + 1,
            end: (last + 1 + numbers.below(5)).min(count),
        });
    };
    server
        .handle("GET", "/events/:number/:length", events)
        .unwrap();
}

fn sockets(server: &mut Server, tasks: &Tasks, random: &mut Random) {
    let (later, mut numbers) = (tasks.clone(), random.branch());
    let socket = move |request: &mut Request, response: &mut Response| {
        let mut options = WebSocketOptions::default();
        options.config.send_queue_bytes = 3000 + numbers.below(5000);
        let messages = number_of(request, "messages");
        match request.accept_websocket(options) {
            Ok(socket) => {
                later.put(Task::Socket {
                    socket,
                    waiting: None,
                    messages,
                });
            }
            Err(refused) => *response = refused.into(),
        }
    };
    server
        .handle("GET", "/ws/:number/:messages", socket)
        .unwrap();
}
