//! A connection that the browser keeps: each request is one call of `fetch`.
//!
//! The browser chooses the connection, so this side has nothing to open and nothing to keep. The request's
//! content is collected before the call, because a browser takes it whole. Response content is taken from
//! the browser as far as its caller reads; see `transport::fetch` for how much lies ready.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

use super::outcome::{Driven, Follows, Taken};
use crate::connection::content::RequestBody;
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
        request.file = body.page_file();
        let is_collected = has_content && request.file.is_none();
        self.progress = Progress::Collecting(Box::new(request));
        self.requests += 1;
        exchange.begin(
            head,
            if is_collected {
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
            self.call(exchange, reactor);
        }
        let Progress::Called(_, fetch) = &self.progress else {
            return Ok(Driven::Waiting);
        };
        match exchange.stage {
            Stage::Requesting => match fetch.take_head()? {
                None => Ok(Driven::Waiting),
                Some(head) => self.receive(exchange, head),
            },
            Stage::Receiving(_) => {
                fill(fetch, exchange, meter);
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
        loop {
            let before = request.content.len();
            request.content.resize(before + PIECE_BYTES, 0);
            let drawn = body.draw(&mut request.content[before..]);
            let count = *drawn.as_ref().unwrap_or(&0);
            request.content.truncate(before + count);
            match drawn {
                Ok(0) => return check_length(announced, request.content.len()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    exchange.content = RequestContent::SourceWaits(body);
                    return Ok(false);
                }
                Err(error) => return Err(Error::new(ErrorKind::RequestBody).with_source(error)),
            }
            // A source that has provided its declared length is not read again, because it might block.
            if announced.is_some_and(|announced| request.content.len() as u64 >= announced) {
                return check_length(announced, request.content.len());
            }
            if meter.exhausted() {
                exchange.content = RequestContent::Source(body);
                return Ok(false);
            }
        }
    }

    /// Hands the request to the browser.
    fn call(&mut self, exchange: &mut Exchange, reactor: &mut Reactor) {
        let before = std::mem::replace(&mut self.progress, Progress::Idle);
        let Progress::Collecting(request) = before else {
            self.progress = before;
            return;
        };
        // What the browser really sends it does not tell.
        exchange.sent = request.size();
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

    pub(super) fn read_content(
        &mut self,
        exchange: &mut Exchange,
        meter: &mut BudgetMeter,
        most: usize,
    ) -> Result<Taken, Error> {
        let Progress::Called(_, fetch) = &self.progress else {
            return Err(Misuse::WrongStatus.into());
        };
        fill(fetch, exchange, meter);
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
            (Stage::Requesting, Progress::Called(..)) => Some(Phase::AwaitHead),
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
            (Stage::Requesting, Progress::Called(..)) => Some(Phase::AwaitHead),
            (Stage::Requesting, _) => Some(Phase::SendBody),
            (Stage::Receiving(_), _) => Some(Phase::ReceiveBody),
        }
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
fn check_length(announced: Option<u64>, collected: usize) -> Result<bool, Error> {
    let misuse = match announced.map(|announced| announced.cmp(&(collected as u64))) {
        None | Some(Ordering::Equal) => return Ok(true),
        Some(Ordering::Greater) => Misuse::TooLittleContent,
        Some(Ordering::Less) => Misuse::TooMuchContent,
    };
    Err(Error::new(ErrorKind::RequestBody).with_source(Error::from(misuse)))
}

/// Takes the next piece of content from the browser, or how the content ended.
fn fill(fetch: &Fetch, exchange: &mut Exchange, meter: &mut BudgetMeter) {
    let Stage::Receiving(receiving) = &mut exchange.stage else {
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
        exchange.received += receiving.ready.len() as u64;
    }
    note_end(fetch, exchange);
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
