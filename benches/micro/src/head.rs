//! Parsing of heads, into the value that a caller gets: a small one, and one with 30 field lines.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use httpoll::proto::{BodyLength, Exchange, ExchangeEvent, FieldLines, RequestHead};
use httpoll::{Limits, proto::Received};

const RESPONSE: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n";

const REQUEST: &str = "GET /scores?page=2 HTTP/1.1\r\nHost: game.example\r\nUser-Agent: game/1.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n";

#[divan::bench]
fn response_small(bencher: Bencher) {
    response(bencher, RESPONSE);
}

#[divan::bench]
fn response_30_fields(bencher: Bencher) {
    response(bencher, &with_30_fields(RESPONSE));
}

#[divan::bench]
fn request_small(bencher: Bencher) {
    receive(bencher, &Exchange::server(Limits::default()), REQUEST);
}

#[divan::bench]
fn request_30_fields(bencher: Bencher) {
    let exchange = Exchange::server(Limits::default());
    receive(bencher, &exchange, &with_30_fields(REQUEST));
}

/// The machine of a client that asked and awaits its response.
pub(crate) fn asked() -> Exchange {
    let mut fields = FieldLines::new();
    fields.append("Host", "game.example").unwrap();
    let head = RequestHead {
        method: http::Method::GET,
        target: "/".to_owned(),
        version: http::Version::HTTP_11,
        fields,
    };
    let mut exchange = Exchange::client(Limits::default());
    exchange
        .send_request(&head, BodyLength::None, &mut Vec::new())
        .unwrap();
    exchange
}

fn response(bencher: Bencher, head: &str) {
    receive(bencher, &asked(), head);
}

fn receive(bencher: Bencher, exchange: &Exchange, head: &str) {
    bencher
        .counter(BytesCount::of_str(head))
        .with_inputs(|| exchange.clone())
        .bench_local_refs(|exchange| -> Received {
            let received = exchange.receive(black_box(head.as_bytes())).unwrap();
            assert!(matches!(
                received.event,
                Some(ExchangeEvent::Response(_) | ExchangeEvent::Request(_))
            ));
            received
        });
}

/// The same head with more field lines, of usual lengths.
fn with_30_fields(head: &str) -> String {
    let lines = head.trim_end().lines().count() - 1;
    let mut longer = head.trim_end().to_owned();
    for number in lines..30 {
        longer += &format!("\r\nX-Game-Field-{number}: {}", "value ".repeat(4).trim());
    }
    longer + "\r\n\r\n"
}
