//! Heads and errors that depend on what the transfer did before: a reused connection, a pause, spent content, a
//! stored response.

use super::*;

#[test]
fn a_408_on_a_reused_connection_is_repeated_over_a_new_one() {
    let head = head(408, &[]);
    let get_or_post = |request| transfer(request);
    for (transfer, was_reused, expected) in [
        (get_or_post(get()), true, "reconnect"),
        (get_or_post(get()), false, "deliver"),
        (
            get_or_post(Request::post("http://game.example/").text("x")),
            true,
            "deliver",
        ),
    ] {
        let input = HeadInput {
            head: &head,
            was_reused,
            authentication: None,
            secure_form: &|_| None,
            conditions: conditions(),
        };
        assert_eq!(name(&decide(&transfer, Input::Head(input))), expected);
    }
}
#[test]
fn only_a_cut_is_blamed_on_a_pause() {
    for (error, was_paused, expected) in [
        (closed(), true, "again"),
        (closed(), false, "fail: Network(Closed)"),
        (unexpected(), true, "fail: Peer(UnexpectedData)"),
    ] {
        let mut transfer = transfer(get());
        transfer.attempts.was_paused = was_paused;
        assert_eq!(after_failure(&transfer, &error, false), expected);
    }
}

#[test]
fn a_redirect_that_keeps_content_fails_when_the_content_is_spent() {
    let reader = crate::connection::RequestBody::reader(&b"x"[..], Some(1));
    let mut transfer = transfer(Request::post("http://game.example/").body(reader));
    let location: &[(&str, &str)] = &[("Location", "/new")];
    assert_eq!(
        after(&transfer, 307, location),
        "to POST http://game.example/new"
    );
    transfer.request.payload.take().unwrap();
    assert_eq!(
        after(&transfer, 307, location),
        "fail: Refused(ContentSpent)"
    );
    assert_eq!(
        after(&transfer, 303, location),
        "to GET http://game.example/new"
    );
}

#[cfg(feature = "cache")]
#[test]
fn a_stored_response_serves_when_it_is_confirmed_or_the_server_fails() {
    use crate::agent::transfer::cache_state::CacheState;
    use crate::semantics::cache::{CachedResponse, Stale};

    let etag = http::HeaderValue::from_static("\"v1\"");
    for (has_validator, serves_errors, status, expected) in [
        (true, false, 304, "revalidated"),
        (false, false, 304, "deliver"),
        (true, false, 200, "deliver"),
        (true, false, 503, "deliver"),
        (false, true, 500, "servestale"),
        (false, true, 503, "servestale"),
        (false, true, 501, "deliver"),
        (false, true, 505, "deliver"),
        (false, true, 200, "deliver"),
    ] {
        let mut transfer = transfer(get());
        let validator = has_validator.then(|| (http::header::IF_NONE_MATCH, etag.clone()));
        let stored = serves_errors.then(|| CachedResponse {
            status: StatusCode::OK,
            fields: FieldLines::new(),
            body: bytes::Bytes::new(),
        });
        transfer.cache = Some(Box::new(CacheState {
            headers: http::HeaderMap::new(),
            time: SystemTime::UNIX_EPOCH,
            stale: Some(Stale {
                validators: validator.into_iter().collect(),
                if_error: stored,
                while_revalidating: None,
            }),
        }));
        let what = format!("{status}, {has_validator} {serves_errors}");
        assert_eq!(after(&transfer, status, &[]), expected, "{what}");
    }
}
