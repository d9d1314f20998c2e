//! Failures while the response head is awaited, and between two attempts.

use httpoll::agent::RequestOptions;
use httpoll::error::NetworkFault;
use httpoll::{Agent, ErrorKind, Phase, RetryPolicy, Timeouts};

use super::table::{Ending, Expected, Moved, Row, SECOND, Seen, Table, expect, get, post};
use crate::support::finish;

#[test]
fn failures_before_the_head() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    waiting_for_the_head(&mut table);
    waiting_to_retry(&mut table);
    table.seen
}

fn before_head(kind: fn(&ErrorKind) -> bool) -> Expected {
    expect(Phase::AwaitHead, kind).moved(Moved::All, Moved::All)
}

fn waiting_for_the_head(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let large = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    for (name, response, ending) in [
        ("hangs-up", "", Ending::Close),
        ("resets", "", Ending::Reset),
        ("cuts", "HTTP/1.1 200 OK\r\nX-A: ", Ending::Close),
        ("breaks", "HTTP/1.1 200 OK\r\nX-A: ", Ending::Reset),
        ("silent", "", Ending::Open),
        ("begins", "HTTP/1.1 200 OK\r\nX-A: ", Ending::Open),
        ("lies", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Ending::Open),
        ("large", &large, Ending::Open),
    ] {
        table.serve(name, response, ending);
    }
    let mut timeouts = Timeouts::default();
    timeouts.head = Some(SECOND);
    let rows: Vec<Row> = vec![
        (
            "a connection that closes",
            get("hangs-up"),
            before_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed)))
                .retryable(),
        ),
        (
            "the same for a POST",
            post("hangs-up"),
            before_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed))),
        ),
        (
            "a POST with an idempotency key",
            post("hangs-up").header("Idempotency-Key", "1"),
            before_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed)))
                .retryable(),
        ),
        (
            "a connection that is reset",
            get("resets"),
            before_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken)))
                .retryable(),
        ),
        (
            "a head that is cut",
            get("cuts"),
            before_head(|kind| matches!(kind, ErrorKind::Truncated { .. })).retryable(),
        ),
        (
            "a head that is cut by a reset",
            get("breaks"),
            before_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken)))
                .retryable(),
        ),
        (
            "the head timeout",
            get("silent").timeouts(timeouts),
            before_head(|kind| matches!(kind, ErrorKind::Timeout(Phase::AwaitHead))).retryable(),
        ),
        (
            "the total timeout",
            get("silent").total_timeout(SECOND),
            before_head(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead)))
                .retryable(),
        ),
        (
            "the total timeout of a POST",
            post("silent").total_timeout(SECOND),
            before_head(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead))),
        ),
        (
            "the total timeout within a head",
            get("begins").total_timeout(SECOND),
            before_head(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitHead)))
                .retryable(),
        ),
        (
            "an invalid head",
            get("lies"),
            before_head(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            "a head that is too large",
            get("large"),
            before_head(|kind| matches!(kind, ErrorKind::Limit(_))).moved(Moved::All, Moved::Some),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
}

/// The counts are those of the last attempt.
fn waiting_to_retry(table: &mut Table) {
    let mut retries = RetryPolicy::standard();
    retries.base_delay = 20 * SECOND;
    retries.jitter = false;
    let options = RequestOptions::new()
        .retries(retries)
        .total_timeout(5 * SECOND);
    let mut agent = Agent::builder()
        .defaults(options)
        .build_on_memory(&table.network);
    let row = (
        "the total timeout while waiting to retry",
        get("hangs-up"),
        expect(Phase::AwaitRetry, |kind| {
            matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitRetry))
        })
        .moved(Moved::All, Moved::All)
        .retryable(),
    );
    table.check(&mut agent, row);
    let handle = agent.send(get("hangs-up")).unwrap();
    let outcome = finish(&table.network, &mut agent, &handle);
    assert!(outcome.error().is_timeout());
}
