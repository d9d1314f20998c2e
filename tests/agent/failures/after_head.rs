//! Failures while the response arrives: its head comes with them.

use httpoll::access::AccessPolicy;
use httpoll::error::{CodingFault, DiskFault, EventStreamFault, FrameFault, NetworkFault};
use httpoll::frames::{Framing, LengthPrefix};
use httpoll::redirect::RedirectPolicy;
use httpoll::{Agent, Download, ErrorKind, Phase, Request, Timeouts};

use super::table::{Ending, Expected, Moved, Row, SECOND, Seen, Table, expect, get, post};
use crate::support::Folder;

#[test]
fn failures_after_the_head() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let folder = Folder::new("failures");
    serve(&mut table);
    let rows = [
        content(),
        limits(&folder),
        codings(),
        statuses(&folder),
        redirects(),
        files(&folder),
        streams(),
    ];
    for row in rows.into_iter().flatten() {
        table.check(&mut agent, row);
    }
    assert_eq!(folder.names(), Vec::<String>::new());
    table.seen
}

fn serve(table: &mut Table) {
    use Ending::{Close, Open, Reset};
    let ten = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let image = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nabc";
    let coded = |coding: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 10\r\n\r\n0123456789"
        )
    };
    let gap = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\n\
               Content-Length: 5\r\n\r\n56789";
    let mut endless = format!("{events}data: ");
    endless.push_str(&"x".repeat(1_100_000));
    for (name, response, ending) in [
        ("cuts", format!("{ten}abc"), Close),
        ("resets", format!("{ten}abc"), Reset),
        (
            "until-close",
            "HTTP/1.1 200 OK\r\n\r\nabc".to_owned(),
            Reset,
        ),
        ("chunk-cuts", format!("{chunked}a\r\nabc"), Close),
        ("stalls", format!("{ten}abc"), Open),
        ("long", format!("{ten}0123456789"), Open),
        (
            "chunks",
            format!("{chunked}a\r\n0123456789\r\n0\r\n\r\n"),
            Open,
        ),
        ("bad-chunk", format!("{chunked}3\r\nabc\r\nzz\r\n"), Open),
        (
            "trailer",
            format!("{chunked}3\r\nabc\r\n0\r\nno colon\r\n\r\n"),
            Open,
        ),
        ("corrupt", coded("gzip"), Open),
        ("unknown", coded("lzma"), Open),
        (
            "foreign",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                .to_owned(),
            Open,
        ),
        (
            "foreign-alone",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc".to_owned(),
            Close,
        ),
        (
            "lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".to_owned(),
            Open,
        ),
        (
            "busy",
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nwhy".to_owned(),
            Open,
        ),
        (
            "busy-cuts",
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 30\r\n\r\nwhy".to_owned(),
            Close,
        ),
        (
            "denied",
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nwhy".to_owned(),
            Open,
        ),
        (
            "limited",
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Open,
        ),
        (
            "circle",
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Open,
        ),
        (
            "odd",
            "HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Open,
        ),
        ("image", image.to_owned(), Open),
        ("gap", gap.to_owned(), Open),
        ("endless", endless, Open),
        ("events", format!("{events}data: 1\n\nda"), Open),
        (
            "switches",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: nonsense\r\n\r\n"
                .to_owned(),
            Open,
        ),
    ] {
        table.serve(name, &response, ending);
    }
}

/// The usual case: all that the server sent was read, and its head says 200.
fn after_head(kind: fn(&ErrorKind) -> bool) -> Expected {
    expect(Phase::ReceiveBody, kind)
        .head(200)
        .moved(Moved::All, Moved::All)
}

fn content() -> Vec<Row> {
    let mut timeouts = Timeouts::default();
    timeouts.stall = Some(SECOND);
    vec![
        (
            "content that is cut",
            get("cuts"),
            after_head(|kind| matches!(kind, ErrorKind::Truncated { .. })).retryable(),
        ),
        (
            "the same for a POST",
            post("cuts"),
            after_head(|kind| matches!(kind, ErrorKind::Truncated { .. })),
        ),
        (
            "the same for a stream",
            get("cuts").stream(),
            after_head(|kind| matches!(kind, ErrorKind::Truncated { .. })).retryable(),
        ),
        (
            "a chunk that is cut",
            get("chunk-cuts"),
            after_head(|kind| matches!(kind, ErrorKind::Truncated { .. })).retryable(),
        ),
        (
            "content that is cut by a reset",
            get("resets"),
            after_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "content without a length that is cut by a reset",
            get("until-close"),
            after_head(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "content that stalls",
            get("stalls").timeouts(timeouts),
            after_head(|kind| matches!(kind, ErrorKind::Timeout(Phase::ReceiveBody))).retryable(),
        ),
        (
            "the total timeout in the content",
            get("stalls").total_timeout(SECOND),
            after_head(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::ReceiveBody)))
                .retryable(),
        ),
        (
            "an invalid chunk",
            get("bad-chunk"),
            after_head(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            "an invalid trailer",
            get("trailer"),
            after_head(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            "an unknown transfer coding",
            get("foreign-alone"),
            after_head(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            "an unknown transfer coding under chunks",
            get("foreign"),
            after_head(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
        (
            // RFC 9112 §6.3: the response is discarded.
            "two lengths that differ",
            get("lengths"),
            expect(Phase::AwaitHead, |kind| matches!(kind, ErrorKind::Peer(_)))
                .moved(Moved::All, Moved::All),
        ),
    ]
}

fn limits(folder: &Folder) -> Vec<Row> {
    let limit = || after_head(|kind| matches!(kind, ErrorKind::Limit(_)));
    let to = |name: &str| Download::to(folder.path(name));
    let mut text_only = AccessPolicy::default();
    text_only.schemes = vec!["http".to_owned()];
    text_only.non_public_addresses = true;
    text_only.content_types = vec!["text/*".to_owned()];
    let mut small = AccessPolicy::default();
    small.schemes = vec!["http".to_owned()];
    small.non_public_addresses = true;
    small.max_body_bytes = Some(5);
    let refused = || after_head(|kind| matches!(kind, ErrorKind::Access(_)));
    vec![
        (
            "an announced length above max_body",
            get("long").max_body(5),
            limit(),
        ),
        (
            "the same for a stream",
            get("long").stream().max_body(5),
            limit(),
        ),
        ("content above max_body", get("chunks").max_body(5), limit()),
        (
            "an announced length above max_size",
            get("long").download_to(to("a").max_size(5)),
            limit(),
        ),
        (
            "content above max_size",
            get("chunks").download_to(to("b").max_size(5)),
            limit(),
        ),
        (
            "a forbidden content type",
            get("image").access(text_only),
            refused(),
        ),
        (
            "an announced length that is forbidden",
            get("long").access(small.clone()),
            refused(),
        ),
        (
            "content that is longer than allowed",
            get("chunks").access(small),
            refused(),
        ),
    ]
}

fn codings() -> Vec<Row> {
    vec![
        (
            "content that cannot be decoded",
            get("corrupt"),
            after_head(|kind| matches!(kind, ErrorKind::Coding(_))),
        ),
        (
            "the same for a stream",
            get("corrupt").stream(),
            after_head(|kind| matches!(kind, ErrorKind::Coding(_))),
        ),
        (
            "an unknown content coding",
            get("unknown"),
            after_head(|kind| matches!(kind, ErrorKind::Coding(CodingFault::Unknown(_)))),
        ),
    ]
}

fn statuses(folder: &Folder) -> Vec<Row> {
    let failed = |status| after_head(|kind| matches!(kind, ErrorKind::Status(_))).head(status);
    vec![
        (
            "a status that passes",
            get("busy").error_for_status(true),
            failed(503).retryable(),
        ),
        (
            "the same with content that is cut",
            get("busy-cuts").error_for_status(true),
            failed(503).retryable(),
        ),
        (
            "a download's status",
            get("busy").download_to(folder.path("c")),
            failed(503).retryable(),
        ),
        (
            "an event stream's status",
            get("limited").event_stream(),
            failed(429).retryable(),
        ),
        (
            "the same for a POST",
            post("busy").error_for_status(true),
            failed(503),
        ),
        (
            "a POST with an idempotency key",
            post("busy")
                .header("Idempotency-Key", "1")
                .error_for_status(true),
            failed(503).retryable(),
        ),
        (
            "too many requests",
            get("limited").error_for_status(true),
            failed(429).retryable(),
        ),
        (
            "a status that does not pass",
            get("denied").error_for_status(true),
            failed(403),
        ),
    ]
}

fn redirects() -> Vec<Row> {
    let refused = || after_head(|kind| matches!(kind, ErrorKind::Redirect(_))).head(302);
    vec![
        (
            "too many redirects",
            get("circle").redirects(RedirectPolicy::up_to(2)),
            refused(),
        ),
        ("a redirect to another scheme", get("odd"), refused()),
    ]
}

fn files(folder: &Folder) -> Vec<Row> {
    let to = |name: &str| Download::to(folder.path(name));
    vec![
        (
            "a part that was not asked for",
            get("gap").download_to(to("d")),
            after_head(|kind| matches!(kind, ErrorKind::File(DiskFault::Gap { .. }))).head(206),
        ),
        (
            "a file of another size",
            get("chunks").download_to(to("e").expected_size(11)),
            after_head(|kind| matches!(kind, ErrorKind::File(DiskFault::SizeMismatch { .. }))),
        ),
        (
            "a file with another hash",
            get("long").download_to(to("f").sha256([1; 32])),
            after_head(|kind| matches!(kind, ErrorKind::File(DiskFault::HashMismatch { .. }))),
        ),
    ]
}

fn streams() -> Vec<Row> {
    let refused: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Status(403));
    vec![
        (
            "an event that is too long",
            get("endless").event_stream(),
            after_head(|kind| matches!(kind, ErrorKind::EventStream(EventStreamFault::TooLong(_))))
                .moved(Moved::All, Moved::Some),
        ),
        (
            "a message that is too long",
            get("long").messages(Framing::json_lines().max_message_bytes(5)),
            after_head(|kind| matches!(kind, ErrorKind::Frame(FrameFault::TooLong(5)))),
        ),
        (
            "a message that the end of the content cuts off",
            get("long").messages(Framing::length_prefixed(LengthPrefix::U16BigEndian)),
            after_head(|kind| matches!(kind, ErrorKind::Frame(FrameFault::Truncated))),
        ),
        (
            "the total timeout of an event stream",
            get("events").event_stream().total_timeout(SECOND),
            after_head(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::ReceiveBody)))
                .retryable(),
        ),
        (
            "a WebSocket that is refused",
            get("denied").web_socket(Default::default()),
            after_head(refused).head(403),
        ),
        (
            "a WebSocket with a wrong key",
            Request::get("ws://switches.example/").web_socket(Default::default()),
            after_head(|kind| matches!(kind, ErrorKind::WebSocket(_))).head(101),
        ),
    ]
}
