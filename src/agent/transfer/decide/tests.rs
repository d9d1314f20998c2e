//! Tables: what happened, and what is decided. No network is involved.

use std::sync::Arc;

use http::Version;

use super::*;
use crate::agent::prepared::{KnownUrls, Prepared};
use crate::agent::request::Request;
use crate::agent::transfer::state::{Collected, PartialResponse, ResponseState};
use crate::agent::transfer::{Standby, state::State};
use crate::agent::{id::RequestId, pool::ConnectionKey};
use crate::error::{NetworkFault, PeerMisbehaved};
use crate::proto::FieldLines;
use crate::semantics::retry::RetryPolicy;

const CONNECTION: ConnectionKey = ConnectionKey(7);

fn transfer_at(now: Instant, request: Request) -> Transfer {
    let config = crate::agent::Agent::new().config;
    let prepared = Prepared::of(request, &config, &mut KnownUrls::default()).unwrap();
    let mut transfer = Transfer::new(RequestId(1), prepared, now, now);
    transfer.state = State::Sent {
        connection: CONNECTION,
    };
    transfer
}

fn transfer(request: Request) -> Transfer {
    transfer_at(Instant::now(), request)
}

fn get() -> Request {
    Request::get("http://game.example/scores?season=3")
}

fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).unwrap();
    }
    ResponseHead {
        version: Version::HTTP_11,
        status: StatusCode::from_u16(status).unwrap(),
        reason: "".into(),
        fields: lines,
    }
}

fn response(head: ResponseHead, sink: Sink, received: u64) -> ResponseState {
    ResponseState {
        sink,
        received,
        decoded: received,
        ..ResponseState::new(Arc::new(head), NextAction::Deliver)
    }
}

fn receive(transfer: &mut Transfer, response: ResponseState) {
    transfer.state = State::Receiving {
        connection: CONNECTION,
        response,
    };
}

/// Content that was cut after `received` bytes of the version `"v1"`.
fn cut_after(transfer: &mut Transfer, sink: Sink, received: u64) {
    let response = response(head(200, &[("ETag", "\"v1\"")]), sink, received);
    transfer.partial = PartialResponse::of(response);
}

fn conditions() -> Conditions {
    Conditions {
        active_now: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
        random: u64::MAX,
    }
}

fn after(transfer: &Transfer, status: u16, fields: &[(&str, &str)]) -> String {
    let head = head(status, fields);
    let input = HeadInput {
        head: &head,
        was_reused: false,
        authentication: None,
        secure_form: &|_| None,
        conditions: conditions(),
    };
    name(&decide(transfer, Input::Head(input)))
}

fn after_failure(transfer: &Transfer, error: &Error, was_reused: bool) -> String {
    let input = ErrorInput {
        error,
        was_reused,
        conditions: conditions(),
    };
    name(&decide(transfer, Input::Error(input)))
}

fn at(transfer: &Transfer, now: Instant) -> String {
    let phase = transfer.state.phase();
    name(&decide(transfer, Input::Timer { now, phase }))
}

/// An action in one word or two.
fn name(action: &NextAction) -> String {
    match action {
        NextAction::SendAgain(Change::Nothing) => "again".to_owned(),
        NextAction::SendAgain(change) => format!("again, {change:?}"),
        NextAction::Redirect(next) => format!("to {} {}", next.method, next.url),
        NextAction::Retry { delay, .. } => format!("retry after {delay:?}"),
        NextAction::Fail(error) => format!("fail: {:?}", error.kind()),
        NextAction::ReportQueued => "still queued".to_owned(),
        NextAction::Drive(_) => "drive".to_owned(),
        action => format!("{action:?}").to_lowercase(),
    }
}

fn retrying(request: Request) -> Request {
    let mut policy = RetryPolicy::standard();
    policy.jitter = false;
    request.retries(policy)
}

fn closed() -> Error {
    ErrorKind::Network(NetworkFault::Closed).into()
}

fn unexpected() -> Error {
    ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into()
}

fn refused() -> Error {
    Error::from(ErrorKind::Network(NetworkFault::ConnectFailed)).at(Phase::Connect, "")
}

#[test]
fn heads_lead_to_delivery_redirects_and_failures() {
    let location: &[(&str, &str)] = &[("Location", "/new")];
    let path = std::path::Path::new("never-written");
    type Row<'a> = (Request, u16, &'a [(&'a str, &'a str)], &'a str);
    let table: Vec<Row<'_>> = vec![
        (get(), 200, &[], "deliver"),
        (get(), 404, &[], "deliver"),
        (get(), 503, &[("Retry-After", "1")], "deliver"),
        (get().error_for_status(true), 404, &[], "fail: Status(404)"),
        (get().error_for_status(true), 304, &[], "deliver"),
        (get().stream(), 500, &[], "deliver"),
        (get().download_to(path), 200, &[], "deliver"),
        (get().download_to(path), 404, &[], "fail: Status(404)"),
        (get().event_stream(), 200, &[], "deliver"),
        (get().event_stream(), 204, &[], "deliver"),
        (get().event_stream(), 206, &[], "fail: Status(206)"),
        (get(), 302, location, "to GET http://game.example/new"),
        (get(), 302, &[], "deliver"),
        (
            get().redirects(redirect::RedirectPolicy::none()),
            302,
            location,
            "deliver",
        ),
        (
            get().redirects(redirect::RedirectPolicy::up_to(0)),
            302,
            location,
            "fail: Redirect(TooMany(0))",
        ),
        (
            Request::post("http://game.example/").text("1"),
            303,
            location,
            "to GET http://game.example/new",
        ),
        (
            Request::post("http://game.example/").text("1"),
            307,
            location,
            "to POST http://game.example/new",
        ),
        (get(), 401, &[], "deliver"),
        (get(), 417, &[], "deliver"),
        (
            Request::post("http://game.example/")
                .text("1")
                .expect_continue(Some(0)),
            417,
            &[],
            "again, NoExpectation",
        ),
        (retrying(get()), 503, &[], "retry after 500ms"),
        (
            retrying(get()),
            503,
            &[("Retry-After", "2")],
            "retry after 2s",
        ),
        (retrying(get()), 503, &[("Retry-After", "3600")], "deliver"),
        (retrying(get()), 404, &[], "deliver"),
        (
            retrying(Request::post("http://game.example/")),
            503,
            &[],
            "deliver",
        ),
    ];
    for (index, (request, status, fields, expected)) in table.into_iter().enumerate() {
        let actual = after(&transfer(request), status, fields);
        assert_eq!(actual, expected, "row {index}: {status} {fields:?}");
    }
}

#[test]
fn a_challenge_is_answered_or_refused_with_the_reason() {
    let transfer = transfer(get());
    let head = head(401, &[("WWW-Authenticate", "Basic realm=\"a\"")]);
    let unsupported = AuthFault::Unsupported("Negotiate".to_owned());
    for (authentication, expected) in [
        (None, "deliver"),
        (Some(Ok(())), "again"),
        (Some(Err(AuthFault::Rejected)), "deliver"),
        (
            Some(Err(unsupported)),
            "fail: Auth(Unsupported(\"Negotiate\"))",
        ),
    ] {
        let input = HeadInput {
            head: &head,
            was_reused: false,
            authentication,
            secure_form: &|_| None,
            conditions: conditions(),
        };
        assert_eq!(name(&decide(&transfer, Input::Head(input))), expected);
    }
}

#[test]
fn a_cut_response_is_continued_completed_or_begun_anew() {
    let same = ("ETag", "\"v1\"");
    let table: &[(u16, &[(&str, &str)], &str, &str)] = &[
        (
            206,
            &[("Content-Range", "bytes 10-19/20"), same],
            "deliver",
            "deliver",
        ),
        (
            206,
            &[("Content-Range", "bytes 5-19/20"), same],
            "again, DropPartial",
            "fail: Truncated { received: 10, expected: None }",
        ),
        (
            206,
            &[("Content-Range", "bytes 10-19/20"), ("ETag", "\"v2\"")],
            "again, DropPartial",
            "fail: Truncated { received: 10, expected: None }",
        ),
        (
            416,
            &[("Content-Range", "bytes */10")],
            "finishpartial",
            "finishpartial",
        ),
        (
            416,
            &[("Content-Range", "bytes */9")],
            "again, DropPartial",
            "fail: Truncated { received: 10, expected: None }",
        ),
        (
            200,
            &[],
            "deliver",
            "fail: Truncated { received: 10, expected: None }",
        ),
        (404, &[], "deliver", "fail: Status(404)"),
        (
            302,
            &[("Location", "/new")],
            "to GET http://game.example/new",
            "fail: Status(302)",
        ),
    ];
    for (status, fields, collected, streamed) in table {
        let mut transfer = transfer(get());
        cut_after(&mut transfer, Sink::Collect(Collected::default()), 10);
        let actual = after(&transfer, *status, fields);
        assert_eq!(actual, *collected, "{status} {fields:?}");
        cut_after(&mut transfer, Sink::Stream, 10);
        let actual = after(&transfer, *status, fields);
        assert_eq!(actual, *streamed, "{status} {fields:?}, streamed");
    }
}

#[test]
fn the_end_of_a_response_does_what_was_planned() {
    let path = std::path::Path::new("never-written");
    let collect = Sink::Collect(Collected::default());
    let table = [
        (get(), collect, "finish"),
        (get().stream(), Sink::Stream, "finish"),
        (get().download_to(path), Sink::File, "commit"),
        (get().event_stream(), Sink::EventStream, "retry after 3s"),
    ];
    for (request, sink, expected) in table {
        let mut transfer = transfer(request);
        receive(&mut transfer, response(head(200, &[]), sink, 3));
        let planned = NextAction::Deliver;
        assert_eq!(name(&decide(&transfer, Input::End { planned })), expected);
        let planned = NextAction::SendAgain(Change::Nothing);
        assert_eq!(name(&decide(&transfer, Input::End { planned })), "again");
    }
}

#[test]
fn a_stale_connection_is_replaced_when_that_does_no_harm() {
    let post = || Request::post("http://game.example/").text("1");
    let table: Vec<(Request, bool, bool, Error, &str)> = vec![
        // Whether the request was given to the connection, and whether that had served before.
        (get(), true, true, closed(), "reconnect"),
        (get(), false, true, closed(), "reconnect"),
        (get(), true, false, closed(), "fail: Network(Closed)"),
        (post(), false, true, closed(), "reconnect"),
        (post(), true, true, closed(), "reconnect"),
        (
            post(),
            true,
            true,
            closed().moved(9, 0),
            "fail: Network(Closed)",
        ),
        (get(), true, true, closed().moved(9, 0), "reconnect"),
        (
            get(),
            true,
            true,
            closed().moved(9, 4),
            "fail: Network(Closed)",
        ),
        (get(), true, true, unexpected(), "reconnect"),
        (
            get(),
            true,
            true,
            unexpected().moved(9, 4),
            "fail: Peer(UnexpectedData)",
        ),
        (
            get(),
            true,
            true,
            ErrorKind::Timeout(Phase::AwaitHead).into(),
            "fail: Timeout(AwaitHead)",
        ),
    ];
    for (index, row) in table.into_iter().enumerate() {
        let (request, is_sent, was_reused, error, expected) = row;
        let mut transfer = transfer(request);
        if !is_sent {
            transfer.state = State::Connecting {
                connection: CONNECTION,
            };
        }
        let actual = after_failure(&transfer, &error, was_reused);
        assert_eq!(actual, expected, "row {index}");
    }
}

#[test]
fn a_failed_attempt_is_repeated_elsewhere_or_later_or_is_the_end() {
    let mut with_origins = transfer(retrying(get()));
    with_origins.attempts.standby = Some(Standby {
        list: None,
        index: 0,
        left: [(1, Url::parse("http://other.example").unwrap())].into(),
    });
    assert_eq!(
        after_failure(&with_origins, &refused(), false),
        "nextorigin"
    );
    assert_eq!(after(&with_origins, 503, &[]), "nextorigin");
    assert_eq!(after(&with_origins, 500, &[]), "retry after 500ms");
    let late = Error::from(ErrorKind::Timeout(Phase::AwaitHead));
    let retry = "retry after 500ms";
    assert_eq!(after_failure(&with_origins, &late, false), retry);

    assert_eq!(
        after_failure(&transfer(retrying(get())), &refused(), false),
        retry
    );
    let fail = "fail: Network(ConnectFailed)";
    assert_eq!(after_failure(&transfer(get()), &refused(), false), fail);

    let mut paused = transfer(get());
    paused.attempts.was_paused = true;
    assert_eq!(after_failure(&paused, &closed(), false), "again");
    let posted = Request::post("http://game.example/").text("1");
    let mut posted = transfer(posted);
    posted.attempts.was_paused = true;
    assert_eq!(
        after_failure(&posted, &closed().moved(3, 0), false),
        "fail: Network(Closed)"
    );

    let mut events = transfer(get().event_stream());
    assert_eq!(
        after_failure(&events, &closed(), false),
        "fail: Network(Closed)"
    );
    events.begin_event_stream();
    assert_eq!(after_failure(&events, &closed(), false), "retry after 3s");
    let too_long = Error::from(ErrorKind::Status(500));
    assert_eq!(
        after_failure(&events, &too_long, false),
        "fail: Status(500)"
    );
}

#[test]
fn a_response_that_was_cut_follows_its_plan_or_the_retries() {
    let sinks: [(Sink, &str); 3] = [
        (Sink::Collect(Collected::default()), "retry after 500ms"),
        // The caller has seen a part that nothing can continue: there is no validator.
        (Sink::Stream, "fail: Network(Closed)"),
        (Sink::Discard, "asplanned"),
    ];
    for (sink, expected) in sinks {
        let mut transfer = transfer(retrying(get()));
        receive(&mut transfer, response(head(200, &[]), sink, 3));
        assert_eq!(after_failure(&transfer, &closed(), true), expected);
    }
    let mut streamed = transfer(retrying(get()));
    let tagged = head(200, &[("ETag", "\"v1\"")]);
    receive(&mut streamed, response(tagged, Sink::Stream, 3));
    assert_eq!(
        after_failure(&streamed, &closed(), true),
        "retry after 500ms"
    );

    let mut failed = transfer(retrying(get()));
    let mut planned = response(head(404, &[]), Sink::Collect(Collected::default()), 3);
    planned.planned = NextAction::Fail(ErrorKind::Status(404).into());
    receive(&mut failed, planned);
    assert_eq!(
        after_failure(&failed, &closed(), true),
        "fail: Network(Closed)"
    );
}

mod heads;
mod timers;
