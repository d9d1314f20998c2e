//! What a transfer does next: a pure function of the transfer and what happened to it.
//!
//! [`decide`] changes nothing and asks nobody. What it needs from outside the transfer comes with its
//! [`Input`]. The engine carries out the [`NextAction`] it returns.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use url::Url;

use super::Transfer;
use super::fault_class::{blames_origin, is_cut, is_stale, is_transient};
use super::next_action::{Change, NextAction};
use super::state::Sink;
use super::state::{Queued, State};
use crate::agent::downloading::HeadDecision;
use crate::agent::event::RetryCause;
use crate::agent::output::Output;
use crate::clock::Instant;
use crate::error::{AuthFault, Error, ErrorKind, RedirectRefusal, RequestRefused};
use crate::phase::Phase;
use crate::proto::ResponseHead;
use crate::semantics::range::ContentRange;
use crate::semantics::redirect;
use crate::semantics::retry::{Outcome, Repeatable, RetryState, parse_retry_after};

/// How long after an event stream ended it is opened again, unless the server said otherwise (WHATWG
/// HTML §9.2 leaves it to the client, "in the region of a few seconds").
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// The shortest time before an event stream is opened again, whatever the server said: a server that ends
/// each stream at once is not flooded.
const SHORTEST_RECONNECT: Duration = Duration::from_millis(100);

/// After this time, in active time, `Event::StillQueued` reports that a request waits for a connection, and why.
pub(crate) const LONG_QUEUE: Duration = Duration::from_secs(5);

/// What happened to a transfer.
pub(crate) enum Input<'a> {
    /// The head of its final response arrived.
    Head(HeadInput<'a>),
    /// Its attempt failed, or what arrived cannot be used.
    Error(ErrorInput<'a>),
    /// Its response ended. `planned` was decided when the head arrived.
    End { planned: NextAction },
    /// One of its timers fired.
    Timer {
        /// In active time.
        now: Instant,
        /// What it is doing.
        phase: Phase,
    },
}

/// A head, and what the decision about it needs from outside the transfer.
pub(crate) struct HeadInput<'a> {
    pub(crate) head: &'a ResponseHead,
    /// Whether the connection had served another request before.
    pub(crate) was_reused: bool,
    /// Whether a challenge in the head can be answered, or why not. `None` without a challenge or without
    /// credentials.
    pub(crate) authentication: Option<Result<(), AuthFault>>,
    /// The `https` form of a URL whose host wants it.
    pub(crate) secure_form: &'a dyn Fn(&Url) -> Option<Url>,
    pub(crate) conditions: Conditions,
}

/// An error, and what the decision about it needs from outside the transfer.
pub(crate) struct ErrorInput<'a> {
    pub(crate) error: &'a Error,
    /// Whether the connection had served another request before.
    pub(crate) was_reused: bool,
    pub(crate) conditions: Conditions,
}

/// Time and chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) active_now: Instant,
    pub(crate) wall: SystemTime,
    /// Uniform over all its values.
    pub(crate) random: u64,
}

/// See the module's documentation.
pub(crate) fn decide(transfer: &Transfer, input: Input<'_>) -> NextAction {
    match input {
        Input::Head(input) => after_head(transfer, &input),
        Input::Error(input) => after_error(transfer, &input),
        Input::End { planned } => after_end(transfer, planned),
        Input::Timer { now, phase } => after_timer(transfer, now, phase),
    }
}

/// The first that applies: the cache, authentication, a redirect, a retry, a resumed download, delivery.
fn after_head(transfer: &Transfer, input: &HeadInput<'_>) -> NextAction {
    let status = input.head.status;
    let can_be_sent = transfer.request.payload.can_be_sent();
    #[cfg(feature = "cache")]
    if let Some(cache) = &transfer.cache {
        if status == StatusCode::NOT_MODIFIED && cache.is_validating() {
            return NextAction::Revalidated;
        }
        if matches!(status.as_u16(), 500 | 502..=504) && cache.has_response_for_error() {
            return NextAction::ServeStale;
        }
    }
    if can_be_sent && input.authentication == Some(Ok(())) {
        return NextAction::SendAgain(Change::Nothing);
    }
    if status == StatusCode::REQUEST_TIMEOUT && input.was_reused && transfer.may_repeat() {
        // The server gave up waiting for a request on this connection just when it was sent; over a new one
        // it may be repeated (RFC 9110 §15.5.9).
        return NextAction::Reconnect;
    }
    if status == StatusCode::EXPECTATION_FAILED && transfer.wants_continue() && can_be_sent {
        // RFC 9110 §10.1.1: repeat the request without the expectation.
        return NextAction::SendAgain(Change::NoExpectation);
    }
    follow_redirect(transfer, input)
        .or_else(|| retry_status(transfer, input))
        .or_else(|| resume_download(transfer, input.head))
        .or_else(|| continue_partial(transfer, input.head))
        .unwrap_or_else(|| deliver_or_fail(transfer, input))
}

fn deliver_or_fail(transfer: &Transfer, input: &HeadInput<'_>) -> NextAction {
    match &input.authentication {
        // The status says it all: the server knows the credentials and does not accept them.
        None | Some(Ok(()) | Err(AuthFault::Rejected)) => {}
        Some(Err(fault)) => return NextAction::Fail(ErrorKind::Auth(fault.clone()).into()),
    }
    let status = input.head.status;
    let is_failure = match &transfer.request.output {
        _ if transfer.settings.error_for_status && status.as_u16() >= 400 => true,
        Output::File(_) | Output::Messages(_) => !status.is_success(),
        Output::EventStream => !matches!(status, StatusCode::OK | StatusCode::NO_CONTENT),
        #[cfg(feature = "websocket")]
        Output::WebSocket(_) => true,
        Output::Collect | Output::Stream => false,
    };
    if is_failure {
        NextAction::Fail(ErrorKind::Status(status.as_u16()).into())
    } else {
        NextAction::Deliver
    }
}

fn follow_redirect(transfer: &Transfer, input: &HeadInput<'_>) -> Option<NextAction> {
    let partial = transfer.partial.as_ref();
    if partial.is_some_and(|partial| partial.response.is_streamed()) {
        // The caller has the beginning of something else than what is there.
        return None;
    }
    let request = &transfer.request;
    let followed = u32::try_from(transfer.attempts.history.len()).unwrap_or(u32::MAX);
    let decided = redirect::redirect(
        &transfer.settings.redirects,
        input.head.status,
        &request.method,
        &request.url,
        input.head.fields.get("location"),
        followed,
        input.secure_form,
    );
    match decided {
        Ok(None) => None,
        // Two targets: somebody else may have added one (RFC 9110 §5.3).
        Ok(Some(_)) if has_several_locations(input.head) => {
            let refusal = RedirectRefusal::InvalidLocation;
            Some(NextAction::Fail(ErrorKind::Redirect(refusal).into()))
        }
        Ok(Some(next)) if next.keeps_content && !request.payload.can_be_sent() => Some(
            NextAction::Fail(ErrorKind::Refused(RequestRefused::ContentSpent).into()),
        ),
        Ok(Some(next)) => Some(NextAction::Redirect(Box::new(next))),
        Err(refusal) => Some(NextAction::Fail(ErrorKind::Redirect(refusal).into())),
    }
}

/// Whether there are `Location` fields that differ.
fn has_several_locations(head: &ResponseHead) -> bool {
    let mut locations = head.fields.get_all("location");
    let first = locations.next();
    locations.any(|other| Some(other) != first)
}

fn retry_status(transfer: &Transfer, input: &HeadInput<'_>) -> Option<NextAction> {
    let status = input.head.status;
    if blames_origin(Ok(status)) && transfer.has_next_origin() {
        return Some(NextAction::NextOrigin);
    }
    let retry_after = input.head.fields.get("retry-after");
    let outcome = Outcome::Status {
        status,
        retry_after: retry_after.and_then(|value| parse_retry_after(value, input.conditions.wall)),
    };
    retry(
        transfer,
        outcome,
        RetryCause::Status(status),
        input.conditions,
    )
}

/// Sends the request again if the retry policy says so.
fn retry(
    transfer: &Transfer,
    outcome: Outcome,
    cause: RetryCause,
    conditions: Conditions,
) -> Option<NextAction> {
    let request = &transfer.request;
    let mut retries = transfer.attempts.retries.clone();
    let delay = retries.next(
        &transfer.settings.retries,
        Repeatable {
            method: &request.method,
            content_repeats: request.payload.can_be_sent(),
            idempotency_key: request.fields.contains("idempotency-key"),
        },
        outcome,
        conditions.active_now,
        conditions.random,
    )?;
    Some(NextAction::Retry {
        delay,
        cause,
        retries,
    })
}

/// What a head means for a download that is to continue. `None`: its content is written.
fn resume_download(transfer: &Transfer, head: &ResponseHead) -> Option<NextAction> {
    match transfer.file.download.as_ref()?.decide(head) {
        HeadDecision::Write => None,
        HeadDecision::Restart => Some(NextAction::SendAgain(Change::RestartFile)),
        HeadDecision::Complete => Some(NextAction::Commit),
    }
}

/// What a head means for content that was cut and is to continue. `None`: it continues, or the whole
/// content comes instead.
fn continue_partial(transfer: &Transfer, head: &ResponseHead) -> Option<NextAction> {
    let partial = transfer.partial.as_ref()?;
    if partial.is_continued_by(head) {
        return None;
    }
    let received = partial.response.received;
    let status = head.status.as_u16();
    let range = head.fields.get("content-range");
    let range = range.and_then(ContentRange::parse);
    if status == 416
        && matches!(range, Some(ContentRange::Unsatisfied { complete }) if complete == received)
    {
        // All content had arrived; only its end was not seen (RFC 9110 §15.5.17).
        return Some(NextAction::FinishPartial);
    }
    if matches!(partial.response.sink, Sink::Stream) {
        // The caller has the beginning of something that does not exist any more.
        let kind = match status {
            200 | 206 | 416 => ErrorKind::Truncated {
                received,
                expected: None,
            },
            _ => ErrorKind::Status(status),
        };
        return Some(NextAction::Fail(kind.into()));
    }
    matches!(status, 206 | 416).then_some(NextAction::SendAgain(Change::DropPartial))
}

fn after_end(transfer: &Transfer, planned: NextAction) -> NextAction {
    let Some(response) = transfer.state.response() else {
        return NextAction::Fail(Error::internal("a response ended that had not begun"));
    };
    match planned {
        NextAction::Deliver => match response.sink {
            Sink::File
                if transfer
                    .file
                    .download
                    .as_ref()
                    .is_some_and(|it| it.is_short()) =>
            {
                NextAction::SendAgain(Change::ContinueFile)
            }
            Sink::File => NextAction::Commit,
            Sink::EventStream => reopen(transfer, RetryCause::StreamEnded),
            _ => NextAction::Finish,
        },
        planned => planned,
    }
}

fn after_error(transfer: &Transfer, input: &ErrorInput<'_>) -> NextAction {
    let error = input.error;
    let fail = || NextAction::Fail(error.clone());
    let response = transfer.state.response();
    if let Some(response) = response {
        if response.is_discarded() {
            // What follows is known, and nothing of the rest was wanted.
            return NextAction::AsPlanned;
        }
        if matches!(response.planned, NextAction::Fail(_)) {
            // It had failed before its content did.
            return fail();
        }
    }
    let is_sent = transfer.state.is_sent();
    if input.was_reused
        && response.is_none()
        && is_stale(error, transfer.is_repeatable(), is_sent)
        && transfer.request.payload.can_be_sent()
    {
        return NextAction::Reconnect;
    }
    // What the caller has seen cannot be sent to it again, unless the rest of it can be asked for.
    if response.is_some_and(|response| response.is_streamed()) && !transfer.can_continue() {
        return fail();
    }
    if is_cut(error) && transfer.attempts.was_paused && transfer.may_repeat() {
        // It is not the network that failed: the peer did not wait for the pause to end.
        return NextAction::SendAgain(Change::Nothing);
    }
    let outcome = Outcome::of(error);
    let is_transient = is_transient(outcome);
    if blames_origin(Err(error)) && transfer.has_next_origin() {
        return NextAction::NextOrigin;
    }
    if is_transient
        && matches!(transfer.request.output, Output::EventStream)
        && transfer.delivery.event_reader.is_some()
    {
        return reopen(transfer, RetryCause::Error(error.clone()));
    }
    if let Some(retry) = retry(
        transfer,
        outcome,
        RetryCause::Error(error.clone()),
        input.conditions,
    ) {
        return retry;
    }
    #[cfg(feature = "cache")]
    if is_transient
        && let Some(cache) = &transfer.cache
        && cache.has_response_for_error()
    {
        return NextAction::ServeStale;
    }
    fail()
}

/// Opens an event stream again, after the time that the server asked for.
fn reopen(transfer: &Transfer, cause: RetryCause) -> NextAction {
    let reader = transfer.delivery.event_reader.as_ref();
    let delay = reader.and_then(|reader| reader.retry());
    NextAction::Retry {
        delay: delay.unwrap_or(RECONNECT_AFTER).max(SHORTEST_RECONNECT),
        cause,
        retries: RetryState::clone(&transfer.attempts.retries),
    }
}

fn after_timer(transfer: &Transfer, now: Instant, phase: Phase) -> NextAction {
    let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
    // When all content is there, the file may have its name already.
    let is_saved = matches!(transfer.state, State::Committing { .. });
    if is_due(transfer.times.deadline) && !is_saved {
        return NextAction::Fail(ErrorKind::TotalTimeout(phase).into());
    }
    match &transfer.state {
        State::Queued(Queued { deadline, .. }) if is_due(*deadline) => {
            NextAction::Fail(ErrorKind::Timeout(Phase::Queue).into())
        }
        State::Queued(queued)
            if !queued.is_long_reported && is_due(queued.since.checked_add(LONG_QUEUE)) =>
        {
            NextAction::ReportQueued
        }
        State::Waiting { until } if *until <= now && !transfer.paused => {
            NextAction::SendAgain(Change::Nothing)
        }
        state => match state.connection() {
            Some(connection) => NextAction::Drive(connection),
            None => NextAction::Wait,
        },
    }
}

#[cfg(test)]
mod tests;
