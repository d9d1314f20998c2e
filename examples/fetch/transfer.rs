//! One transfer and its events.

use std::io::Write;
use std::time::Instant;

use httpoll::proto::{FieldLines, ResponseHead};
use httpoll::{
    ErrorKind, Event, Phase, RequestHandle, RequestId, Response, agent::RetryCause,
    error::AuthFault,
};

use crate::address::Address;
use crate::exit_status::{Failure, HTTP_ERROR, RANGE_ERROR};
use crate::facts::Facts;
use crate::options::Group;
use crate::output::{Output, head_text, lines_text};
use crate::progress::Bar;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Transfer {
    handle: Option<RequestHandle>,
    pub(crate) group: usize,
    pub(crate) facts: Facts,
    output: Output,
    heads: Option<Output>,
    bar: Bar,
    began: Instant,
    phase: Option<Phase>,
    /// The length of a file that is continued.
    range_start: u64,
    /// The request of this hop was sent, so what arrives is not a proxy's response to `CONNECT`.
    asked: bool,
    includes: bool,
    discards: bool,
    fails_with_body: bool,
    fails_without_body: bool,
    uploads: bool,
    through_proxy: bool,
    shows_errors: bool,
    pub(crate) is_over: bool,
}

/// How a transfer begins.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) handle: RequestHandle,
    pub(crate) output: Output,
    pub(crate) heads: Option<Output>,
    pub(crate) bar: Bar,
    pub(crate) range_start: u64,
    pub(crate) uploads: bool,
    pub(crate) through_proxy: bool,
    pub(crate) shows_errors: bool,
}

impl Transfer {
    pub(crate) fn new(start: Start, group_index: usize, group: &Group, address: &Address) -> Self {
        Self {
            facts: Facts {
                given_url: address.given.clone(),
                url: Some(address.url.clone()),
                file_name: start.output.name(),
                follows: group.location,
                ..Facts::default()
            },
            handle: Some(start.handle),
            group: group_index,
            output: start.output,
            heads: start.heads,
            bar: start.bar,
            began: Instant::now(),
            phase: None,
            range_start: start.range_start,
            asked: false,
            includes: group.include || group.head,
            discards: false,
            fails_with_body: group.fail_with_body,
            fails_without_body: group.fail,
            uploads: start.uploads,
            through_proxy: start.through_proxy,
            shows_errors: start.shows_errors,
            is_over: false,
        }
    }

    pub(crate) fn is(&self, id: RequestId) -> bool {
        self.handle.as_ref().is_some_and(|handle| handle.id() == id)
    }

    /// Handles an event of this transfer.
    pub(crate) fn take(&mut self, event: Event) {
        let outcome = match event {
            Event::Phase { phase, .. } => {
                self.note_phase(phase);
                Ok(())
            }
            Event::Redirect { .. } => {
                self.facts.redirects += 1;
                Ok(())
            }
            Event::WillRetry { cause, .. } => {
                if let (RetryCause::Error(error), true) = (&cause, self.shows_errors) {
                    Failure::of(error, self.through_proxy, self.uploads).print();
                }
                // Only the last attempt counts, as with curl.
                self.facts.connects = 0;
                self.facts.downloaded = 0;
                Ok(())
            }
            Event::HeadSent { head, .. } => {
                self.asked = true;
                self.facts.note_sent(&head);
                Ok(())
            }
            Event::HeadReceived { head, .. } => self.note_head(&head),
            Event::Head {
                head,
                url,
                content_length,
                ..
            } => {
                self.facts.url = Some((*url).clone());
                self.judge(&head, content_length)
            }
            Event::Chunk { bytes, .. } => {
                self.facts.downloaded += bytes.len() as u64;
                match self.discards {
                    true => Ok(()),
                    false => self.output.write(&bytes),
                }
            }
            Event::Progress { progress, .. } => {
                self.bar.show(&progress);
                Ok(())
            }
            Event::Done { response, .. } => {
                self.facts.note_response(&response);
                let written = self.write_trailers(response.trailers());
                self.end(written.err().or_else(|| self.fault_of_status()));
                Ok(())
            }
            Event::Failed {
                error, response, ..
            } => {
                if let Some(phase) = error.phase() {
                    self.note_phase(phase);
                }
                let is_complete = response.as_ref().is_some_and(|it| self.is_complete(it));
                let refusal = response;
                if let Some(response) = &refusal {
                    self.facts.note_response(response);
                }
                if is_complete {
                    self.end(None);
                    return;
                }
                if let (ErrorKind::Auth(fault), Some(response)) = (error.kind(), &refusal) {
                    // To curl, a challenge that it cannot answer is a response like others.
                    let written = self.take_refusal(fault, response).err();
                    self.end(written.or_else(|| self.fault_of_status()));
                    return;
                }
                self.end(Some(Failure::of(&error, self.through_proxy, self.uploads)));
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(failure) = outcome {
            self.end(Some(failure));
        }
    }

    /// Counts connections that were established, whether or not TLS succeeded.
    fn note_phase(&mut self, phase: Phase) {
        let was_connecting = self.phase.is_some_and(|phase| phase <= Phase::Tunnel);
        if was_connecting && phase > Phase::Tunnel {
            self.facts.connects += 1;
        }
        self.phase = Some(phase);
    }

    /// Prints the trailer fields where the head was printed.
    fn write_trailers(&mut self, trailers: &FieldLines) -> Result<(), Failure> {
        let text = lines_text(trailers);
        if let Some(heads) = &mut self.heads {
            heads.write(&text)?;
        }
        match self.includes && !text.is_empty() {
            true => self.output.write(&text),
            false => Ok(()),
        }
    }

    fn note_head(&mut self, head: &ResponseHead) -> Result<(), Failure> {
        self.facts.note_received(head, !self.asked);
        if !head.status.is_informational() {
            self.asked = false;
        }
        let text = head_text(head);
        if let Some(heads) = &mut self.heads {
            heads.write(&text)?;
        }
        match self.includes {
            true => self.output.write(&text),
            false => Ok(()),
        }
    }

    /// Checks whether the final response is the one that the options ask for.
    fn judge(&mut self, head: &ResponseHead, content_length: Option<u64>) -> Result<(), Failure> {
        if self.range_start == 0 {
            return Ok(());
        }
        match head.status.as_u16() {
            206 => Ok(()),
            // Nothing follows what the file holds: it is complete.
            416 => {
                self.discards = true;
                Ok(())
            }
            _ if content_length == Some(self.range_start) => {
                self.discards = true;
                Ok(())
            }
            _ => Err(no_ranges()),
        }
    }

    /// Whether a failed response only says that nothing follows what the file holds (RFC 9110 §15.5.17). Its
    /// `Content-Range`, if it has one, must have the length of the file.
    fn is_complete(&self, response: &Response) -> bool {
        let range = response.header("content-range");
        let total = range.and_then(|range| range.strip_prefix("bytes */"));
        self.range_start > 0
            && response.status().as_u16() == 416
            && total.is_none_or(|total| total.parse() == Ok(self.range_start))
    }

    /// Says why the request could not be authenticated, and takes the content of the response.
    fn take_refusal(&mut self, fault: &AuthFault, response: &Response) -> Result<(), Failure> {
        if self.shows_errors {
            // There is nobody to tell if that fails.
            let _ = writeln!(std::io::stderr(), "fetch: {fault}");
        }
        if self.range_start > 0 {
            return Err(no_ranges());
        }
        self.facts.downloaded += response.body().len() as u64;
        match self.fails_without_body {
            true => Ok(()),
            false => self.output.write(response.body()),
        }
    }

    fn fault_of_status(&self) -> Option<Failure> {
        let status = self.facts.status;
        let is_complete = self.discards && status == 416;
        let fails = self.fails_with_body || self.fails_without_body;
        (fails && status >= 400 && !is_complete).then(|| {
            let message = format_args!("The requested URL returned error: {status}").to_string();
            Failure::new(HTTP_ERROR, message)
        })
    }

    /// The transfer is over. Dropping the handle cancels what is still running.
    fn end(&mut self, failure: Option<Failure>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        self.handle = None;
        self.bar.finish(failure.is_none());
        self.facts.total = self.began.elapsed();
        self.facts.failure = failure;
        if self.facts.failure.is_none() {
            self.facts.failure = self.output.finish().err();
        }
    }
}

fn no_ranges() -> Failure {
    Failure::new(
        RANGE_ERROR,
        "HTTP server doesn't seem to support byte ranges. Cannot resume.",
    )
}
