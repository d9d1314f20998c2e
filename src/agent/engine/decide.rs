//! What follows a response, as its head tells: another hop, another attempt, delivery, failure.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::Engine;
use crate::agent::download::is_same_version;
use crate::agent::event::RetryCause;
use crate::agent::output::Output;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::response_state::{Kept, Sink, Then};
use crate::error::{Error, ErrorKind, RequestRefused};
use crate::proto::ResponseHead;
use crate::semantics::range::ContentRange;
use crate::semantics::redirect;
use crate::semantics::retry::{Outcome, Repeatable, parse_retry_after};

impl Engine {
    /// What follows the end of this response.
    pub(super) fn decide(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
        active_now: Instant,
    ) -> Result<Then, Error> {
        let status = head.status;
        #[cfg(feature = "cache")]
        if let Some(caching) = &transfer.caching {
            if status == StatusCode::NOT_MODIFIED && caching.is_validating() {
                return Ok(Then::Revalidated);
            }
            if matches!(status.as_u16(), 500 | 502..=504) && caching.has_response_for_error() {
                return Ok(Then::ServeStale);
            }
        }
        if status == StatusCode::UNAUTHORIZED
            && transfer.payload.can_be_sent()
            && let Ok(cnonce) = self.random.bytes()
            && self.policies.take_challenges(transfer, head, cnonce)
        {
            return Ok(Then::Again);
        }
        if status == StatusCode::EXPECTATION_FAILED
            && transfer.wants_continue()
            && transfer.payload.can_be_sent()
        {
            // RFC 9110 §10.1.1: repeat the request without the expectation.
            transfer.expects_continue = false;
            return Ok(Then::Again);
        }
        if let Some(then) = self.redirect(transfer, head) {
            return Ok(then);
        }
        if let Some(then) = self.retry_status(transfer, head, active_now) {
            return Ok(then);
        }
        if let Some(then) = self.resume_refused(transfer, head) {
            return Ok(then);
        }
        if let Some(then) = continuation_refused(transfer, head) {
            return Ok(then);
        }
        let is_failure = status.as_u16() >= 400;
        Ok(match &transfer.output {
            _ if is_failure && transfer.settings.error_for_status => {
                Then::Fail(ErrorKind::Status(status.as_u16()).into())
            }
            Output::File(_) if !status.is_success() => {
                Then::Fail(ErrorKind::Status(status.as_u16()).into())
            }
            Output::EventStream if status != StatusCode::OK && status != StatusCode::NO_CONTENT => {
                Then::Fail(ErrorKind::Status(status.as_u16()).into())
            }
            #[cfg(feature = "websocket")]
            Output::WebSocket(_) => Then::Fail(ErrorKind::Status(status.as_u16()).into()),
            _ => Then::Deliver,
        })
    }

    fn redirect(&mut self, transfer: &mut Transfer, head: &ResponseHead) -> Option<Then> {
        if transfer
            .kept
            .as_ref()
            .is_some_and(|kept| kept.answer.is_streamed())
        {
            // The caller has the beginning of something else than what is there.
            return None;
        }
        let wall = self.reactor.clock().wall();
        let followed = u32::try_from(transfer.history.len()).unwrap_or(u32::MAX);
        let decided = redirect::redirect(
            &transfer.settings.redirects,
            head.status,
            &transfer.method,
            &transfer.url,
            head.fields.get("location"),
            followed,
            &|url| self.policies.secure_form(url, wall),
        );
        match decided {
            Ok(None) => None,
            Ok(Some(next)) if next.keeps_content && !transfer.payload.can_be_sent() => Some(
                Then::Fail(ErrorKind::Refused(RequestRefused::ContentSpent).into()),
            ),
            Ok(Some(next)) => Some(Then::Redirect(Box::new(next))),
            Err(refusal) => Some(Then::Fail(ErrorKind::Redirect(refusal).into())),
        }
    }

    fn retry_status(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
        active_now: Instant,
    ) -> Option<Then> {
        let wall = self.reactor.clock().wall();
        let retry_after = head
            .fields
            .get("retry-after")
            .and_then(|value| parse_retry_after(value, wall));
        let outcome = Outcome::Status {
            status: head.status,
            retry_after,
        };
        if matches!(head.status.as_u16(), 502..=504) && self.policies.try_next_origin(transfer) {
            return Some(Then::Again);
        }
        let delay = self.retry_delay(transfer, outcome, active_now)?;
        Some(Then::Retry(delay, RetryCause::Status(head.status)))
    }

    pub(super) fn retry_delay(
        &mut self,
        transfer: &mut Transfer,
        outcome: Outcome,
        active_now: Instant,
    ) -> Option<Duration> {
        let random = self.random.next();
        let Transfer {
            retry,
            settings,
            method,
            payload,
            fields,
            ..
        } = transfer;
        retry.next(
            &settings.retries,
            Repeatable {
                method,
                content_repeats: payload.can_be_sent(),
                idempotency_key: fields.contains("idempotency-key"),
            },
            outcome,
            active_now,
            random,
        )
    }
}

/// What the head means for content that was cut and is to go on: `None` when it goes on, or when the
/// whole comes in its place.
fn continuation_refused(transfer: &mut Transfer, head: &ResponseHead) -> Option<Then> {
    let kept = transfer.kept.as_ref()?;
    if continues(head, kept) {
        return None;
    }
    let status = head.status.as_u16();
    let range = head
        .fields
        .get("content-range")
        .and_then(ContentRange::parse);
    if status == 416
        && matches!(range, Some(ContentRange::Unsatisfied { complete }) if complete == kept.answer.received)
    {
        // All of it had come; only its end was not seen (RFC 9110 §15.5.17).
        return Some(Then::Kept);
    }
    if matches!(kept.answer.sink, Sink::Stream) {
        // The caller has the beginning of something that is no more.
        let received = kept.answer.received;
        let kind = match status {
            200 | 206 | 416 => ErrorKind::Truncated {
                received,
                expected: None,
            },
            _ => ErrorKind::Status(status),
        };
        return Some(Then::Fail(kind.into()));
    }
    transfer.kept = None;
    matches!(status, 206 | 416).then_some(Then::Again)
}

/// Whether a response goes on where the one before was cut (RFC 9110 §15.3.7): the same version of the
/// content, from the right place.
pub(super) fn continues(head: &ResponseHead, kept: &Kept) -> bool {
    let range = head
        .fields
        .get("content-range")
        .and_then(ContentRange::parse);
    head.status.as_u16() == 206
        && matches!(range, Some(ContentRange::Part { range, .. }) if range.start == kept.answer.received)
        && is_same_version(&head.fields, &kept.if_range)
}
