//! A node next to the agent: one connection, one request after another, and a caller who closes it at any
//! time.

use httpoll::memory::MemoryNetwork;
use httpoll::{Budget, HttpClient, Method, PollAt, Status, Timeouts};

use super::event_log::EventLog;
use crate::seeded::{Random, content};

pub(crate) struct Node {
    http: HttpClient,
    random: Random,
    network: MemoryNetwork,
    log: EventLog,
    /// The content that the present request must bring, and what was received.
    expected: Option<Vec<u8>>,
    received: Vec<u8>,
    /// Requests that it still makes.
    left: usize,
    is_calm: bool,
    number: usize,
}

impl Node {
    pub(crate) fn new(
        network: &MemoryNetwork,
        log: &EventLog,
        mut random: Random,
        is_calm: bool,
        number: usize,
    ) -> Self {
        let mut http = HttpClient::on_memory(network);
        if !is_calm {
            http.set_timeouts(Timeouts::with(|it| {
                it.resolve = Some(std::time::Duration::from_secs(2));
                it.connect = Some(std::time::Duration::from_secs(3));
                it.head = Some(std::time::Duration::from_secs(4));
                it.stall = Some(std::time::Duration::from_secs(2));
            }));
        }
        Self {
            http,
            left: 1 + random.below(5),
            random,
            network: network.clone(),
            log: log.clone(),
            expected: None,
            received: Vec::new(),
            is_calm,
            number,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left == 0 && self.http.get_status() == Status::Disconnected
    }

    /// One frame: a poll, and the next thing to be done.
    pub(crate) fn frame(&mut self, budget: &Budget, all: bool) -> PollAt {
        if self.http.get_status() == Status::Disconnected {
            if self.left == 0 {
                return PollAt::Idle;
            }
            self.http.connect_to_host("a.example", 80, None).unwrap();
        }
        let polled = self.http.poll_at(self.network.now(), budget);
        let mut next = polled.as_ref().map_or(PollAt::Now, |polled| polled.next);
        if !all && self.random.one_in(4) {
            return next;
        }
        while self.http.get_status() == Status::Body {
            match self.http.read_response_body_chunk() {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => self.received.extend_from_slice(&chunk),
                Err(_) => break,
            }
            if !all && self.random.one_in(3) {
                break;
            }
        }
        match self.http.get_status() {
            Status::Connected => {
                self.check_whole();
                next = PollAt::Now;
                if self.left == 0 {
                    self.http.close();
                } else {
                    self.ask();
                }
            }
            status if status.is_error() => {
                self.check_failed();
                self.http.close();
                next = PollAt::Now;
            }
            Status::Disconnected => self.check_whole(),
            _ if !self.is_calm && !all && self.random.one_in(40) => {
                self.note("closes");
                self.expected = None;
                self.http.close();
                next = PollAt::Now;
            }
            _ => {}
        }
        next
    }

    fn note(&self, what: &str) {
        self.log.note(format!("node {} {what}", self.number));
    }

    fn ask(&mut self) {
        self.left -= 1;
        let length = self.random.below(5000);
        let bytes = content(self.number, length);
        let number = self.number;
        self.received.clear();
        let result = match self.random.below(3) {
            0 => {
                let path = format!("/echo/{number}");
                self.http.request(Method::Put, &path, &[], bytes.clone())
            }
            1 => {
                let path = format!("/late/{number}/{length}");
                self.http.request(Method::Get, &path, &[], "")
            }
            _ => {
                let path = format!("/chunked/{number}/{length}");
                self.http.request(Method::Get, &path, &[], "")
            }
        };
        result.unwrap();
        self.expected = Some(bytes);
        self.note(&format!("asks for {length} bytes"));
    }

    /// The present request is over, and its content is whole.
    fn check_whole(&mut self) {
        if let Some(expected) = self.expected.take() {
            let code = self.http.get_response_code();
            self.note(&format!("got {code}, {} bytes", self.received.len()));
            if code == 200 {
                assert!(expected == self.received, "node {}", self.number);
            } else {
                assert!(!self.is_calm && matches!(code, 408 | 504), "{code}");
            }
        }
    }

    fn check_failed(&mut self) {
        let error = self.http.get_error().unwrap().to_string();
        self.note(&format!("failed: {error}"));
        assert!(!self.is_calm, "node {}: {error}", self.number);
        if let Some(expected) = self.expected.take()
            && self.http.get_response_code() == 200
        {
            assert!(expected.starts_with(&self.received));
        } else if self.expected.is_none() && self.left > 0 {
            // It could not connect. Do not try a dead server for ever.
            self.left -= 1;
        }
    }
}
