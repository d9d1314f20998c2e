//! What is asked for: [`Request`]. It is a value: nothing is looked up, opened or sent before an agent
//! sends it, and an invalid request is reported then.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | method, URL, query, headers, and where the response goes |
//! | `content` | the content to send |
//! | `options` | short forms of [`RequestOptions`](super::RequestOptions) |
//! | `display` | what a log may show of a request |

mod content;
mod display;
mod options;

use std::fmt;

use http::Method;

use super::content::Content;
use super::download::Download;
use super::options::RequestOptions;
use super::output::Output;
use crate::error::{Error, Misuse};
use crate::proto::FieldLines;
use crate::semantics::frames::Framing;
use crate::semantics::range::{RangeSpec, range_field};

/// One HTTP request (RFC 9110 §3.4): what to send, and the options that differ from the agent's defaults.
///
/// A `Request` stands alone until it is given to [`Agent::send`](crate::Agent::send). The verbs of the agent
/// ([`Agent::get`](crate::Agent::get) and others) return a `Request<&mut Agent>`: it has the same methods, and
/// [`send`](Request::send).
///
/// No method of the builder fails. The first invalid value (an invalid header, content given twice) is
/// reported when the request is sent.
///
/// ```
/// use httpoll::{Priority, Request};
///
/// let request = Request::get("https://game.example/scores")
///     .query("season", 7)
///     .header("Accept", "application/json")
///     .priority(Priority::Interface);
/// assert_eq!(request.to_string(), "GET https://game.example/scores?(hidden)\nAccept: application/json\n");
/// ```
#[must_use = "a request does nothing until an agent sends it"]
pub struct Request<S = ()> {
    pub(super) parts: RequestParts,
    /// The agent that sends it; `()` for a request that stands alone.
    pub(super) sender: S,
}

/// What a request consists of.
pub(super) struct RequestParts {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: Vec<(String, Option<String>)>,
    /// The caller's headers. They replace the agent's default headers of the same name.
    pub(super) fields: FieldLines,
    /// Names of default headers that must not be sent.
    pub(super) without: Vec<String>,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) content: Content,
    pub(super) output: Output,
    pub(super) options: RequestOptions,
    /// The first mistake.
    pub(super) fault: Option<Error>,
}

impl Request {
    /// A request with any method. `url` is absolute, or relative to the agent's
    /// [base URL](crate::agent::AgentBuilder::base_url).
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self::with_sender((), method, url.into())
    }

    /// A `GET` request (RFC 9110 §9.3.1).
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `HEAD` request (RFC 9110 §9.3.2): the response has the head of a `GET` and no content.
    pub fn head(url: impl Into<String>) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// A `POST` request (RFC 9110 §9.3.3).
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }

    /// A `PUT` request (RFC 9110 §9.3.4).
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::PUT, url)
    }

    /// A `DELETE` request (RFC 9110 §9.3.5).
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// An `OPTIONS` request (RFC 9110 §9.3.7). For the options of a request see
    /// [`with_options`](Self::with_options).
    pub fn options(url: impl Into<String>) -> Self {
        Self::new(Method::OPTIONS, url)
    }

    /// A `TRACE` request (RFC 9110 §9.3.8). The server sends back what it received, so neither cookies nor
    /// [`credentials`](Self::credentials) are sent with it. A header that you add yourself is sent as it is.
    pub fn trace(url: impl Into<String>) -> Self {
        Self::new(Method::TRACE, url)
    }

    /// A `PATCH` request (RFC 5789).
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// A request with a method by name. The nine registered methods are recognized in any case: `"get"` is
    /// `GET`. Other names are sent as given (methods are case-sensitive, RFC 9110 §9.1).
    pub fn with_method_name(name: &str, url: impl Into<String>) -> Self {
        let upper = name.to_ascii_uppercase();
        let name = match upper.as_str() {
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
            | "PATCH" => upper.as_str(),
            _ => name,
        };
        match Method::from_bytes(name.as_bytes()) {
            Ok(method) => Self::new(method, url),
            Err(_) => Self::new(Method::GET, url).failing(Misuse::InvalidMethod.into()),
        }
    }
}

impl<S> Request<S> {
    pub(super) fn with_sender(sender: S, method: Method, url: String) -> Self {
        Self {
            parts: RequestParts {
                method,
                url,
                query: Vec::new(),
                fields: FieldLines::new(),
                without: Vec::new(),
                cookies: Vec::new(),
                content: Content::None,
                output: Output::Collect,
                options: RequestOptions::new(),
                fault: None,
            },
            sender,
        }
    }

    /// Appends `name=value` to the query of the URL, percent-encoded.
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        self.parts.query.push((name.into(), Some(value)));
        self
    }

    /// Appends several pairs to the query, in order; a name may repeat.
    pub fn query_pairs<N: Into<String>, V: fmt::Display>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        for (name, value) in pairs {
            self = self.query(name, value);
        }
        self
    }

    /// Appends a name without `=` to the query.
    pub fn query_flag(mut self, name: impl Into<String>) -> Self {
        self.parts.query.push((name.into(), None));
        self
    }

    /// Sets a header. It replaces earlier headers with this name, in any case, of the request and of the
    /// agent's defaults. `Content-Length` is ignored: it is always computed.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.parts.fields.remove(name);
        self.append_header(name, value)
    }

    /// Adds another header with this name, for headers whose value is a list. A header that may occur only once,
    /// such as `Content-Type`, is replaced (RFC 9110 §5.3).
    pub fn append_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if name.eq_ignore_ascii_case("content-length") {
            return self;
        }
        self.parts
            .without
            .retain(|other| !other.eq_ignore_ascii_case(name));
        match self.parts.fields.add(name, value) {
            Ok(()) => self,
            Err(misuse) => self.failing(misuse.into()),
        }
    }

    /// Sets a header that identifies the user, such as `X-Api-Key`. Like `Authorization` and `Cookie` it is
    /// not sent to another origin after a redirect (RFC 9110 §15.4), and not shown in logs.
    pub fn secret_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let owned = name.to_owned();
        self.header(name, value)
            .set(|options| options.secret_header(owned))
    }

    /// Asks for parts of the content (RFC 9110 §14.2). The response is a 206, or the whole content if the
    /// server does not support ranges. No content coding is asked for then.
    pub fn ranges(self, parts: &[RangeSpec]) -> Self {
        match range_field(parts) {
            Some(field) => self.header("Range", field),
            None => self.failing(Misuse::InvalidHeader.into()),
        }
    }

    /// Sends no header with this name, neither a default of the agent nor one that the library adds.
    pub fn without_header(mut self, name: &str) -> Self {
        self.parts.fields.remove(name);
        self.parts.without.push(name.to_owned());
        self
    }

    /// Adds a cookie to the `Cookie` header, besides those of the agent's jar (RFC 6265 §4.2). The name is a
    /// token; the value contains neither semicolons nor control characters.
    pub fn cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let is_field = FieldLines::new().append(&name, &value).is_ok();
        if !is_field || value.contains(';') {
            return self.failing(Misuse::InvalidHeader.into());
        }
        self.parts.cookies.push((name, value));
        self
    }

    /// Collects the content of the response in memory and delivers it with
    /// [`Event::Done`](crate::Event::Done). This is the default.
    pub fn collect(mut self) -> Self {
        self.parts.output = Output::Collect;
        self
    }

    /// Delivers the content of the response piece by piece, as [`Event::Chunk`](crate::Event::Chunk). Pieces
    /// that were not pulled yet stop the reading, so memory stays bounded and the server waits.
    pub fn stream(mut self) -> Self {
        self.parts.output = Output::Stream;
        self
    }

    /// Divides the content of the response into messages while it arrives, and delivers each as
    /// [`Event::Message`](crate::Event::Message). Messages that were not pulled yet stop the reading, so
    /// memory stays bounded and the server waits. Dividing counts against the budget of the poll, like
    /// reading.
    ///
    /// A response whose status is not 2xx fails with [`ErrorKind::Status`](crate::ErrorKind::Status). So does
    /// a message that is too long or cut off, with [`ErrorKind::Frame`](crate::ErrorKind::Frame); the
    /// messages before it are delivered first. `Content-Type` is not checked.
    ///
    /// ```no_run
    /// use httpoll::{Agent, Event, Request, frames::Framing};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Move { x: i32, y: i32 }
    ///
    /// # let mut agent = Agent::new();
    /// let moves = agent.send(
    ///     Request::get("https://game.example/replay.jsonl").messages(Framing::json_lines()),
    /// )?;
    /// # loop {
    /// agent.poll(); // once per frame
    /// while let Some(event) = agent.next_event() {
    ///     match event {
    ///         Event::Message { message, .. } => {
    ///             let Move { x, y } = message.json()?;
    ///             println!("to {x}, {y}");
    ///         }
    ///         Event::Failed { error, .. } => eprintln!("{error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    pub fn messages(mut self, framing: Framing) -> Self {
        self.parts.output = Output::Messages(framing);
        self
    }

    /// Writes the content of the response to a file; see [`Download`].
    pub fn download_to(mut self, download: impl Into<Download>) -> Self {
        let download = download.into();
        if download.is_digest_invalid() {
            self = self.failing(Misuse::InvalidDigest.into());
        }
        self.parts.output = Output::File(Box::new(download));
        self
    }

    /// Reads the response as an event stream (WHATWG HTML §9.2) and delivers
    /// [`Event::ServerSent`](crate::Event::ServerSent). When the stream ends, it is opened again after the
    /// time that the server set, with `Last-Event-ID`. It ends when it is cancelled, or when the response is
    /// anything but a 200 with `text/event-stream`.
    pub fn event_stream(mut self) -> Self {
        self.parts.output = Output::EventStream;
        self
    }

    /// Opens a WebSocket (RFC 6455). Messages are delivered as
    /// [`Event::WebSocketMessage`](crate::Event::WebSocketMessage) and sent by
    /// [`Agent::send_message`](crate::Agent::send_message).
    #[cfg(feature = "websocket")]
    pub fn web_socket(mut self, options: super::web_socket::WebSocketOptions) -> Self {
        self.parts.output = Output::WebSocket(Box::new(options));
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The URL as it was given, without what [`query`](Self::query) added.
    pub fn url(&self) -> &str {
        &self.parts.url
    }

    fn failing(mut self, error: Error) -> Self {
        self.parts.fault.get_or_insert(error);
        self
    }
}
