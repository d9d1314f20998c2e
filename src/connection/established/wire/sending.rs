//! Sends request bytes from the caller's source to the link.

use std::io;
use std::mem;

use super::{PIECE_BYTES, Wire};
use crate::connection::exchange::{Exchange, RequestContent};
use crate::error::{Error, ErrorKind};
use crate::phase::Phase;
use crate::proto::FieldLines;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

impl Wire {
    /// Writes until everything is sent, the socket is full or the budget is spent. It fails only if the
    /// caller's source fails. A broken link is only noted, because the response may still arrive.
    pub(super) fn transmit(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<(), Error> {
        while self.write_error.is_none() {
            if self.out_sent < self.out.len() {
                match self.link.write(reactor, meter, &self.out[self.out_sent..]) {
                    Ok(count) => {
                        self.out_sent += count;
                        exchange.sent += count as u64;
                        let is_left = self.out_sent < self.out.len();
                        if is_left && (meter.exhausted() || count == 0) {
                            return Ok(());
                        }
                    }
                    Err(error) => self.stop_sending(exchange, error),
                }
                continue;
            }
            self.out.clear();
            self.out_sent = 0;
            if self.machine.awaits_continue() || !self.draw_content(exchange, reactor)? {
                if let Err(error) = self.link.flush(reactor, meter) {
                    self.stop_sending(exchange, error);
                }
                return Ok(());
            }
            if meter.exhausted() {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn stop_sending(&mut self, exchange: &mut Exchange, error: Error) {
        self.failed_in = self.awaits(exchange);
        self.write_error = Some(error);
        self.out.clear();
        self.out_sent = 0;
        exchange.content = RequestContent::Nothing;
    }

    /// Frames the next piece of request content into `out`. Returns `false` if no content is ready.
    fn draw_content(
        &mut self,
        exchange: &mut Exchange,
        reactor: &mut Reactor,
    ) -> Result<bool, Error> {
        let mut body = match mem::take(&mut exchange.content) {
            RequestContent::Nothing => return Ok(false),
            RequestContent::Source(body) | RequestContent::SourceWaits(body) => body,
        };
        let mut scratch = reactor.lend_scratch();
        let drawn = body.draw(&mut scratch[..PIECE_BYTES]);
        let framed = match drawn {
            Ok(0) => self
                .machine
                .finish(&FieldLines::new(), &mut self.out)
                .map(|()| !self.out.is_empty()),
            Ok(count) => {
                let framed = self.machine.send_content(&scratch[..count], &mut self.out);
                // A source that has provided its declared length is not read again, because it might block.
                if !self.machine.local_done() {
                    exchange.content = RequestContent::Source(body);
                }
                framed.map(|()| true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                exchange.content = RequestContent::SourceWaits(body);
                Ok(false)
            }
            Err(error) => {
                reactor.return_scratch(scratch);
                self.failed_in = Some(Phase::SendBody);
                return Err(content_error(error));
            }
        };
        reactor.return_scratch(scratch);
        framed.map_err(|kind| {
            self.failed_in = Some(Phase::SendBody);
            Error::new(ErrorKind::RequestBody).with_source(Error::new(kind))
        })
    }
}

/// The caller's source failed. If that was a file, the error names it.
fn content_error(error: io::Error) -> Error {
    #[cfg(feature = "agent")]
    if let Some(path) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
        .and_then(Error::path)
        .map(std::path::Path::to_owned)
    {
        return Error::new(ErrorKind::RequestBody)
            .with_source(error)
            .about_file(&path);
    }
    Error::new(ErrorKind::RequestBody).with_source(error)
}
