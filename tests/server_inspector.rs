//! The inspector page: what it shows, when it is updated, and who may see it.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::PollAt;
use httpoll::server::guard::Guard;
use httpoll::server::inspector::ConnectionPhase;
use httpoll::server::{Request, Responder, Response};
use serde_json::{Value, json};
use serving::{Raw, TestServer, body, header, status, test_server};

/// The states that a subscriber of the page's events got since the last call.
fn states(client: &mut Raw) -> Vec<Value> {
    client.read();
    let text = String::from_utf8(std::mem::take(&mut client.received)).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn subscribe(test: &mut TestServer) -> Raw {
    let mut client = test.connect();
    client.write(b"GET /debug/events HTTP/1.1\r\nHost: a\r\n\r\n");
    client
}

#[test]
fn the_page_is_one_file_behind_the_guard() {
    let mut test = test_server();
    test.server.inspect("/debug").unwrap();
    let page = test.get("/debug");
    assert_eq!(status(&page), 200);
    let policy = header(&page, "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    for elsewhere in ["src=", "http://", "https://", "@import", "url("] {
        assert!(!body(&page).contains(elsewhere), "{elsewhere}");
    }
    test.server.set_guard(Guard::local(80));
    for path in ["/debug", "/debug/events"] {
        let foreign = test.ask(format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
        assert_eq!(status(&foreign), 421, "{path}");
    }
}

/// `/later` responds later, by the responders that this returns; the handler of `/slow` takes 20 ms.
fn add_slow_routes(test: &mut TestServer) -> Arc<Mutex<Vec<Responder>>> {
    let kept: Arc<Mutex<Vec<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .route("GET", "/later", move |request: &mut Request| {
            keep.lock().unwrap().push(request.defer());
        })
        .unwrap();
    let network = test.network.clone();
    test.server
        .route("GET", "/slow", move |_: &mut Request| {
            network.advance(Duration::from_millis(20));
            Response::text("slow")
        })
        .unwrap();
    kept
}

#[test]
fn it_shows_requests_with_their_phases_and_times_but_no_queries() {
    let mut test = test_server();
    let inspector = test.server.inspect("/debug").unwrap();
    let kept = add_slow_routes(&mut test);
    let mut waiting = test.connect();
    let request = b"GET /later?secret=1 HTTP/1.1\r\nHost: a\r\nCookie: secret=2\r\n\r\n";
    waiting.write(request);
    test.poll();
    test.get("/slow");
    let mut client = subscribe(&mut test);
    inspector.set_section(
        "agent",
        json!([{ "url": "https://x.example/", "phase": "Body" }]),
    );
    test.pass(Duration::from_secs(2));
    let states = states(&mut client);
    // At once, and then every half second.
    assert!((4..=5).contains(&states.len()), "{}", states.len());
    let last = states.last().unwrap();
    assert!(!last.to_string().contains("secret"));
    assert_eq!(last["sections"]["agent"][0]["phase"], "Body");
    let server = &last["server"];
    assert_eq!(server["slow_handlers"][0]["path"], "/slow");
    assert_eq!(server["slow_handlers"][0]["took_ms"], 20.0);
    let seconds = server["seconds"].as_array().unwrap();
    assert_eq!(seconds[0]["longest_ms"], 20.0, "the slow handler");
    let connections = server["connections"].as_array().unwrap();
    let of = |path: &str| connections.iter().find(|it| it["path"] == path).unwrap();
    let later = of("/later");
    assert_eq!(later["phase"], "waiting for a deferred response");
    assert_eq!(later["method"], "GET");
    assert_eq!(later["received_bytes"], request.len());
    assert!(later["request_ms"].as_f64().unwrap() > 1000.0);
    assert_eq!(of("/debug/events")["phase"], "event stream");
    assert_eq!(server["totals"]["open"], 2);
    // Once the page is closed, nothing is due.
    client.hang_up();
    test.poll();
    test.poll();
    kept.lock().unwrap().clear();
    test.pass(Duration::from_secs(1));
    waiting.hang_up();
    test.pass(Duration::from_secs(60));
    let polled = test
        .server
        .poll_at(test.network.now(), &test.budget)
        .unwrap();
    assert_eq!(polled.next, PollAt::Io);
}

#[test]
fn a_section_is_made_once_for_each_update_and_never_while_the_page_is_closed() {
    let mut test = test_server();
    let inspector = test.server.inspect("/debug").unwrap();
    assert!(test.server.inspector().is_some());
    let mut made = 0;
    let frames = |test: &mut TestServer, count: usize, made: &mut usize| {
        for _ in 0..count {
            test.poll();
            inspector.show("agent", || {
                *made += 1;
                json!({ "made": *made })
            });
            test.network.advance(Duration::from_millis(10));
        }
    };
    frames(&mut test, 200, &mut made);
    assert_eq!(made, 0);
    let mut client = subscribe(&mut test);
    frames(&mut test, 201, &mut made);
    let shown = states(&mut client);
    let sections: Vec<_> = shown
        .iter()
        .map(|state| state["sections"]["agent"]["made"].clone())
        .collect();
    // The first update comes at once. Each later one shows what was made in the frame before it.
    assert_eq!(sections, [json!(null), json!(2), json!(3), json!(4)]);
    assert_eq!(made, 4);
    // A section that the program no longer makes disappears.
    for _ in 0..70 {
        test.poll();
        test.network.advance(Duration::from_millis(10));
    }
    assert_eq!(states(&mut client).last().unwrap()["sections"], json!({}));
    // And comes back.
    frames(&mut test, 70, &mut made);
    assert_eq!(
        states(&mut client).last().unwrap()["sections"]["agent"]["made"],
        made
    );
    client.hang_up();
    let before = made;
    frames(&mut test, 200, &mut made);
    assert_eq!(made, before);
    // A page that is opened later does not show what was true before.
    let mut later = subscribe(&mut test);
    frames(&mut test, 2, &mut made);
    assert_eq!(states(&mut later)[0]["sections"], json!({}));
}

#[test]
fn a_snapshot_shows_a_server_without_a_page() {
    let mut test = test_server();
    let kept = add_slow_routes(&mut test);
    assert_eq!(test.server.snapshot().connections, []);
    assert!(test.server.inspector().is_none());
    let mut idle = test.connect();
    idle.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    test.poll();
    let mut waiting = test.connect();
    waiting.write(b"GET /later?secret=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    test.poll();
    test.pass(Duration::from_secs(1));
    let snapshot = test.server.snapshot();
    let phases: Vec<_> = snapshot
        .connections
        .iter()
        .map(|connection| (connection.phase, &*connection.path, connection.requests))
        .collect();
    assert_eq!(
        phases,
        [
            (ConnectionPhase::Idle, "", 1),
            (ConnectionPhase::AwaitResponder, "/later", 1)
        ]
    );
    assert!(snapshot.connections[1].request_time >= Some(Duration::from_secs(1)));
    assert_eq!(snapshot.slow_handlers[0].path, "/slow");
    assert_eq!(snapshot.seconds[0].longest, Duration::from_millis(20));
    assert_eq!(snapshot.metrics.requests, 2);
    kept.lock().unwrap().clear();
}
