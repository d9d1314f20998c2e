//! What the fuzz targets in `fuzz/` reach that is no part of the public face: each function passes on
//! to one room and judges nothing. It is built with `cfg(fuzzing)`, which cargo-fuzz sets, and the feature
//! `full` only, so that a fuzzed program that depends on this library does not compile it.

#![allow(missing_docs, missing_debug_implementations)]

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use crate::clock::Instant;
use crate::error::{AuthFault, CodingFault, ErrorKind, RedirectRefusal, WebSocketFault};
use crate::proto::FieldLines;
use crate::semantics::auth::{AuthAttempt, AuthSession, Credentials};
use crate::semantics::cache::{CacheRequest, CachedResponse, HttpCache, Lookup};
use crate::semantics::coding::CodingLimits;
use crate::semantics::conditional::{self, ETag};
use crate::semantics::form::{self, FormLimits};
use crate::semantics::frames::framer::Framer;
use crate::semantics::frames::{Framing, Message};
use crate::semantics::hsts::HstsStore;
use crate::semantics::range::{self, ContentRange, RangeSet};
use crate::semantics::redirect::{self, RedirectPolicy};
use crate::semantics::websocket::{
    CloseFrame, WebSocketConfig, WebSocketEvent, WebSocketMachine, WebSocketMessage,
};
use crate::semantics::{base_url, coding, retry};

pub use crate::server::route_params;
pub use crate::transport::disk::read_sidecar;

pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    retry::parse_retry_after(value, now)
}

pub fn parse_http_date(value: &[u8]) -> Option<SystemTime> {
    conditional::parse_http_date(value)
}

pub fn http_date(time: SystemTime) -> Option<String> {
    conditional::http_date(time)
}

/// An entity tag as it is written again.
pub fn etag(value: &[u8]) -> Option<Vec<u8>> {
    ETag::parse(value).map(|tag| tag.to_field())
}

/// The part and the length of the whole.
pub fn content_range(value: &[u8]) -> Option<(Option<Range<u64>>, Option<u64>)> {
    ContentRange::parse(value).map(|parsed| match parsed {
        ContentRange::Part { range, complete } => (Some(range), complete),
        ContentRange::Unsatisfied { complete } => (None, Some(complete)),
    })
}

/// `None` when the field is ignored; no range when none can be had.
pub fn ranges(value: &[u8], length: u64) -> Option<Vec<Range<u64>>> {
    match range::parse_range(value, length) {
        RangeSet::Ignored => None,
        RangeSet::Unsatisfiable => Some(Vec::new()),
        RangeSet::Ranges(ranges) => Some(ranges),
    }
}

pub fn content_range_field(range: &Range<u64>, length: u64) -> String {
    range::content_range(range, length)
}

pub fn form_pairs(form: &[u8]) -> Option<Vec<(String, Option<String>)>> {
    form::decode(form, FormLimits::default()).ok()
}

/// The URL that a base, a default host and a reference mean.
pub fn request_url(base: Option<&str>, host: Option<&str>, reference: &str) -> Option<Url> {
    let base = match base {
        Some(base) => Some(base_url::parse_base(base).ok()?),
        None => None,
    };
    base_url::request_url(base.as_ref(), host, reference).ok()
}

pub fn append_query(url: &mut Url, name: &str, value: Option<&str>) {
    base_url::append_query(url, [(name, value)]);
}

/// A redirect that is followed: where to, whether it leaves the origin, and what `Referer` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    pub url: Url,
    pub crosses_origin: bool,
    pub keeps_authorization: bool,
    pub referer: Option<String>,
}

pub fn redirect(
    status: StatusCode,
    method: &Method,
    current: &Url,
    location: &[u8],
) -> Result<Option<Followed>, RedirectRefusal> {
    let policy = RedirectPolicy::default();
    let next = redirect::redirect(&policy, status, method, current, Some(location), 0, &|_| {
        None
    })?;
    Ok(next.map(|next| Followed {
        keeps_authorization: next.takes_along("authorization", &policy, &[]),
        crosses_origin: next.crosses_origin,
        referer: next.referer,
        url: next.url,
    }))
}

/// What is sent after each of several challenges in a row.
pub fn authenticate(
    credentials: Credentials,
    challenges: &[&[u8]],
    target: &str,
) -> Vec<Result<Option<HeaderValue>, AuthFault>> {
    let mut session = AuthSession::new(credentials);
    let mut attempt = AuthAttempt::default();
    let mut answers = vec![session.authorize(&mut attempt, &Method::GET, target)];
    for challenge in challenges {
        let answer = match session.challenged(&mut attempt, [*challenge], [7; 16]) {
            Ok(()) => session.authorize(&mut attempt, &Method::GET, target),
            Err(fault) => Err(fault),
        };
        answers.push(answer);
    }
    answers
}

/// The hosts that want `https`.
#[derive(Default)]
pub struct Hsts(HstsStore);

impl Hsts {
    pub fn note(&mut self, url: &Url, field: &[u8], now: SystemTime) {
        self.0.note(url, field, now);
    }

    pub fn upgrade(&self, url: &Url, now: SystemTime) -> Option<Url> {
        self.0.upgrade(url, now)
    }

    pub fn save(&self, now: SystemTime) -> String {
        self.0.save(now)
    }

    pub fn load(&mut self, text: &str, now: SystemTime) -> bool {
        self.0.load(text, now).is_ok()
    }
}

/// A request as the cache sees it.
#[derive(Clone, Copy)]
pub struct Cached<'a> {
    pub method: &'a Method,
    pub url: &'a Url,
    pub headers: &'a HeaderMap,
    pub time: SystemTime,
}

impl<'a> Cached<'a> {
    fn request(self) -> CacheRequest<'a> {
        CacheRequest {
            method: self.method,
            url: self.url,
            headers: self.headers,
            time: self.time,
        }
    }

    pub fn store(self, cache: &mut HttpCache, response: CachedResponse, now: SystemTime) -> bool {
        cache.store(self.request(), response, now)
    }

    /// What is used, and what is asked when nothing fresh is there.
    pub fn lookup(
        self,
        cache: &mut HttpCache,
    ) -> (Option<CachedResponse>, Vec<(HeaderName, HeaderValue)>) {
        match cache.lookup(self.request()) {
            Lookup::Fresh(response) => (Some(response), Vec::new()),
            Lookup::Stale(stale) => (stale.if_error, stale.validators),
            Lookup::Miss | Lookup::GatewayTimeout => (None, Vec::new()),
        }
    }

    pub fn freshen(
        self,
        cache: &mut HttpCache,
        fields: &FieldLines,
        now: SystemTime,
    ) -> Option<CachedResponse> {
        cache.freshen(self.request(), fields, now)
    }

    pub fn invalidate(self, cache: &mut HttpCache, status: StatusCode, fields: &FieldLines) {
        cache.invalidate(self.request(), status, fields);
    }
}

/// The cache as a file, with the checksum that its bytes ought to have.
pub fn sealed_cache(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crate::semantics::cache::checksum(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

/// A decoder of content codings.
pub struct Decoder(coding::Decoder);

impl Decoder {
    pub fn new(codings: &[u8], max_ratio: u32) -> Option<Self> {
        let decoder = coding::Decoder::new(std::iter::once(codings)).ok()??;
        Some(Self(decoder.with_limits(CodingLimits { max_ratio })))
    }

    /// Bytes consumed and produced.
    pub fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), CodingFault> {
        let decoded = self.0.decode(input, output)?;
        Ok((decoded.consumed, decoded.produced))
    }

    pub fn finish(&mut self) -> Result<(), CodingFault> {
        self.0.finish()
    }
}

/// The messages of content in these pieces, as an agent divides it, and the error at the end.
pub fn messages<'a>(
    framing: Framing,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<ErrorKind>) {
    let mut framer = Framer::new(framing);
    let mut messages = Vec::new();
    let pieces = pieces.map(Some).chain(std::iter::once(None));
    for piece in pieces {
        match piece {
            Some(piece) => framer.push(bytes::Bytes::copy_from_slice(piece)),
            None => _ = framer.finish(),
        }
        loop {
            match framer.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// A machine of WebSocket frames.
pub struct WebSocket(WebSocketMachine);

/// What came out of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketSaid {
    Message(WebSocketMessage),
    Closed(Option<CloseFrame>),
}

impl WebSocket {
    pub fn client(config: WebSocketConfig, now: Instant) -> Self {
        Self(WebSocketMachine::client(config, now))
    }

    pub fn server(config: WebSocketConfig, now: Instant) -> Self {
        Self(WebSocketMachine::server(config, now))
    }

    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.0.receive(bytes, now)
    }

    pub fn receive_eof(&mut self) {
        self.0.receive_eof();
    }

    pub fn next(&mut self, now: Instant) -> Result<Option<WebSocketSaid>, WebSocketFault> {
        Ok(self.0.next_event(now)?.map(|event| match event {
            WebSocketEvent::Message(message) => WebSocketSaid::Message(message),
            WebSocketEvent::Closed(frame) => WebSocketSaid::Closed(frame),
        }))
    }

    pub fn send(&mut self, message: &WebSocketMessage, now: Instant) -> Result<(), WebSocketFault> {
        self.0.send(message, now)
    }

    /// Takes what is to be sent.
    pub fn transmit(&mut self, now: Instant) -> Vec<u8> {
        let bytes = self.0.poll_transmit().to_vec();
        self.0.transmitted(bytes.len(), now);
        bytes
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    pub fn due(&self) -> Option<Instant> {
        self.0.due()
    }

    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// The path and the query of a request target.
pub fn target_parts(target: &str) -> (&str, Option<&str>) {
    (
        crate::server::path_of(target),
        crate::server::query_of(target),
    )
}
