//! A connection that the browser keeps: each request is one call of `fetch`.
//!
//! The browser chooses the connection, so this side has nothing to open and nothing to keep. The request's
//! content is collected before the call, because a browser takes it whole; files of the page stay with the
//! browser. Response content is taken from
//! the browser as far as its caller reads; see `transport::fetch` for how much lies ready.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

use super::outcome::{Driven, Follows, Taken};
use crate::connection::content::{Piece, RequestBody};
use crate::connection::exchange::{EndOfContent, Exchange, Receiving, RequestContent, Stage};
#[cfg(feature = "agent")]
use crate::error::RedirectRefusal;
use crate::error::{Error, ErrorKind, Misuse};
use crate::phase::Phase;
use crate::proto::RequestHead;
use crate::transport::fetch::{Fetch, FetchHead, FetchOptions, FetchRequest};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::{Reactor, SourceId};

/// Request content is read from its source in pieces of at most this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Pieces of response content up to this size are joined into one.
const JOIN_BELOW: usize = 8 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::connection) struct FetchConnection {
    /// Scheme, host and port, for a target that is a path.
    origin: String,
    options: FetchOptions,
    progress: Progress,
    content_length: Option<u64>,
    /// About the bytes of the request's head, and of the response's.
    head_sizes: (u64, u64),
    /// See [`content_sent`](Self::content_sent).
    content_sent: u64,
    requests: u32,
}

/// How far the current request is.
#[derive(Debug)]
enum Progress {
    Idle,
    /// The request's content is being collected.
    Collecting(Box<FetchRequest>),
    Called(SourceId, Fetch),
}

impl FetchConnection {
    pub(in crate::connection) fn new(origin: String, options: FetchOptions) -> Self {
        Self {
            origin,
            options,
            progress: Progress::Idle,
            content_length: None,
            head_sizes: (0, 0),
            content_sent: 0,
            requests: 0,
        }
    }

    /// Sets how the browser carries out the next requests.
    #[cfg(feature = "agent")]
    pub(in crate::connection) fn set_options(&mut self, options: FetchOptions) {
        self.options = options;
    }

    pub(super) fn request(
        &mut self,
        exchange: &mut Exchange,
        head: &RequestHead,
        body: RequestBody,
    ) -> Result<(), Error> {
        let mut request = FetchRequest::new(&self.origin, head, self.options)?;
        request.announced = body.known_length();
        let has_content = body.known_length() != Some(0);
        if has_content && matches!(head.method, http::Method::GET | http::Method::HEAD) {
            return Err(Misuse::NotOnWeb("content in a GET or HEAD request").into());
        }
        self.head_sizes = (request.head_size(), 0);
        self.content_sent = 0;
        self.progress = Progress::Collecting(Box::new(request));
        self.requests += 1;
        exchange.begin(
            head,
            if has_content {
                RequestContent::Source(body)
            } else {
                RequestContent::Nothing
            },
        );
        Ok(())
    }

    pub(super) fn drive(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Driven, Error> {
        if let Progress::Collecting(_) = &self.progress {
            if !self.collect(exchange, meter)? {
                return Ok(Driven::Waiting);
            }
            self.call(reactor);
        }
        let Progress::Called(_, fetch) = &self.progress else {
            return Ok(Driven::Waiting);
        };
        self.content_sent = fetch.sent();
        exchange.sent = self.head_sizes.0 + self.content_sent;
        match exchange.stage {
            Stage::Requesting => match fetch.take_head()? {
                None => Ok(Driven::Waiting),
                Some(head) => self.receive(exchange, head),
            },
            Stage::Receiving(_) => {
                exchange.received = exchange.received.max(self.head_sizes.1 + fetch.received());
                self.fill(exchange, meter);
                exchange.fault().map_or(Ok(Driven::Waiting), Err)
            }
            Stage::Idle | Stage::Switched => Ok(Driven::Waiting),
        }
    }

    /// Collects the request's content. Returns whether all of it is there.
    fn collect(&mut self, exchange: &mut Exchange, meter: &mut BudgetMeter) -> Result<bool, Error> {
        let Progress::Collecting(request) = &mut self.progress else {
            return Ok(false);
        };
        let mut body = match std::mem::take(&mut exchange.content) {
            RequestContent::Nothing => return Ok(true),
            RequestContent::Source(body) | RequestContent::SourceWaits(body) => body,
        };
        let announced = request.announced;
        let content = &mut request.content;
        loop {
            let bytes = content.bytes();
            let before = bytes.len();
            bytes.resize(before + PIECE_BYTES, 0);
            let piece = body.next_piece(&mut bytes[before..]);
            let count = match piece {
                Ok(Piece::Bytes(count)) => count,
                _ => 0,
            };
            bytes.truncate(before + count);
            match piece {
                Ok(Piece::End) => return check_length(announced, content.length()),
                Ok(Piece::Bytes(_)) => {}
                Ok(Piece::File(file)) => content.push_file(file),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    exchange.content = RequestContent::SourceWaits(body);
                    return Ok(false);
                }
                Err(error) => return Err(Error::new(ErrorKind::RequestBody).with_source(error)),
            }
            // A source that has provided its declared length is not read again, because it might block.
            if announced.is_some_and(|announced| content.length() >= announced) {
                return check_length(announced, content.length());
            }
            if meter.exhausted() {
                exchange.content = RequestContent::Source(body);
                return Ok(false);
            }
        }
    }

    /// Hands the request to the browser.
    fn call(&mut self, reactor: &mut Reactor) {
        let before = std::mem::replace(&mut self.progress, Progress::Idle);
        let Progress::Collecting(request) = before else {
            self.progress = before;
            return;
        };
        if let Some((id, signal)) = reactor.add_fetch() {
            self.progress = Progress::Called(id, Fetch::start(signal, *request));
        }
    }

    fn receive(&mut self, exchange: &mut Exchange, head: FetchHead) -> Result<Driven, Error> {
        if head.is_unfollowed_redirect {
            #[cfg(feature = "agent")]
            return Err(ErrorKind::Redirect(RedirectRefusal::NotFollowedOnWeb).into());
            #[cfg(not(feature = "agent"))]
            return Err(Misuse::NotOnWeb("a redirect that is not followed").into());
        }
        self.head_sizes.1 = head.size();
        exchange.received = head.size();
        exchange.final_url = head.redirected_to;
        self.content_length = head.content_length;
        let end = if head.has_content {
            EndOfContent::Open
        } else {
            EndOfContent::End
        };
        exchange.stage = Stage::Receiving(Receiving {
            end,
            ..Receiving::default()
        });
        let follows = match head.head.status.as_u16() {
            204 | 304 if !head.has_content => Follows::Nothing,
            _ => Follows::Content,
        };
        Ok(Driven::Response(Arc::new(head.head), follows))
    }

    /// Takes the next piece of content from the browser, or how the content ended.
    fn fill(&self, exchange: &mut Exchange, meter: &mut BudgetMeter) {
        let (Stage::Receiving(receiving), Progress::Called(_, fetch)) =
            (&mut exchange.stage, &self.progress)
        else {
            return;
        };
        if !receiving.is_waiting() {
            return;
        }
        let most = meter.clamp(PIECE_BYTES).max(1);
        if let Some(piece) = fetch.take_content(most, JOIN_BELOW) {
            meter.spend(piece.len());
            receiving.decoded += piece.len() as u64;
            receiving.ready = piece;
            let received = self.head_sizes.1 + receiving.decoded;
            exchange.received = exchange.received.max(received);
        }
        note_end(fetch, exchange);
    }

    pub(super) fn read_content(
        &mut self,
        exchange: &mut Exchange,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Taken, Error> {
        let Progress::Called(_, fetch) = &self.progress else {
            return Err(Misuse::WrongStatus.into());
        };
        self.fill(exchange, meter);
        if let Stage::Receiving(receiving) = &mut exchange.stage
            && !receiving.ready.is_empty()
        {
            let count = most.min(receiving.ready.len());
            let piece = receiving.ready.split_to(count);
            // If the end is known already, it is reported with the last piece.
            if receiving.ready.is_empty() {
                note_end(fetch, exchange);
            }
            return Ok(Taken::Content(piece));
        }
        if let Some(fault) = exchange.fault() {
            return Err(fault);
        }
        Ok(if exchange.is_content_taken() {
            Taken::End
        } else {
            Taken::Nothing
        })
    }

    pub(super) fn awaits(&self, exchange: &Exchange) -> Option<Phase> {
        match (&exchange.stage, &self.progress) {
            (Stage::Idle | Stage::Switched, _) => None,
            (Stage::Requesting, Progress::Called(_, fetch)) => Some(requesting_phase(fetch)),
            (Stage::Requesting, _) if exchange.source_waits() => None,
            (Stage::Requesting, _) => Some(Phase::SendBody),
            (Stage::Receiving(receiving), _) => {
                receiving.is_waiting().then_some(Phase::ReceiveBody)
            }
        }
    }

    /// The phase of a failure that ends the exchange now. `None`: no exchange is under way.
    pub(super) fn failed_phase(&self, exchange: &Exchange) -> Option<Phase> {
        match (&exchange.stage, &self.progress) {
            (Stage::Idle | Stage::Switched, _) => None,
            (Stage::Requesting, Progress::Called(_, fetch)) => Some(requesting_phase(fetch)),
            (Stage::Requesting, _) => Some(Phase::SendBody),
            (Stage::Receiving(_), _) => Some(Phase::ReceiveBody),
        }
    }

    /// Bytes of the request's content that were sent. If the browser does not tell, those that it was given.
    #[cfg(feature = "agent")]
    pub(super) fn content_sent(&self) -> u64 {
        self.content_sent
    }

    pub(super) fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// The response is complete.
    pub(super) fn end(&mut self, exchange: &mut Exchange, reactor: &mut Reactor) {
        exchange.stage = Stage::Idle;
        self.content_length = None;
        if let Progress::Called(id, _) = std::mem::replace(&mut self.progress, Progress::Idle) {
            reactor.remove(id);
        }
    }

    pub(super) fn move_to(&mut self, from: &mut Reactor, to: &mut Reactor) {
        if let Progress::Called(id, fetch) = &mut self.progress {
            from.remove(*id);
            if let Some((moved, signal)) = to.add_fetch() {
                *id = moved;
                fetch.move_to(signal);
            }
        }
    }

    /// Ends it. The browser aborts a request that is under way.
    pub(super) fn close(self, reactor: &mut Reactor) {
        if let Progress::Called(id, _) = self.progress {
            reactor.remove(id);
        }
    }
}

/// Fails unless the source provided what it announced.
fn check_length(announced: Option<u64>, collected: u64) -> Result<bool, Error> {
    let misuse = match announced.map(|announced| announced.cmp(&collected)) {
        None | Some(Ordering::Equal) => return Ok(true),
        Some(Ordering::Greater) => Misuse::TooLittleContent,
        Some(Ordering::Less) => Misuse::TooMuchContent,
    };
    Err(Error::new(ErrorKind::RequestBody).with_source(Error::from(misuse)))
}

/// What a request that the browser has waits for.
fn requesting_phase(fetch: &Fetch) -> Phase {
    if fetch.is_sending() {
        Phase::SendBody
    } else {
        Phase::AwaitHead
    }
}

/// Notes how the content ended, once all of it was taken from the browser.
fn note_end(fetch: &Fetch, exchange: &mut Exchange) {
    if let Stage::Receiving(receiving) = &mut exchange.stage
        && matches!(receiving.end, EndOfContent::Open)
        && let Some(end) = fetch.end()
    {
        receiving.end = match end {
            Ok(()) => EndOfContent::End,
            Err(error) => EndOfContent::Fault(error),
        };
    }
}
