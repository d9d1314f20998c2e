//! Floods of tiny pieces and of new clients: a poll whose budget is spent does one small step of the work that has
//! already arrived, not all of it.

use std::sync::{Arc, Mutex};

use httpoll::Budget;
use httpoll::server::{Content, Piece, Request, Responder};

use super::seconds;
use crate::serving::{Raw, TestServer, answers, body, status, test_server};

/// How many bytes of a flood the server reads before its budget ends.
const READ: u64 = 60_000;

/// A poll without a budget: only the first step is free.
fn spent() -> Budget {
    Budget::unlimited().with_bytes(0)
}

/// Lets the server read [`READ`] bytes in one poll, without time to look at them, and then poll once more
/// without a budget.
fn read_and_poll(test: &mut TestServer, client: &mut Raw, flood: &[u8]) {
    client.write(flood);
    let before = test.server.metrics().bytes_received;
    test.budget = Budget::unlimited().with_bytes(READ);
    test.poll();
    assert_eq!(test.server.metrics().bytes_received - before, READ);
    test.budget = spent();
    test.poll();
}

type Upload = Arc<Mutex<Option<(Content, Responder)>>>;

/// A route whose handler keeps the content and takes nothing of it.
fn with_upload(test: &mut TestServer) -> Upload {
    let kept = Upload::default();
    let keep = Arc::clone(&kept);
    let route = test
        .server
        .handle("POST", "/", move |request: &mut Request, _| {
            let content = request.take_content().unwrap();
            *keep.lock().unwrap() = Some((content, request.defer()));
        });
    route.unwrap().at_head();
    kept
}

fn pieces(upload: &Upload) -> usize {
    let mut kept = upload.lock().unwrap();
    let (content, _) = kept.as_mut().unwrap();
    std::iter::from_fn(|| matches!(content.next(), Piece::Bytes(_)).then_some(())).count()
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_spent_budget_ends_a_poll_in_the_middle_of_tiny_chunks() {
    let mut test = test_server();
    let upload = with_upload(&mut test);
    let mut client = test.connect();
    test.send(&mut client, CHUNKED);
    read_and_poll(&mut test, &mut client, &b"1\r\nx\r\n".repeat(20_000));
    assert_eq!(pieces(&upload), 1);
    // The rest follows when there is a budget.
    test.budget = Budget::unlimited();
    let mut arrived = 1;
    for _ in 0..100 {
        test.poll();
        arrived += pieces(&upload);
    }
    assert_eq!(arrived, 20_000);
}

#[test]
fn tiny_chunks_that_wait_for_a_handler_count_more_than_their_bytes() {
    let mut test = test_server();
    let upload = with_upload(&mut test);
    let mut client = test.connect();
    test.send(&mut client, CHUNKED);
    client.write(&b"1\r\nx\r\n".repeat(20_000));
    for _ in 0..100 {
        test.poll();
    }
    assert_eq!(pieces(&upload), 256 * 1024 / 65 + 1);
}

#[cfg(feature = "websocket")]
#[test]
fn a_spent_budget_ends_a_poll_in_the_middle_of_tiny_frames() {
    use httpoll::server::websocket::{Options, WebSocket};

    let mut test = test_server();
    let kept: Arc<Mutex<Option<WebSocket>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle("GET", "/", move |request: &mut Request, _| {
            *keep.lock().unwrap() = request.accept_websocket(Options::default()).ok();
        })
        .unwrap();
    let mut client = test.connect();
    test.send(
        &mut client,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let mut socket = kept.lock().unwrap().take().unwrap();
    let mut messages = move || std::iter::from_fn(|| socket.receive()).count();
    let flood = b"\x81\x80\0\0\0\0".repeat(20_000);
    read_and_poll(&mut test, &mut client, &flood);
    // One batch of 4 KiB, and not the 10,000 frames that had been read.
    assert_eq!(messages(), 4096 / 6);
    test.budget = Budget::unlimited();
    let mut arrived = 4096 / 6;
    for _ in 0..100 {
        test.poll();
        arrived += messages();
    }
    assert_eq!(arrived, 20_000);
}

#[test]
fn a_flood_of_new_clients_leaves_each_poll_a_step_for_those_before_them() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("hello")).unwrap();
    let mut client = test.connect();
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    test.budget = spent();
    // There are always more than a poll without a budget accepts.
    let mut others: Vec<_> = (0..20).map(|_| test.begin_connect()).collect();
    for _ in 0..400 {
        others.push(test.begin_connect());
        test.poll();
        client.read();
    }
    assert_eq!(body(&client.text()), "hello");
    // Clients are accepted too, one in each poll.
    assert_eq!(test.server.metrics().accepted, 401);
}

#[test]
fn new_clients_and_requests_take_turns() {
    let mut test = test_server();
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let (connected, requested) = (Arc::clone(&order), Arc::clone(&order));
    test.server
        .route("GET", "/", move |_: &mut Request| {
            requested.lock().unwrap().push("request");
            "hello"
        })
        .unwrap();
    let mut client = test.connect();
    test.server
        .on_connect(move |_| connected.lock().unwrap().push("client"));
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let others: Vec<_> = (0..50).map(|_| test.begin_connect()).collect();
    test.poll();
    let order = order.lock().unwrap();
    let before = order.iter().position(|it| *it == "request").unwrap();
    // One poll accepts all of them, but not before the request.
    assert_eq!((before, order.len()), (8, others.len() + 1));
}

#[test]
fn a_client_that_sends_all_of_a_refused_upload_gets_the_response_and_no_reset() {
    for refused in [404, 413] {
        let mut test = test_server();
        test.server.route("POST", "/413", answers("taken")).unwrap();
        let mut client = test.connect();
        let head =
            format!("POST /{refused} HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
        test.send(&mut client, head);
        assert_eq!(status(&client.text()), refused);
        for _ in 0..50 {
            assert!(client.try_write(&[b'x'; 20_000]), "{refused}");
            test.frame();
        }
        client.read();
        assert!(client.closed && !client.reset);
        assert_eq!(test.server.metrics().open, 1);
        // It waits for the client's end for two seconds.
        test.pass(seconds(2));
        assert_eq!(test.server.metrics().open, 0);
    }
}
