//! [`MockResponse`]: the response of a mock server, and the faults in sending it. `connection` sends
//! it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::fault::Fault;
use super::stream::MockStream;
use crate::error::Misuse;
use crate::proto::FieldLines;

/// A response of a [`MockServer`](super::MockServer): status, fields, content, delays and faults. The
/// framing fields (`Content-Length`, `Transfer-Encoding`) and, where needed, `Connection: close` are
/// added.
///
/// Instead of a response that cannot be sent, for example with a line break in a field, the client
/// gets a 500 whose content says why.
///
/// ```
/// # use std::time::Duration;
/// use httpoll::mock::MockResponse;
///
/// let late = MockResponse::with_status(503)
///     .header("Retry-After", "2")
///     .text("try again")
///     .delay(Duration::from_secs(1));
/// let cut = MockResponse::resource(vec![0; 100_000]).etag("\"a\"").cut_after(40_000);
/// ```
#[derive(Clone)]
pub struct MockResponse {
    pub(super) status: Result<StatusCode, u16>,
    pub(super) fields: FieldLines,
    pub(super) content: MockContent,
    pub(super) delay: Duration,
    pub(super) drip: Option<Drip>,
    pub(super) ending: Ending,
    /// The first mistake made in building it.
    pub(super) mistake: Option<(String, Misuse)>,
}

#[derive(Clone, Debug)]
pub(super) enum MockContent {
    /// Sent with its length.
    Whole(Bytes),
    /// One chunk for each piece.
    Chunked(Vec<Bytes>),
    /// Ends with the connection.
    UntilClose(Bytes),
    /// Sent in parts and conditionally, as the request asks.
    Resource(Bytes),
    Stream(MockStream),
    /// The whole response, as sent.
    Raw(Bytes),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Drip {
    pub(super) bytes: usize,
    pub(super) every: Duration,
}

/// How a response ends. Counts are bytes of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    CutAfter(usize),
    ResetAfter(usize),
    StallAfter(usize),
    Never,
}

impl MockResponse {
    /// `200 OK`, without content.
    pub fn ok() -> Self {
        Self::with_status(200)
    }

    /// A response of this status, without content.
    pub fn with_status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).map_err(|_| status),
            fields: FieldLines::new(),
            content: MockContent::Whole(Bytes::new()),
            delay: Duration::ZERO,
            drip: None,
            ending: Ending::Complete,
            mistake: None,
        }
    }

    /// A 200 whose content can be requested in parts and conditionally, as from a file server (RFC
    /// 9110 §13, §14): `Range` of one part gives 206, or 416 if it lies outside; `If-Range`,
    /// `If-None-Match` and `If-Modified-Since` are evaluated with the [`etag`](Self::etag) and the
    /// [`last_modified`](Self::last_modified) that are set. A `Range` of several parts gets all
    /// content.
    pub fn resource(content: impl Into<Bytes>) -> Self {
        let mut response = Self::ok();
        response.content = MockContent::Resource(content.into());
        response
    }

    /// Sends exactly these bytes, then closes the connection: for invalid responses.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        let mut response = Self::ok();
        response.content = MockContent::Raw(bytes.into());
        response
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).map_err(|_| status);
        self
    }

    /// Adds a field; fields of the same name stay.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(misuse) = self.fields.append(name, value) {
            self.mistake.get_or_insert((name.to_owned(), misuse));
        }
        self
    }

    /// Sets the content, without a `Content-Type`.
    #[must_use]
    pub fn bytes(mut self, content: impl Into<Bytes>) -> Self {
        self.content = MockContent::Whole(content.into());
        self
    }

    /// Sets the content; `Content-Type: text/plain; charset=utf-8` unless there is one.
    #[must_use]
    pub fn text(self, content: &str) -> Self {
        self.content_type("text/plain; charset=utf-8")
            .bytes(content.as_bytes().to_vec())
    }

    /// Sets the content; `Content-Type: application/json` unless there is one.
    #[must_use]
    pub fn json(self, content: &serde_json::Value) -> Self {
        self.content_type("application/json")
            .bytes(content.to_string())
    }

    /// Sets content that is sent as one chunk for each piece (RFC 9112 §7.1). An HTTP/1.0 client gets
    /// it without chunks, up to the end of the connection.
    #[must_use]
    pub fn chunked(mut self, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let pieces = pieces.into_iter();
        self.content = MockContent::Chunked(
            pieces
                .map(|it| Bytes::copy_from_slice(it.as_ref()))
                .collect(),
        );
        self
    }

    /// Sets content without a length that ends with the connection, as HTTP/1.0 servers send it (RFC
    /// 9112 §6.3).
    #[must_use]
    pub fn until_close(mut self, content: impl Into<Bytes>) -> Self {
        self.content = MockContent::UntilClose(content.into());
        self
    }

    /// Lets the test send the content piece by piece. It is sent in chunks.
    #[must_use]
    pub fn stream(mut self, stream: &MockStream) -> Self {
        self.content = MockContent::Stream(stream.clone());
        self
    }

    /// Sets `ETag` (RFC 9110 §8.8.3), quotes included: `"\"a\""` or `"W/\"a\""`.
    #[must_use]
    pub fn etag(self, etag: &str) -> Self {
        self.header("ETag", etag)
    }

    /// Sets `Last-Modified` (RFC 9110 §8.8.2), as in `"Sun, 06 Nov 1994 08:49:37 GMT"`. Dates are
    /// compared as text.
    #[must_use]
    pub fn last_modified(self, date: &str) -> Self {
        self.header("Last-Modified", date)
    }

    /// Lets virtual time pass before the first byte.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the content in pieces of `bytes` bytes (at least 1): the first with the head, each
    /// following one `every` after the previous. Chunks stay separate. Has no effect on a
    /// [`stream`](Self::stream).
    #[must_use]
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        let bytes = bytes.max(1);
        self.drip = Some(Drip { bytes, every });
        self
    }

    /// Closes the connection after this many bytes of content, although more was announced. If there
    /// is no more content than that, all of it is sent, but chunked content lacks its end.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::CutAfter(bytes);
        self
    }

    /// Resets the connection after this many bytes of content; otherwise like
    /// [`cut_after`](Self::cut_after).
    #[must_use]
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::ResetAfter(bytes);
        self
    }

    /// Sends nothing more after this many bytes of content, and keeps the connection open. A response that
    /// has no content, such as that to `HEAD`, is sent as usual.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::StallAfter(bytes);
        self
    }

    /// Sends nothing at all, and keeps the connection open.
    #[must_use]
    pub fn never(mut self) -> Self {
        self.ending = Ending::Never;
        self
    }

    /// The response as this fault changes it.
    pub(super) fn with_fault(mut self, fault: Fault) -> Self {
        match fault {
            Fault::Unavailable => {
                Self::with_status(503).text("unavailable, because of a seeded fault")
            }
            Fault::Silence => self.never(),
            Fault::Delay(by) => {
                self.delay = self.delay.saturating_add(by);
                self
            }
            Fault::Drip(bytes, every) => self.drip(bytes, every),
            Fault::Cut(at) => self.cut_after(at),
            Fault::Reset(at) => self.reset_after(at),
        }
    }

    fn content_type(mut self, value: &str) -> Self {
        if self.fields.contains("content-type") {
            self
        } else {
            self = self.header("Content-Type", value);
            self
        }
    }

    /// The length of its content; 0 if it is not known.
    pub(super) fn content_len(&self) -> usize {
        match &self.content {
            MockContent::Whole(bytes) | MockContent::UntilClose(bytes) => bytes.len(),
            MockContent::Raw(bytes) => bytes.len(),
            MockContent::Chunked(pieces) => pieces.iter().map(Bytes::len).sum(),
            MockContent::Resource(_) | MockContent::Stream(_) => 0,
        }
    }

    /// What the client gets instead of an invalid response.
    pub(super) fn unsendable(why: &str) -> Self {
        Self::with_status(500).text(&format!("This mock response cannot be sent: {why}\n"))
    }
}

impl fmt::Debug for MockResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockResponse")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("content", &format_args!("{} bytes", self.content_len()))
            .field("delay", &self.delay)
            .field("drip", &self.drip)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
