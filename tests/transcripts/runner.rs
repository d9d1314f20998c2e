//! Plays one side of a transcript through an `Exchange`, and writes down what comes out.

use httpoll::Limits;
use httpoll::proto::{BodyLength, Exchange, ExchangeEvent, FieldLines, RequestHead, Role};

use super::unescape;

/// Our machine, the bytes that it has not consumed, and what came out of it.
pub(crate) struct Runner {
    role: Role,
    limits: Limits,
    exchange: Exchange,
    buffer: Vec<u8>,
    log: Vec<String>,
    failed: bool,
    request: Option<RequestHead>,
    /// The other role's machine: takes our own bytes apart, so that they can be sent.
    mirror: Option<Exchange>,
}

impl Runner {
    /// A machine of this role on a new connection.
    pub(crate) fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            limits: limits.clone(),
            exchange: match role {
                Role::Client => Exchange::client(limits.clone()),
                Role::Server => Exchange::server(limits.clone()),
            },
            buffer: Vec::new(),
            log: Vec::new(),
            failed: false,
            request: None,
            mirror: None,
        }
    }

    /// Gives bytes of the peer.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.drain();
    }

    /// Whether the connection can carry another exchange.
    pub(crate) fn is_reusable(&self) -> bool {
        self.exchange.is_done() && self.exchange.clone().next_cycle().is_ok()
    }

    /// Whether these bytes are the last that are not consumed.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        self.buffer.ends_with(bytes)
    }

    /// All that came out, and what was not consumed unless it failed.
    pub(crate) fn take_everything(self) -> (Vec<String>, Vec<u8>) {
        let rest = if self.failed { Vec::new() } else { self.buffer };
        (self.log, rest)
    }

    fn drain(&mut self) {
        if self.failed {
            return;
        }
        loop {
            let received = match self.exchange.receive(&self.buffer) {
                Ok(received) => received,
                Err(error) => {
                    self.failed = true;
                    return self.log.push(format!("error {error:?}"));
                }
            };
            assert!(received.consumed <= self.buffer.len());
            match received.event {
                Some(event) => self.note(event, received.consumed),
                None => {
                    self.buffer.drain(..received.consumed);
                    return;
                }
            }
            self.buffer.drain(..received.consumed);
        }
    }

    /// The peer closes its side.
    pub(crate) fn eof(&mut self) {
        match self.exchange.receive_eof() {
            Ok(event) => self.note(event, 0),
            Err(error) => self.log.push(format!("error {error:?}")),
        }
    }

    /// Starts the next cycle.
    pub(crate) fn next(&mut self, name: &str) {
        assert_eq!(self.exchange.next_cycle(), Ok(()), "{name}: next cycle");
        (self.request, self.mirror) = (None, None);
        if self.role == Role::Server {
            self.drain();
        }
    }

    fn note(&mut self, event: ExchangeEvent, consumed: usize) {
        let fields = |fields: &FieldLines, kind: &str| {
            let line =
                |(name, value): (&str, &[u8])| format!("{kind} {name}: {}", value.escape_ascii());
            fields.iter().map(line).collect::<Vec<_>>()
        };
        match event {
            ExchangeEvent::Request(head) => {
                let (method, target, version) = (&head.method, &head.target, head.version);
                self.log
                    .push(format!("request {method} {target} {version:?}"));
                self.log.extend(fields(&head.fields, "field"));
                self.request = Some(head);
            }
            ExchangeEvent::Interim(head) | ExchangeEvent::Response(head) => {
                let is_final = !head.status.is_informational() || head.status == 101;
                let kind = if is_final { "response" } else { "interim" };
                let (status, version) = (head.status.as_u16(), head.version);
                let line = format!("{kind} {status} {version:?} {}", head.reason);
                self.log.push(line.trim_end().to_owned());
                self.log.extend(fields(&head.fields, "field"));
            }
            ExchangeEvent::Content(range) => {
                assert!(!range.is_empty() && range.end <= consumed);
                let piece = self.buffer[range].escape_ascii().to_string();
                match self.log.last_mut() {
                    Some(line) if line.starts_with("content ") => line.push_str(&piece),
                    _ => self.log.push(format!("content {piece}")),
                }
            }
            ExchangeEvent::End { trailers } => {
                self.log.extend(fields(&trailers, "trailer"));
                self.log.push("end".to_owned());
            }
            ExchangeEvent::Switched => self.log.push("switched".to_owned()),
            other => unreachable!("{other:?}"),
        }
    }

    /// Sends our own side's bytes through the machine.
    pub(crate) fn send(&mut self, bytes: &[u8], name: &str) {
        let mut mirror = match self.mirror.take() {
            Some(mirror) => mirror,
            None => self.new_mirror(),
        };
        let (mut out, mut rest) = (Vec::new(), bytes);
        let exchange = &mut self.exchange;
        loop {
            let received = mirror.receive(rest).unwrap();
            match received.event {
                None => break,
                Some(ExchangeEvent::Request(head)) => {
                    let body = declared(&head.fields, &mirror);
                    exchange.send_request(&head, body, &mut out).unwrap();
                }
                Some(ExchangeEvent::Interim(head)) => {
                    exchange
                        .send_response(&head, BodyLength::None, &mut out)
                        .unwrap();
                }
                Some(ExchangeEvent::Response(head)) => {
                    let body = declared(&head.fields, &mirror);
                    exchange.send_response(&head, body, &mut out).unwrap();
                }
                Some(ExchangeEvent::Content(range)) => {
                    exchange.send_content(&rest[range], &mut out).unwrap();
                }
                Some(ExchangeEvent::End { trailers }) => {
                    exchange.finish(&trailers, &mut out).unwrap()
                }
                Some(ExchangeEvent::Switched) => {}
                Some(other) => unreachable!("{other:?}"),
            }
            rest = &rest[received.consumed..];
        }
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(text(&out), text(bytes), "{name}: what we sent");
        self.mirror = Some(mirror);
        self.drain();
    }

    fn new_mirror(&self) -> Exchange {
        if self.role == Role::Client {
            return Exchange::server(self.limits.clone());
        }
        let mut mirror = Exchange::client(self.limits.clone());
        let mut head = self.request.clone().unwrap_or_else(|| {
            let request = b"GET / HTTP/1.1\r\nHost: unreadable\r\n\r\n";
            match Exchange::server(Limits::default()).receive(request) {
                Ok(received) => match received.event {
                    Some(ExchangeEvent::Request(head)) => head,
                    _ => unreachable!(),
                },
                Err(error) => panic!("{error:?}"),
            }
        });
        head.fields.remove("content-length");
        head.fields.remove("transfer-encoding");
        mirror
            .send_request(&head, BodyLength::None, &mut Vec::new())
            .unwrap();
        mirror
    }

    /// The events since the last call, without the field lines that the file does not name.
    pub(crate) fn take_log(&mut self, expected: &[String]) -> Vec<String> {
        let mut log = std::mem::take(&mut self.log);
        log.retain(|line| !line.starts_with("field ") || expected.contains(line));
        log
    }

    /// Checks one `?` line.
    pub(crate) fn check(&self, state: &str, garbage: &[u8], name: &str) {
        let (negated, state) = match state.strip_prefix("not ") {
            Some(state) => (true, state),
            None => (false, state),
        };
        let (what, value) = state.split_once(' ').unwrap_or((state, ""));
        let exchange = &self.exchange;
        let holds = match what {
            "persistence" => {
                let persistence = format!("{:?}", exchange.persistence());
                assert_eq!(persistence, value, "{name}: persistence");
                true
            }
            "length" => {
                let length = exchange.content_length();
                let length = length.map_or("unknown".to_owned(), |length| length.to_string());
                assert_eq!(length, value, "{name}: length");
                true
            }
            "rest" => {
                let expected = [&unescape(value), garbage].concat();
                assert_eq!(self.buffer, expected, "{name}: rest");
                true
            }
            "chunked" => exchange.is_chunked(),
            "done" => exchange.is_done(),
            "buffered" => exchange.buffered(),
            "awaits_continue" => exchange.awaits_continue(),
            "wants_continue" => exchange.wants_continue(),
            _ => panic!("{name}: what is this state? {state}"),
        };
        assert_ne!(holds, negated, "{name}: {state}");
    }
}

/// The framing of a head's content.
fn declared(fields: &FieldLines, mirror: &Exchange) -> BodyLength {
    match fields.get("content-length") {
        Some(length) => BodyLength::Known(std::str::from_utf8(length).unwrap().parse().unwrap()),
        None if fields.contains("transfer-encoding") || mirror.content_length().is_none() => {
            BodyLength::Unknown
        }
        None => BodyLength::None,
    }
}
