//! A seeded simulation: a client and a server over the in-memory network, with everything at random
//! that a network or a frame loop varies: latency, short reads and writes, framing, pauses, cuts,
//! resets and silence, budgets, sizes of reads, frames in which nothing is taken.
//!
//! Each request ends once and in time: with the content that the server sent, or, when the server
//! misbehaved, with an error after a true prefix of it. Half of the seeds drive the client by `wait`
//! alone, so that a `PollAt` that promises too much hangs. A failure names its seed for [`run`].

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::proto::{Exchange, ExchangeEvent};
use httpoll::{
    Budget, Error, HttpClient, Limits, Method, Status, Timeouts, budget::BusyPoll,
    node::RequestBody,
};
use support::{server, transitions};

const SEEDS: u64 = 3000;

/// More turns than any exchange needs.
const MOST_TURNS: usize = 100_000;

/// Xorshift: the same numbers for the same seed, everywhere.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half: the lowest bits of a xorshift are its weakest.
        ((self.0 >> 32) % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Mostly small, at times large.
    fn size(&mut self) -> usize {
        let most = [1, 20, 300, 5000, 5000, 60_000][self.below(6)];
        self.below(most + 1)
    }

    fn content(&mut self) -> Vec<u8> {
        let first = self.below(256);
        (0..self.size()).map(|i| (first + i / 3) as u8).collect()
    }

    fn millis(&mut self, end: usize) -> Duration {
        Duration::from_millis(self.below(end) as u64)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    Close,
    Reset,
    Silence,
}

/// One exchange as the server will play it.
#[derive(Clone)]
struct Plan {
    random: Random,
    method: Method,
    upload: Vec<u8>,
    expects: bool,
    says_continue: bool,
    early: bool,
    code: u16,
    response: Vec<u8>,
    content: Vec<u8>,
    /// Where the content begins, if it ends with the connection.
    until_close: Option<usize>,
    cut: Option<(usize, Cut)>,
    closes_after: Option<Duration>,
    /// The connection is reset in the moment in which the last byte arrives.
    resets: bool,
}

impl Plan {
    fn new(random: &mut Random) -> Self {
        let method = [Method::Get, Method::Post, Method::Put, Method::Head][random.below(4)];
        let upload = match method {
            Method::Post | Method::Put => random.content(),
            _ => Vec::new(),
        };
        let mut response = Vec::new();
        for _ in 0..random.below(3) {
            response.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        }
        let code = [200, 200, 404, 204][random.below(4)];
        response.extend_from_slice(format!("HTTP/1.1 {code} Whatever\r\n").as_bytes());
        let body = random.content();
        let mut until_close = None;
        let mut content = body.clone();
        if code == 204 || method == Method::Head {
            if code != 204 {
                response.extend_from_slice(b"Content-Length: 7\r\n");
            }
            response.extend_from_slice(b"\r\n");
            content.clear();
        } else {
            match random.below(3) {
                0 => {
                    let head = format!("Content-Length: {}\r\n\r\n", body.len());
                    response.extend_from_slice(head.as_bytes());
                    response.extend_from_slice(&body);
                }
                1 => chunked(random, &body, &mut response),
                _ => {
                    response.extend_from_slice(b"\r\n");
                    until_close = Some(response.len());
                    response.extend_from_slice(&body);
                }
            }
        }
        let cut = random.one_in(5).then(|| {
            let how = [Cut::Close, Cut::Reset, Cut::Silence][random.below(3)];
            (random.below(response.len()), how)
        });
        Self {
            random: random.clone(),
            method,
            expects: !upload.is_empty() && random.one_in(3),
            upload,
            says_continue: random.one_in(2),
            early: random.one_in(5),
            code,
            response,
            content,
            until_close,
            cut,
            // Without a pause the end arrives together with the last byte.
            closes_after: random
                .one_in(4)
                .then(|| random.millis(100) * random.below(2) as u32),
            resets: random.one_in(10),
        }
    }

    fn answer(&self, peer: &mut Peer) {
        let mut random = self.random.clone();
        let end = self.cut.map_or(self.response.len(), |(at, _)| at);
        let mut rest = &self.response[..end];
        let mut pause = Duration::ZERO;
        let most = [rest.len() + 1, 10 + rest.len() / 8][random.below(2)];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((1 + random.below(most)).min(rest.len()));
            peer.send_after(pause, piece);
            pause += random.millis(200);
            rest = behind;
        }
        match (self.cut, self.closes_after) {
            (Some((_, Cut::Close)), _) => peer.close_after(pause),
            (Some((_, Cut::Reset)), _) => peer.reset(),
            (Some((_, Cut::Silence)), _) => {}
            (None, _) if self.until_close.is_some() => peer.close_after(pause),
            (None, _) if self.resets => peer.reset_after(pause),
            (None, Some(later)) => peer.close_after(pause + later),
            (None, None) => {}
        }
    }

    /// Whether the server hears nothing more after this exchange.
    fn is_last(&self) -> bool {
        self.cut.is_some()
            || self.until_close.is_some()
            || self.closes_after.is_some()
            || self.resets
    }

    fn body(&self, random: &mut Random) -> RequestBody {
        let length = self.upload.len() as u64;
        let source = Source {
            content: self.upload.clone(),
            random: random.clone(),
        };
        match random.below(3) {
            0 => self.upload.clone().into(),
            1 => RequestBody::reader(source, Some(length)),
            _ if length == 0 => RequestBody::none(),
            _ => RequestBody::reader(source, None),
        }
    }

    fn check(&self, content: &[u8], error: Option<&Error>, stale: bool, http: &HttpClient) {
        assert!(
            self.content.starts_with(content),
            "content that nobody sent"
        );
        if let Some(error) = error {
            assert!(self.cut.is_some() || stale, "{error}");
            return;
        }
        assert_eq!(http.get_response_code(), self.code);
        let whole = match (self.until_close, self.cut) {
            // A close is how such content ends, early or not.
            (Some(begin), Some((at, Cut::Close))) => at - begin,
            _ => self.content.len(),
        };
        assert_eq!(content.len(), whole, "{:?}", self.cut);
    }
}

fn chunked(random: &mut Random, body: &[u8], response: &mut Vec<u8>) {
    response.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    let most = 1 + body.len() / (1 + random.below(30));
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at((1 + random.below(most)).min(rest.len()));
        response.extend_from_slice(format!("{:x};a=b\r\n", chunk.len()).as_bytes());
        response.extend_from_slice(chunk);
        response.extend_from_slice(b"\r\n");
        rest = behind;
    }
    response.extend_from_slice([&b"0\r\n\r\n"[..], b"0\r\nX-Sum: 1\r\n\r\n"][random.below(2)]);
}

/// Content of a request that comes in pieces, and at times not at once.
struct Source {
    content: Vec<u8>,
    random: Random,
}

impl Read for Source {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        if self.random.one_in(3) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = dst.len().min(self.content.len());
        let count = most.min(1 + self.random.below(10_000));
        dst[..count].copy_from_slice(&self.content[..count]);
        self.content.drain(..count);
        Ok(count)
    }
}

type Plans = Arc<Mutex<Vec<Plan>>>;

fn serve(plans: Plans) -> impl FnMut(&mut Peer) + Send {
    let mut exchange = Exchange::server(Limits::default());
    let mut present: Option<Plan> = None;
    let mut upload = Vec::new();
    let mut over = false;
    move |peer: &mut Peer| {
        while !over {
            let received = exchange.receive(peer.received()).unwrap();
            let bytes = peer.take(received.consumed);
            match (received.event, &present) {
                (Some(ExchangeEvent::Request(head)), _) => {
                    let id: usize = head.target[1..].parse().unwrap();
                    let plan = plans.lock().unwrap()[id].clone();
                    if plan.early {
                        plan.answer(peer);
                    } else if plan.expects && plan.says_continue {
                        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    present = Some(plan);
                }
                (Some(ExchangeEvent::Content(range)), _) => upload.extend_from_slice(&bytes[range]),
                (Some(ExchangeEvent::End { .. }), Some(plan)) => {
                    assert!(upload == plan.upload, "an upload came out wrong");
                    if !plan.early {
                        plan.answer(peer);
                    }
                    over = plan.is_last();
                    upload.clear();
                    exchange = Exchange::server(Limits::default());
                    present = None;
                }
                (None, _) if bytes.is_empty() => return,
                _ => {}
            }
        }
        peer.take_received();
    }
}

struct Driver {
    random: Random,
    network: MemoryNetwork,
    http: HttpClient,
    waits: bool,
}

impl Driver {
    /// Drives the client while it is in one of `during`; the content that came.
    fn drive(&mut self, during: &[Status]) -> Vec<u8> {
        let mut content = Vec::new();
        for _ in 0..MOST_TURNS {
            if !during.contains(&self.http.get_status()) {
                return content;
            }
            // An error is in the status, too.
            let _ = if self.waits {
                self.http.wait(None)
            } else {
                let budget = self.budget();
                self.http.poll_at(self.network.now(), &budget)
            };
            let takes = self.waits || !self.random.one_in(4);
            while takes && self.http.get_status() == Status::Body {
                match self.http.read_response_body_chunk() {
                    Ok(piece) if !piece.is_empty() => content.extend_from_slice(&piece),
                    _ => break,
                }
            }
            if !self.waits {
                self.network.advance(self.random.millis(40));
            }
        }
        panic!("hangs in {}", self.http.get_status());
    }

    fn budget(&mut self) -> Budget {
        let most = [2000, 200_000, usize::MAX >> 1][self.random.below(3)];
        let spin_time = Duration::from_micros(20);
        let busy_polls = [
            BusyPoll::Off,
            BusyPoll::Content(spin_time),
            BusyPoll::Exchange(spin_time),
        ];
        Budget::unlimited()
            .with_bytes(64 + self.random.below(most) as u64)
            .with_busy_poll(busy_polls[self.random.below(3)])
    }
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let network = MemoryNetwork::new();
    network.set_latency(random.millis(30));
    if random.one_in(2) {
        network.set_transfer_limit(Some(1 + random.size()));
    }
    network.set_capacity(500 + random.size());
    network.add_slow_name("game.example", &[server().ip()], random.millis(500));
    let plans = Plans::default();
    let served = plans.clone();
    network.serve(server(), move || serve(served.clone()));

    let mut http = HttpClient::on_memory(&network);
    http.set_timeouts(Timeouts::with(|it| {
        it.head = Some(Duration::from_secs(20));
        it.stall = Some(Duration::from_secs(5));
    }));
    http.set_read_chunk_size(256 + random.size()).unwrap();
    let waits = random.one_in(2);
    let mut driver = Driver {
        random: random.clone(),
        network,
        http,
        waits,
    };
    let mut stale = false;
    for id in 0..1 + random.below(5) {
        if driver.http.get_status() != Status::Connected {
            driver
                .http
                .connect_to_host("game.example", 80, None)
                .unwrap();
            driver.drive(&[Status::Resolving, Status::Connecting]);
            assert_eq!(driver.http.get_status(), Status::Connected);
            stale = false;
        }
        transitions(&mut driver.http);
        let plan = Plan::new(&mut random);
        plans.lock().unwrap().push(plan.clone());
        let headers: &[&str] = if plan.expects {
            &["Expect: 100-continue"]
        } else {
            &[]
        };
        let body = plan.body(&mut random);
        driver
            .http
            .request(plan.method, &format!("/{id}"), headers, body)
            .unwrap();
        let content = driver.drive(&[Status::Requesting, Status::Body]);

        let http = &mut driver.http;
        plan.check(&content, http.get_error(), stale, http);
        let seen = transitions(http);
        assert_eq!(seen.last(), Some(&http.get_status()));
        let asked = seen.iter().filter(|it| **it == Status::Requesting).count();
        assert_eq!(asked, 1, "{seen:?}");
        stale |= plan.closes_after.is_some() || plan.resets;
    }
}

#[test]
fn each_request_ends_once_with_the_right_content_or_an_error() {
    for seed in 1..=SEEDS {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
