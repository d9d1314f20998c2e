//! Both roles of `httpoll::proto::Exchange`, fed with what a peer sends, over as many cycles as the
//! connection may be reused for. What is said must not depend on how the bytes were cut.

use http::{Method, StatusCode, Version};
use httpoll::proto::{
    BodyLength, Exchange, ExchangeEvent, FieldLines, Persistence, RequestHead, ResponseHead,
};
use httpoll::{ErrorKind, Limits};

use crate::Choices;

/// More exchanges than this on one connection are not looked at.
const MOST_CYCLES: usize = 8;

/// What a machine said, pieces of content joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Event(ExchangeEvent),
    Content(Vec<u8>),
    Failed(ErrorKind),
    /// How an exchange ended.
    Cycle {
        persistence: Persistence,
        content_length: Option<u64>,
        chunked: bool,
    },
    /// What was not consumed.
    Rest(Vec<u8>),
}

/// A client that asks again and again.
pub fn client<'a>(choices: &Choices, input: impl Iterator<Item = &'a [u8]>) -> Vec<Said> {
    let mut choices = choices.clone();
    let limits = limits(&mut choices);
    let ends = choices.flag();
    let mut run = Run::new(Exchange::client(limits.clone()), limits);
    run.ask(&mut choices);
    for piece in input {
        run.receive(piece, |run| run.next_request(&mut choices));
    }
    if ends {
        run.receive_eof();
    }
    run.finish()
}

/// A server that answers what it is asked.
pub fn server<'a>(choices: &Choices, input: impl Iterator<Item = &'a [u8]>) -> Vec<Said> {
    let mut choices = choices.clone();
    let limits = limits(&mut choices);
    let ends = choices.flag();
    let mut run = Run::new(Exchange::server(limits.clone()), limits);
    for piece in input {
        run.receive(piece, |run| run.answer(&mut choices));
    }
    if ends {
        run.receive_eof();
    }
    run.finish()
}

fn limits(choices: &mut Choices) -> Limits {
    let mut limits = Limits::default();
    if choices.flag() {
        limits.head_bytes = 200;
        limits.header_count = 4;
        limits.line_bytes = 60;
        limits.chunk_extension_bytes = 10;
        limits.trailer_bytes = 40;
        limits.trailer_count = 2;
        limits.interim_responses = 2;
    }
    limits
}

struct Run {
    exchange: Exchange,
    limits: Limits,
    unread: Vec<u8>,
    said: Vec<Said>,
    out: Vec<u8>,
    cycles: usize,
    /// Bytes of content in this cycle.
    content: u64,
    is_over: bool,
}

impl Run {
    fn new(exchange: Exchange, limits: Limits) -> Self {
        Self {
            exchange,
            limits,
            unread: Vec::new(),
            said: Vec::new(),
            out: Vec::new(),
            cycles: 0,
            content: 0,
            is_over: false,
        }
    }

    fn receive(&mut self, piece: &[u8], mut ended: impl FnMut(&mut Self)) {
        self.unread.extend_from_slice(piece);
        let mut calls = 0;
        while !self.is_over {
            // Each call takes bytes or says something, and says little that takes none.
            calls += 1;
            assert!(calls <= 8 * (self.unread.len() + 8), "it goes in circles");
            let received = match self.exchange.receive(&self.unread) {
                Ok(received) => received,
                Err(error) => {
                    let again = self.exchange.receive(&self.unread).unwrap_err();
                    assert_eq!(again, error, "a failed machine stays failed");
                    assert_ne!(self.exchange.persistence(), Persistence::Reuse);
                    self.fail(error);
                    break;
                }
            };
            assert!(received.consumed <= self.unread.len());
            let is_end = matches!(received.event, Some(ExchangeEvent::End { .. }));
            let is_nothing = received.event.is_none();
            if let Some(ExchangeEvent::Content(range)) = &received.event {
                assert!(!range.is_empty() && range.end <= received.consumed);
                let content = self.unread[range.clone()].to_vec();
                self.content(&content);
            }
            if let Some(event) = received.event {
                self.tell(event);
            }
            self.unread.drain(..received.consumed);
            if is_end {
                ended(self);
            } else if is_nothing {
                break;
            }
        }
    }

    fn receive_eof(&mut self) {
        for _ in 0..4 {
            if self.is_over {
                return;
            }
            match self.exchange.receive_eof() {
                Ok(ExchangeEvent::Content(_)) => panic!("content without bytes"),
                Ok(event) => self.tell(event),
                Err(error) => self.fail(error),
            }
        }
        assert!(self.is_over, "the end of a connection ends no exchange");
    }

    fn tell(&mut self, event: ExchangeEvent) {
        match &event {
            ExchangeEvent::Request(RequestHead { fields, .. })
            | ExchangeEvent::Interim(ResponseHead { fields, .. })
            | ExchangeEvent::Response(ResponseHead { fields, .. }) => {
                assert!(fields.len() <= self.limits.header_count);
                check(fields);
            }
            ExchangeEvent::End { trailers } => {
                assert!(trailers.len() <= self.limits.trailer_count);
                check(trailers);
                if let Some(length) = self.exchange.content_length() {
                    assert_eq!(length, self.content, "{:?}", self.said);
                }
            }
            ExchangeEvent::Content(_) => return,
            ExchangeEvent::Switched => self.is_over = true,
            _ => {}
        }
        self.said.push(Said::Event(event));
    }

    fn content(&mut self, bytes: &[u8]) {
        self.content += bytes.len() as u64;
        match self.said.last_mut() {
            Some(Said::Content(content)) => content.extend_from_slice(bytes),
            _ => self.said.push(Said::Content(bytes.to_vec())),
        }
    }

    fn fail(&mut self, error: ErrorKind) {
        self.said.push(Said::Failed(error));
        self.is_over = true;
    }

    /// Ends this exchange and begins the next, if that may be; `false` when not.
    fn next_cycle(&mut self) -> bool {
        let persistence = self.exchange.persistence();
        self.said.push(Said::Cycle {
            persistence,
            content_length: self.exchange.content_length(),
            chunked: self.exchange.is_chunked(),
        });
        self.cycles += 1;
        let goes_on = self.exchange.next_cycle().is_ok();
        assert_eq!(goes_on, persistence == Persistence::Reuse);
        self.content = 0;
        self.is_over = !goes_on || self.cycles == MOST_CYCLES;
        !self.is_over
    }

    fn next_request(&mut self, choices: &mut Choices) {
        if self.next_cycle() {
            self.ask(choices);
        }
    }

    fn ask(&mut self, choices: &mut Choices) {
        let mut head = RequestHead {
            method: [Method::GET, Method::HEAD, Method::POST, Method::CONNECT]
                [choices.bits(2) as usize]
                .clone(),
            target: "/".to_owned(),
            version: Version::HTTP_11,
            fields: FieldLines::new(),
        };
        let mut lines = vec![("Host", "a.example")];
        if head.method == Method::CONNECT {
            head.target = "a.example:443".to_owned();
        } else {
            match choices.bits(3) {
                1 => lines.push(("Connection", "close")),
                2 => head.version = Version::HTTP_10,
                3 => lines.extend([("Connection", "Upgrade"), ("Upgrade", "websocket")]),
                4 => lines.push(("Expect", "100-continue")),
                _ => {}
            }
        }
        for (name, value) in lines {
            head.fields.append(name, value).unwrap();
        }
        let body = match head.method {
            Method::POST if head.version != Version::HTTP_10 => BodyLength::Unknown,
            Method::POST => BodyLength::Known(2),
            _ => BodyLength::None,
        };
        self.exchange
            .send_request(&head, body, &mut self.out)
            .unwrap();
        if body != BodyLength::None {
            self.exchange.send_content(b"hi", &mut self.out).unwrap();
            self.exchange
                .finish(&FieldLines::new(), &mut self.out)
                .unwrap();
        }
        self.out.clear();
    }

    fn answer(&mut self, choices: &mut Choices) {
        let Some(Said::Event(ExchangeEvent::Request(request))) = self
            .said
            .iter()
            .rev()
            .find(|said| matches!(said, Said::Event(ExchangeEvent::Request(_))))
        else {
            panic!("an end without a request");
        };
        let mut fields = FieldLines::new();
        let (status, body) = match choices.bits(3) {
            _ if request.method == Method::CONNECT => (405, BodyLength::None),
            0 | 1 => (200, BodyLength::Known(2)),
            2 | 3 => (200, BodyLength::Unknown),
            4 => (204, BodyLength::None),
            5 => (304, BodyLength::Known(2)),
            6 => {
                fields.append("Connection", "close").unwrap();
                (404, BodyLength::None)
            }
            _ => {
                fields.append("Connection", "Upgrade").unwrap();
                fields.append("Upgrade", "websocket").unwrap();
                (101, BodyLength::None)
            }
        };
        let head = ResponseHead {
            version: Version::HTTP_11,
            status: StatusCode::from_u16(status).unwrap(),
            reason: "".into(),
            fields,
        };
        let sent = self.exchange.send_response(&head, body, &mut self.out);
        if status != 101 {
            sent.unwrap();
            if body != BodyLength::None {
                self.exchange.send_content(b"hi", &mut self.out).unwrap();
            }
            self.exchange
                .finish(&FieldLines::new(), &mut self.out)
                .unwrap();
            self.next_cycle();
        } else if sent.is_err() {
            self.is_over = true;
        }
        self.out.clear();
    }

    fn finish(mut self) -> Vec<Said> {
        // How much is consumed with an error, nobody is told.
        if !matches!(self.said.last(), Some(Said::Failed(_))) {
            self.said.push(Said::Rest(self.unread));
        }
        self.said
    }
}

/// No field line can inject another.
fn check(fields: &FieldLines) {
    for (name, value) in fields.iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(
            !value
                .iter()
                .any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
        );
    }
}
