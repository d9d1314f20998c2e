//! [`Recorder`]: records exchanges without secrets.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::redaction::Redaction;
use super::{RecordedBody, RecordedExchange, Recording};

/// Records exchanges. Clones are the same recorder: one for the client, one for the test.
///
/// Secrets are redacted before anything is kept: the values of `Authorization`,
/// `Proxy-Authorization`, `Cookie` and `Set-Cookie`, user information in URLs, and what
/// [`redact_header`](Self::redact_header) and [`redact_query`](Self::redact_query) name. Content is
/// kept unchanged, unless [`omit_request_bodies`](Self::omit_request_bodies) was called.
///
/// ```
/// use std::time::Duration;
/// use httpoll::recording::{RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse, Recorder};
/// use httpoll::proto::FieldLines;
///
/// let recorder = Recorder::new();
/// recorder.redact_query("key");
/// recorder.record(RecordedExchange {
///     request: RecordedRequest {
///         method: http::Method::GET,
///         url: url::Url::parse("http://game.example/scores?key=secret")?,
///         headers: FieldLines::new(),
///         body: RecordedBody::empty(),
///     },
///     response: RecordedResponse {
///         status: http::StatusCode::OK,
///         headers: FieldLines::new(),
///         body: "[7, 5]".into(),
///         head_after: Duration::from_millis(20),
///         end_after: Duration::from_millis(21),
///     },
/// });
/// let text = recorder.recording().to_string();
/// assert!(text.contains("key=REDACTED") && !text.contains("secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    recording: Recording,
    redaction: Redaction,
    omitted_headers: Vec<String>,
    omits_request_bodies: bool,
}

impl Recorder {
    /// A recorder without exchanges.
    pub fn new() -> Self {
        Self::default()
    }

    /// Redacts the values of fields of this name as well, in exchanges recorded from now on.
    pub fn redact_header(&self, name: &str) {
        self.state().redaction.headers.push(name.to_owned());
    }

    /// Redacts the values of pairs of this name in queries, in exchanges recorded from now on: in
    /// URLs, `Location`, `Content-Location` and `Referer`. In playback, a redacted value matches any
    /// value.
    pub fn redact_query(&self, name: &str) {
        self.state().redaction.query.push(name.to_owned());
    }

    /// Omits fields of this name from exchanges recorded from now on, for example fields that differ
    /// each time (`Date`, `User-Agent`).
    pub fn omit_header(&self, name: &str) {
        self.state().omitted_headers.push(name.to_owned());
    }

    /// Keeps only the length of request content, in exchanges recorded from now on: for logins and
    /// large uploads. Playback ignores request content.
    pub fn omit_request_bodies(&self) {
        self.state().omits_request_bodies = true;
    }

    /// Records an exchange without its secrets.
    pub fn record(&self, mut exchange: RecordedExchange) {
        let mut state = self.state();
        state.redaction.apply(&mut exchange);
        for name in &state.omitted_headers {
            exchange.request.headers.remove(name);
            exchange.response.headers.remove(name);
        }
        if let RecordedBody::Bytes(bytes) = &exchange.request.body
            && state.omits_request_bodies
            && !bytes.is_empty()
        {
            exchange.request.body = RecordedBody::Omitted(bytes.len() as u64);
        }
        state.recording.exchanges.push(exchange);
    }

    /// What was recorded so far.
    pub fn recording(&self) -> Recording {
        self.state().recording.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("exchanges", &self.state().recording.exchanges.len())
            .finish_non_exhaustive()
    }
}
