//! [`MockRule`]: which requests a rule matches, how it responds, and why it did not match one.

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Method;

use super::pattern::PathPattern;
use super::request::MockRequest;
use super::response::MockResponse;

/// A rule of a [`MockServer`](super::MockServer), made by [`when`](super::MockServer::when) and
/// similar methods. Each method of the rule adds a condition or a response, effective at once. A rule
/// without a response matches no request. Clones are the same rule.
///
/// ```
/// # use httpoll::memory::MemoryNetwork;
/// # use httpoll::mock::{MockResponse, MockServer};
/// # let network = MemoryNetwork::new();
/// # let server = MockServer::on(&network, "game.example", 80);
/// // Busy once, then fine.
/// let scores = server
///     .get("/scores/*")
///     .query("page", "2")
///     .header("Accept", "application/json")
///     .reply(MockResponse::with_status(503))
///     .then_reply(MockResponse::ok().text("[]"));
/// assert_eq!(scores.hits(), 0);
/// ```
#[derive(Clone)]
pub struct MockRule(Arc<Mutex<State>>);

struct State {
    number: usize,
    method: Option<Method>,
    path: PathPattern,
    conditions: Vec<Condition>,
    replies: Vec<Reply>,
    most: Option<usize>,
    hits: usize,
    is_early: bool,
}

enum Condition {
    Query(String, String),
    Header(String, Vec<u8>),
    Body(Bytes),
    Json(serde_json::Value),
    Matching(Box<dyn Fn(&MockRequest) -> bool + Send>),
}

/// How a rule responds.
#[derive(Clone)]
pub(super) enum Reply {
    Always(Box<MockResponse>),
    With(Arc<Mutex<dyn FnMut(&MockRequest) -> MockResponse + Send>>),
}

impl Reply {
    pub(super) fn make(&self, request: &MockRequest) -> MockResponse {
        match self {
            Self::Always(response) => MockResponse::clone(response),
            Self::With(make) => make.lock().unwrap_or_else(PoisonError::into_inner)(request),
        }
    }
}

impl MockRule {
    pub(super) fn new(number: usize, method: Option<Method>, pattern: &str) -> Self {
        let (path, query) = match pattern.split_once('?') {
            Some((path, query)) => (path, query),
            None => (pattern, ""),
        };
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self(Arc::new(Mutex::new(State {
            number,
            method,
            path: PathPattern::new(path),
            conditions: pairs
                .map(|(name, value)| Condition::Query(name.into_owned(), value.into_owned()))
                .collect(),
            replies: Vec::new(),
            most: None,
            hits: 0,
            is_early: false,
        })))
    }

    /// Matches only requests whose query contains this pair, given without percent-encoding.
    #[must_use]
    pub fn query(self, name: &str, value: &str) -> Self {
        self.condition(Condition::Query(name.to_owned(), value.to_owned()))
    }

    /// Matches only requests with a field of this name and exactly this value. Names are compared
    /// without regard to case.
    #[must_use]
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.condition(Condition::Header(name.to_owned(), value.as_ref().to_vec()))
    }

    /// Matches only requests with exactly this content.
    #[must_use]
    pub fn body(self, content: impl Into<Bytes>) -> Self {
        self.condition(Condition::Body(content.into()))
    }

    /// Matches only requests whose content is JSON of this value; the order of keys and whitespace do
    /// not matter.
    #[must_use]
    pub fn json(self, content: &serde_json::Value) -> Self {
        self.condition(Condition::Json(content.clone()))
    }

    /// Matches only requests for which this function returns true. The function must not use this
    /// rule.
    #[must_use]
    pub fn matching(self, accepts: impl Fn(&MockRequest) -> bool + Send + 'static) -> Self {
        self.condition(Condition::Matching(Box::new(accepts)))
    }

    /// Responds as soon as the head of a request has arrived, without its content and without `100
    /// Continue`, as a server does that refuses an upload. Early rules are tried first, and their
    /// conditions on content see no content.
    #[must_use]
    pub fn early(self) -> Self {
        self.state().is_early = true;
        self
    }

    /// Matches at most this many requests; further requests go on to the following rules. Default:
    /// any number.
    pub fn times(self, most: usize) -> Self {
        self.state().most = Some(most);
        self
    }

    /// Responds with this, instead of all earlier responses of this rule.
    pub fn reply(self, response: MockResponse) -> Self {
        self.state().replies = vec![Reply::Always(Box::new(response))];
        self
    }

    /// Adds a response: the first request gets the first response, and so on. The last response
    /// repeats.
    pub fn then_reply(self, response: MockResponse) -> Self {
        self.state().replies.push(Reply::Always(Box::new(response)));
        self
    }

    /// Responds with what `make` returns for the request. `make` may use the server, but not this
    /// rule.
    pub fn reply_with(
        self,
        make: impl FnMut(&MockRequest) -> MockResponse + Send + 'static,
    ) -> Self {
        self.state().replies = vec![Reply::With(Arc::new(Mutex::new(make)))];
        self
    }

    /// How many requests it has matched.
    pub fn hits(&self) -> usize {
        self.state().hits
    }

    /// The next reply, if the rule matches this request.
    pub(super) fn take(&self, request: &MockRequest, early: bool) -> Option<(usize, Reply)> {
        let mut state = self.state();
        if state.is_early != early || state.objection(request).is_some() {
            return None;
        }
        let latest = state.replies.len().checked_sub(1)?;
        let reply = state.replies.get(state.hits.min(latest))?.clone();
        state.hits += 1;
        Some((state.number, reply))
    }

    /// One line: what the rule matches, and why not this request.
    pub(super) fn explain(&self, request: &MockRequest) -> String {
        let state = self.state();
        let why = match state.objection(request) {
            Some(objection) => objection,
            None if state.is_early => "it answers before content comes",
            None => "it has no reply",
        };
        format!("{}. {state} (no: {why})", state.number)
    }

    /// One line: what the rule matches.
    pub(super) fn describe(&self) -> String {
        let state = self.state();
        format!("{}. {state}", state.number)
    }

    fn condition(self, condition: Condition) -> Self {
        self.state().conditions.push(condition);
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Why the rule does not match this request.
    fn objection(&self, request: &MockRequest) -> Option<&'static str> {
        let method_fits = match &self.method {
            None => true,
            // HEAD is treated like GET (RFC 9110 §9.3.2).
            Some(method) => {
                *method == request.method
                    || *method == Method::GET && request.method == Method::HEAD
            }
        };
        if !self.path.matches(request.path()) {
            Some("another path")
        } else if !method_fits {
            Some("another method")
        } else if let Some(failed) = self.conditions.iter().find(|it| !it.holds(request)) {
            Some(failed.objection())
        } else if self.most.is_some_and(|most| self.hits >= most) {
            Some("used up")
        } else if self.replies.is_empty() {
            Some("it has no reply")
        } else {
            None
        }
    }
}

impl Condition {
    fn holds(&self, request: &MockRequest) -> bool {
        match self {
            Self::Query(name, value) => request
                .query_pairs()
                .any(|(key, other)| key == *name && other == *value),
            Self::Header(name, value) => request.headers.get_all(name).any(|it| it == value),
            Self::Body(content) => request.body == content,
            Self::Json(content) => request
                .json::<serde_json::Value>()
                .is_ok_and(|it| it == *content),
            Self::Matching(accepts) => accepts(request),
        }
    }

    fn objection(&self) -> &'static str {
        match self {
            Self::Query(..) => "another query",
            Self::Header(..) => "another header",
            Self::Body(_) | Self::Json(_) => "another content",
            Self::Matching(_) => "its closure says no",
        }
    }
}

/// What the rule matches. Field values are left out, since they may be credentials.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_ref().map_or("any method", Method::as_str);
        write!(f, "{method} {}", self.path.text())?;
        let mut sign = '?';
        for condition in &self.conditions {
            if let Condition::Query(name, value) = condition {
                write!(f, "{sign}{name}={value}")?;
                sign = '&';
            }
        }
        for condition in &self.conditions {
            match condition {
                Condition::Query(..) => {}
                Condition::Header(name, _) => write!(f, ", with a certain {name}")?,
                Condition::Body(content) => {
                    write!(f, ", with certain {} bytes of content", content.len())?;
                }
                Condition::Json(_) => f.write_str(", with certain JSON")?,
                Condition::Matching(_) => f.write_str(", with a closure")?,
            }
        }
        if let Some(most) = self.most {
            write!(f, ", {} of {most} times", self.hits)?;
        }
        Ok(())
    }
}

impl fmt::Debug for MockRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MockRule")
            .field("number", &state.number)
            .field("method", &state.method)
            .field("path", &state.path.text())
            .field("hits", &state.hits)
            .finish_non_exhaustive()
    }
}

/// The content of the 404 for a request that no rule matches.
pub(super) fn no_rule_for(request: &MockRequest, rules: &[MockRule]) -> String {
    let mut text = format!(
        "No rule of this mock server takes\n  {} {} ({} bytes of content)\n",
        request.method,
        request.target,
        request.body.len()
    );
    if rules.is_empty() {
        text.push_str("It has no rules.\n");
    } else {
        text.push_str("Its rules are\n");
    }
    for rule in rules {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {}", rule.explain(request));
    }
    text
}
