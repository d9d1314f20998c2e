//! One request: what it asks for, what must come of it, and what came.

use std::path::{Path, PathBuf};
use std::time::Duration;

use httpoll::{
    Download, Error, ErrorKind, Priority, Request, RequestHandle, RequestId, Response,
    agent::WebSocketOptions, limits::Limit, node::RequestBody, websocket::WebSocketMessage,
};

use super::test_server::FILES;
use crate::seeded::{HesitantReader, Random, content};

pub(crate) const PRIORITIES: [Priority; 4] = [
    Priority::Gameplay,
    Priority::Interface,
    Priority::Streaming,
    Priority::Background,
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Takes {
    Collected,
    Streamed,
    Saved,
    Events,
    Socket,
}

/// What a working server sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expected {
    Content,
    /// The content, or this status.
    Or(u16),
    /// Content that is cut short; whole only if nothing was left to cut.
    Torn,
}

/// A request and what was reported of it.
pub(crate) struct TrackedRequest {
    pub(crate) url: String,
    pub(crate) handle: Option<RequestHandle>,
    pub(crate) takes: Takes,
    pub(crate) expected: Expected,
    /// What a success brings.
    pub(crate) content: Vec<u8>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) keeps: bool,
    pub(crate) streamed: Vec<u8>,
    /// Events or messages so far.
    pub(crate) received: usize,
    /// How many there must be in the end, and how many messages were sent.
    pub(crate) messages: usize,
    pub(crate) said: usize,
    pub(crate) is_open: bool,
    pub(crate) is_over: bool,
    pub(crate) is_paused: bool,
}

/// One message of a WebSocket.
pub(crate) fn message(number: usize, index: usize) -> WebSocketMessage {
    let bytes = content(number + index, index * 131 % 1500);
    match index % 2 {
        0 => WebSocketMessage::Binary(bytes.into()),
        _ => WebSocketMessage::Text(format!("{number} {index} {}", "y".repeat(bytes.len()))),
    }
}

impl TrackedRequest {
    fn new(content: Vec<u8>) -> Self {
        Self {
            url: String::new(),
            handle: None,
            takes: Takes::Collected,
            expected: Expected::Content,
            content,
            file: None,
            keeps: false,
            streamed: Vec::new(),
            received: 0,
            messages: 0,
            said: 0,
            is_open: false,
            is_over: false,
            is_paused: false,
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.url.split('/').nth(4).unwrap().parse().unwrap()
    }

    /// Any request, with this number.
    pub(crate) fn any(
        random: &mut Random,
        number: usize,
        most: usize,
        folder: Option<&Path>,
        is_calm: bool,
    ) -> (Request, Self) {
        let most = random.of(&[1, 20, 300, most, most]);
        let length = random.below(most + 1);
        let mut tracked = Self::new(content(number, length));
        let path = tracked.path(random, number, length);
        tracked.url = format!("http://a.example/{path}");
        let url = tracked.url.clone();
        let request = match path.split('/').next() {
            Some("echo" | "upload") => {
                let method = random.of(&["POST", "PUT"]);
                let body = body(&tracked.content, random);
                Request::with_method_name(method, url).body(body)
            }
            Some("bytes" | "static") if random.one_in(8) => {
                tracked.content.clear();
                Request::head(url)
            }
            _ => Request::get(url),
        };
        let request = tracked.take(request, random, number, folder);
        (dress(request, random, is_calm), tracked)
    }

    fn path(&mut self, random: &mut Random, number: usize, length: usize) -> String {
        let place = format!("{number}/{length}");
        match random.below(19) {
            0 | 1 => format!("bytes/{place}"),
            2 => format!("chunked/{place}"),
            3 | 4 => format!("echo/{number}"),
            5 | 6 => format!("upload/{number}"),
            7 | 8 => format!("late/{place}"),
            9 => {
                self.expected = Expected::Or(500);
                format!("{}/{number}", random.of(&["dropped", "panic"]))
            }
            10 => format!("stream/{place}"),
            11 => {
                self.expected = Expected::Torn;
                format!("torn/{place}")
            }
            12 => {
                self.expected = Expected::Or(500);
                format!("pulled/{place}")
            }
            13 => {
                let status = random.of(&[301, 302, 303, 307, 308]);
                let times = random.below(3);
                let kind = random.of(&["redirect", "stalled"]);
                format!("{kind}/{status}/").repeat(times) + &format!("bytes/{place}")
            }
            14 => {
                self.expected = Expected::Or(503);
                let kind = random.of(&["busy", "occupied"]);
                format!("{kind}/{place}/{}", random.below(3))
            }
            15 => {
                let file = random.below(FILES.len());
                self.content = content(file, FILES[file]);
                format!("static/{file}")
            }
            16 => {
                self.expected = Expected::Or(404);
                format!("nothing/{number}")
            }
            17 => {
                self.takes = Takes::Events;
                self.messages = 1 + length % 12;
                format!("events/{number}/{}", self.messages)
            }
            _ => {
                self.takes = Takes::Socket;
                self.messages = 1 + length % 9;
                let most = random.of(&[self.messages, self.messages, 2]);
                format!("ws/{number}/{most}")
            }
        }
    }

    /// Decides in which form the content is wanted.
    fn take(
        &mut self,
        request: Request,
        random: &mut Random,
        number: usize,
        folder: Option<&Path>,
    ) -> Request {
        match self.takes {
            Takes::Events => return request.event_stream(),
            Takes::Socket => return request.web_socket(WebSocketOptions::new()),
            _ if request.method() == "HEAD" => return request,
            _ => {}
        }
        if random.one_in(3) {
            self.takes = Takes::Streamed;
            return request.stream();
        }
        if let Some(folder) = folder
            && request.method() == "GET"
            && random.one_in(2)
        {
            self.takes = Takes::Saved;
            let path = folder.join(format!("{number}.bin"));
            self.keeps = random.one_in(2);
            let download = Download::to(&path).resume(self.keeps);
            self.file = Some(path);
            return request.download_to(download);
        }
        request
    }

    pub(crate) fn check_done(&self, id: RequestId, response: &Response, is_calm: bool) {
        let status = response.status().as_u16();
        match self.takes {
            Takes::Events => {
                assert_eq!(status, 204, "{id}");
                assert_eq!(self.received, self.messages, "{id}");
                return;
            }
            Takes::Socket => {
                assert_eq!(status, 101, "{id}");
                return;
            }
            _ => {}
        }
        if !response.status().is_success() {
            let is_planned = self.expected == Expected::Or(status);
            // A timeout of the server may have run out.
            assert!(
                is_planned || !is_calm && matches!(status, 408 | 504),
                "{id} {} got {status}",
                self.url
            );
            return;
        }
        let found = match self.takes {
            Takes::Streamed => self.streamed.clone(),
            Takes::Saved => std::fs::read(self.file.as_ref().unwrap()).unwrap(),
            _ => response.body().to_vec(),
        };
        assert!(
            self.content == found,
            "{id} {}: {} bytes of {}",
            self.url,
            found.len(),
            self.content.len()
        );
    }

    pub(crate) fn check_failed(
        &self,
        id: RequestId,
        error: &Error,
        response: Option<&Response>,
        is_calm: bool,
    ) {
        // A download fails unless the status is a success.
        let is_planned = self.expected == Expected::Torn
            || self.takes == Takes::Saved && self.expected != Expected::Content;
        assert!(
            is_planned || !is_calm,
            "{id} {} failed: {error} {error:?}",
            self.url
        );
        if let Some(response) = response
            && response.status().is_success()
            && matches!(self.takes, Takes::Streamed | Takes::Collected)
        {
            let found = match self.takes {
                Takes::Streamed => &self.streamed[..],
                _ => response.body(),
            };
            assert!(
                self.content.starts_with(found),
                "{id} {}: {} bytes that nobody sent, of {}, then {error}",
                self.url,
                found.len(),
                self.content.len()
            );
        }
        if let Some(path) = &self.file {
            assert!(!path.exists(), "{id} left a file: {error}");
        }
        let is_too_large = matches!(error.kind(), ErrorKind::Limit(Limit::BodyBytes(_)));
        assert!(!is_too_large, "{id} {error}");
    }
}

fn dress(request: Request, random: &mut Random, is_calm: bool) -> Request {
    let mut request = request.priority(random.of(&PRIORITIES));
    if random.one_in(6) {
        let rate = 1000 + random.below(50_000) as u64;
        request = request.rate_limit(Some(rate));
    }
    if random.one_in(4) {
        request = request.expect_continue(random.of(&[None, Some(1)]));
    }
    if !is_calm && random.one_in(8) {
        let limit = Duration::from_millis(random.below(4000) as u64);
        request = match random.below(2) {
            0 => request.total_timeout(limit),
            _ => request.queue_timeout(limit),
        };
    }
    request.report_heads(random.one_in(4))
}

fn body(content: &[u8], random: &mut Random) -> RequestBody {
    let source = HesitantReader::new(content, random.branch());
    match random.below(3) {
        0 => content.to_vec().into(),
        1 => RequestBody::reader(source, Some(content.len() as u64)),
        _ => RequestBody::reader(source, None),
    }
}
