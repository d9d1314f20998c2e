//! From a response to bytes: its head with the fields that the server adds, and its content from any source,
//! one piece at a time.

use std::io;

use http::{Method, StatusCode, Version};

use super::state::{Incoming, Source, Stage};
use super::{BATCH_BYTES, Connection, Context, OUT_BYTES};
#[cfg(feature = "websocket")]
use crate::error::WebSocketFault;
use crate::error::{Error, ErrorKind};
use crate::proto::{BodyLength, FieldLines, ResponseHead};
use crate::read_once::read_once;
use crate::server::fault::ServerFault;
use crate::server::hooks::guarded;
use crate::server::pipe::Taken;
use crate::server::response::{Body, Response};
#[cfg(feature = "websocket")]
use crate::server::websocket::shared::Upgrade;
use crate::transport::disk::Fill;

impl Connection {
    pub(super) fn respond_plainly(&mut self, status: StatusCode, cx: &mut Context<'_>) {
        self.respond(Response::plain(status), cx);
    }

    /// Starts to send a response.
    #[cfg_attr(
        not(feature = "websocket"),
        expect(unused_mut, reason = "nothing is taken out")
    )]
    pub(super) fn respond(&mut self, mut response: Response, cx: &mut Context<'_>) {
        #[cfg(feature = "websocket")]
        if let Some(upgrade) = response.take_upgrade() {
            self.upgrade(upgrade, cx);
            return;
        }
        if response.needs_file() {
            self.open_response_file(response, cx);
            return;
        }
        if let Incoming::Streaming(inbox) = &self.incoming
            && (inbox.is_dropped() || !inbox.is_asked())
        {
            self.incoming = Incoming::Discarding(0);
        }
        match self.start(response, cx) {
            Ok(source) => {
                if matches!(&source, Source::Pipe(pipe) if pipe.beat().is_some()) {
                    self.link.limit_unsent();
                }
                self.enter(Stage::Responding(source), cx.now);
            }
            Err(kind) => {
                let fault = ServerFault::Response(Box::new(Error::from(kind)));
                cx.app.report(&fault, Some(&self.client));
                let plain = Response::plain(StatusCode::INTERNAL_SERVER_ERROR);
                let source = self.start(plain, cx).unwrap_or(Source::Broken);
                self.enter(Stage::Responding(source), cx.now);
            }
        }
        self.produce(cx);
    }

    /// Sends a `101`; after it the connection no longer speaks HTTP.
    #[cfg(feature = "websocket")]
    fn upgrade(&mut self, upgrade: Upgrade, cx: &mut Context<'_>) {
        let sent = self
            .exchange
            .send_response(&upgrade.head, BodyLength::None, &mut self.out);
        match sent {
            Ok(()) => {
                self.current.status = Some(upgrade.head.status);
                cx.app.metrics.count_response(101);
                self.begin_socket(upgrade, cx);
            }
            Err(kind) => {
                upgrade.end_failed(WebSocketFault::NotOpen);
                let fault = ServerFault::Response(Box::new(Error::from(kind)));
                cx.app.report(&fault, Some(&self.client));
                self.respond_plainly(StatusCode::INTERNAL_SERVER_ERROR, cx);
            }
        }
    }

    /// Sends the head. Returns the source of the content.
    fn start(&mut self, response: Response, cx: &mut Context<'_>) -> Result<Source, ErrorKind> {
        let (status, reason, mut fields, body) = response.into_parts();
        // Adds `Date` and `Connection`.
        fields.reserve(2, 96);
        let is_head = self.current.method == Some(Method::HEAD);
        let has_content = !matches!(&body, Body::Bytes(bytes) if bytes.is_empty());
        let may_have_content = !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        if has_content && may_have_content && !fields.contains("content-type") {
            fields.append("Content-Type", "text/html; charset=utf-8")?;
        }
        if !fields.contains("date") {
            fields.append("Date", cx.app.date())?;
        }
        for (name, value) in &std::mem::take(&mut self.current.added) {
            fields.add(name.as_str(), value.as_bytes())?;
        }
        if self.must_close(cx) && !fields.has_token("connection", "close") {
            fields.append("Connection", "close")?;
        }
        let (length, source) = match body {
            _ if !may_have_content => (BodyLength::None, Source::Done),
            // The head may describe the content that a `GET` would get.
            Body::Bytes(bytes) if bytes.is_empty() && fields.contains("content-length") => {
                (BodyLength::None, Source::Done)
            }
            Body::Bytes(bytes) => (BodyLength::Known(bytes.len() as u64), Source::Bytes(bytes)),
            Body::Gathering(bytes) => (
                BodyLength::Known(bytes.len() as u64),
                Source::Bytes(bytes.freeze()),
            ),
            Body::Reader(reader, left) => (
                left.map_or(BodyLength::Unknown, BodyLength::Known),
                Source::Reader { reader, left },
            ),
            Body::Asset(asset, length) => (
                length.map_or(BodyLength::Unknown, BodyLength::Known),
                Source::Asset(asset),
            ),
            Body::File(reader, length) => (
                length.map_or(BodyLength::Unknown, BodyLength::Known),
                Source::File(reader),
            ),
            Body::Pipe(pipe) => (BodyLength::Unknown, Source::Pipe(pipe)),
            // It was opened before.
            Body::Path(_) => return Err(ErrorKind::Internal("a file was not opened")),
            #[cfg(feature = "websocket")]
            Body::Upgrade(_) => (BodyLength::None, Source::Done),
        };
        let head = ResponseHead {
            version: Version::HTTP_11,
            status,
            reason: reason.map_or_else(
                || status.canonical_reason().unwrap_or_default().into(),
                Into::into,
            ),
            fields,
        };
        let sent = self.exchange.send_response(&head, length, &mut self.out);
        if let Err(kind) = sent {
            if let Source::Pipe(pipe) = &source {
                pipe.close();
            }
            return Err(kind);
        }
        self.current.status = Some(status);
        cx.app.metrics.count_response(status.as_u16());
        if is_head && let Source::Pipe(pipe) = &source {
            // The client gets no content.
            pipe.close();
        }
        Ok(if is_head && !matches!(source, Source::Done) {
            self.end_content(&FieldLines::new());
            Source::Done
        } else {
            source
        })
    }

    /// Whether this response is the last on its connection, for a reason that the HTTP state does not know.
    fn must_close(&mut self, cx: &mut Context<'_>) -> bool {
        let most = cx.app.limits.requests_per_connection;
        if cx.app.draining || most.is_some_and(|most| self.requests >= most) {
            return true;
        }
        match &self.incoming {
            Incoming::Over => !self.exchange.remote_done(),
            Incoming::Streaming(_) => false,
            // A short rest is read and dropped. How much is left of chunked content is unknown.
            Incoming::Discarding(_) => self
                .exchange
                .content_length()
                .is_none_or(|length| length > cx.app.limits.drained_bytes),
        }
    }

    /// Produces bytes to write, as far as there is space.
    pub(super) fn produce(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        // Events wait in their queue, where later ones can replace them, until the system accepts some bytes.
        let is_writable =
            self.pending() + self.link.pending() == 0 && self.link.is_writable(cx.reactor);
        while self.pending() < OUT_BYTES {
            let pending = self.pending();
            let Stage::Responding(source) = &mut self.stage else {
                break;
            };
            match source {
                Source::Done | Source::Broken => break,
                Source::Bytes(bytes) => {
                    let piece = bytes.split_to(bytes.len().min(OUT_BYTES));
                    let is_last = bytes.is_empty();
                    self.send_piece(&piece, cx);
                    if is_last {
                        self.end_content(&FieldLines::new());
                    }
                }
                Source::Reader { reader, left } => {
                    let mut scratch = cx.reactor.lend_scratch();
                    let most = left.map_or(OUT_BYTES, |left| {
                        usize::try_from(left).unwrap_or(OUT_BYTES).min(OUT_BYTES)
                    });
                    let reader = reader.get_mut();
                    match guarded_read(|| read_once(reader, &mut scratch[..most])) {
                        Ok(0) if left.is_none() || *left == Some(0) => {
                            self.end_content(&FieldLines::new());
                        }
                        Ok(0) => self.break_off("the content ended too early", cx),
                        Ok(count) => {
                            if let Some(left) = left {
                                *left -= count as u64;
                            }
                            let is_last = *left == Some(0);
                            self.send_piece(&scratch[..count], cx);
                            if is_last {
                                self.end_content(&FieldLines::new());
                            }
                        }
                        Err(fault) => self.break_for(&fault, cx),
                    }
                    cx.reactor.return_scratch(scratch);
                    if cx.meter.exhausted() {
                        return true;
                    }
                }
                Source::Asset(asset) => {
                    match guarded_read(|| asset.next_chunk(OUT_BYTES)) {
                        Ok(Some(chunk)) => self.send_piece(&chunk, cx),
                        Ok(None) => self.end_content(&FieldLines::new()),
                        Err(fault) => self.break_for(&fault, cx),
                    }
                    if cx.meter.exhausted() {
                        return true;
                    }
                }
                Source::File(file) => match file.fill() {
                    Fill::Data => {
                        let piece = file.rest();
                        let piece = &piece[..piece.len().min(OUT_BYTES)];
                        let count = piece.len();
                        let sent = self.exchange.send_content(piece, &mut self.out);
                        file.take(count);
                        if let Err(kind) = sent {
                            self.break_off(Error::from(kind), cx);
                        }
                        if cx.meter.exhausted() {
                            return true;
                        }
                    }
                    Fill::Waits => break,
                    Fill::End => self.end_content(&FieldLines::new()),
                    Fill::Failed(fault) => self.break_for(&fault.into_fault(), cx),
                },
                Source::Pipe(pipe)
                    if pipe.beat().is_some() && (!is_writable || pending >= BATCH_BYTES) =>
                {
                    break;
                }
                Source::Pipe(pipe) => match pipe.take() {
                    Taken::Bytes(bytes) => self.send_piece(&bytes, cx),
                    // An event stream never ends by itself. The client connects again elsewhere.
                    Taken::Nothing if cx.app.draining && pipe.beat().is_some() => {
                        pipe.close();
                        self.end_content(&FieldLines::new());
                    }
                    Taken::Nothing => break,
                    Taken::Finished(trailers) => self.end_content(&trailers),
                    Taken::Broken => {
                        self.stage = Stage::Responding(Source::Broken);
                    }
                },
            }
            moved = true;
        }
        moved
    }

    pub(super) fn send_piece(&mut self, piece: &[u8], cx: &mut Context<'_>) {
        if let Err(kind) = self.exchange.send_content(piece, &mut self.out) {
            self.break_off(Error::from(kind), cx);
        }
    }

    /// Ends the content. If it may not end here, it is cut short.
    fn end_content(&mut self, trailers: &FieldLines) {
        let ended = self
            .exchange
            .finish(trailers, &mut self.out)
            // Only chunked content can have trailers.
            .or_else(|_| self.exchange.finish(&FieldLines::new(), &mut self.out));
        if let Stage::Responding(source) = &mut self.stage {
            *source = match ended {
                Ok(()) => Source::Done,
                Err(_) => Source::Broken,
            };
        }
    }

    fn break_off(
        &mut self,
        why: impl Into<crate::server::fault::HandlerError>,
        cx: &mut Context<'_>,
    ) {
        self.break_for(&ServerFault::Response(why.into()), cx);
    }

    /// The rest of the response will not come: the connection ends, so that the client notices.
    fn break_for(&mut self, fault: &ServerFault, cx: &mut Context<'_>) {
        self.stage = Stage::Responding(Source::Broken);
        cx.app.report(fault, Some(&self.client));
    }

    /// Whether the system has taken all of the response.
    pub(super) fn is_sent(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        match &self.stage {
            Stage::Responding(Source::Done | Source::Broken) if self.pending() == 0 => {
                self.link.flush(cx.reactor, cx.meter)
            }
            _ => Ok(false),
        }
    }
}

/// Reads from a reader of the program, which may panic.
fn guarded_read<T>(read: impl FnOnce() -> io::Result<T>) -> Result<T, ServerFault> {
    match guarded(read) {
        Ok(read) => read.map_err(|error| ServerFault::Response(Box::new(error))),
        Err(text) => Err(ServerFault::Panicked(text)),
    }
}
