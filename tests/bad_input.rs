//! The table of bad input and the list of features name tests that exist. Also tests of bad input that have
//! no better place.

#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod serving;
#[path = "bad_input/test_names.rs"]
mod test_names;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::server::{Request as Asked, Response as Answer, ResponseStream};
use httpoll::{Agent, Download, ErrorKind, Event, Request, Response, error::DiskFault};
use test_names::Tests;

/// The table that users read.
const TABLE: &str = include_str!("../src/bad_input.md");

/// The same rows with the tests that show them.
const TESTS: &str = include_str!("bad_input/tests.md");

const FEATURES: &str = include_str!("README.md");

/// The rows of all tables in a document, without their heads.
fn rows_of(document: &str) -> Vec<Vec<&str>> {
    let rows = document.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells[0] != "Input")
        .collect()
}

#[test]
fn every_row_of_the_table_names_tests_that_exist() {
    let tests = Tests::of_the_workspace();
    let (public, proven) = (rows_of(TABLE), rows_of(TESTS));
    for (row, proof) in public.iter().zip(&proven) {
        let [input, _result, _source] = row[..] else {
            panic!("not three columns: {row:?}");
        };
        let [same_input, names] = proof[..] else {
            panic!("not two columns: {proof:?}");
        };
        assert_eq!(input, same_input, "the rows are in the same order");
        for name in names.split(", ") {
            let found = tests.named(name.trim_matches('`'));
            assert!(found > 0, "no test {name}: {input}");
        }
    }
    assert_eq!(public.len(), proven.len());
    assert!(public.len() > 90, "{}", public.len());
}

#[test]
fn every_row_of_the_features_names_tests_that_exist() {
    let tests = Tests::of_the_workspace();
    let mut rows = 0;
    for line in FEATURES.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [feature, names] = cells[..] else {
            continue;
        };
        if !names.starts_with('`') {
            continue;
        }
        rows += 1;
        for name in names.split(", ") {
            let name = name.trim_matches('`');
            assert_eq!(tests.named(name), 1, "tests named {name}, of {feature}");
        }
    }
    assert!(rows > 80, "{rows}");
}

fn setup() -> (MemoryNetwork, MockServer, Agent) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let agent = Agent::on_memory(&network);
    (network, server, agent)
}

/// The result of one request.
fn run(
    network: &MemoryNetwork,
    agent: &mut Agent,
    request: Request,
) -> Result<Response, httpoll::Error> {
    let handle = agent.send(request).unwrap();
    for _ in 0..1000 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => return Ok(*response),
                Event::Failed { error, .. } => return Err(error),
                _ => {}
            }
        }
        network.advance(Duration::from_millis(10));
    }
    panic!("{} hangs", handle.id());
}

#[test]
fn bytes_after_a_response_cost_only_the_connection() {
    // RFC 9112 §9.2.
    let (network, server, mut agent) = setup();
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let injected = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    server
        .get("/")
        .reply(MockResponse::raw(format!("{response}{injected}")))
        .then_reply(MockResponse::raw(response));
    for _ in 0..2 {
        let done = run(&network, &mut agent, Request::get("http://game.example/")).unwrap();
        assert_eq!(done.text(), "hi");
    }
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn a_part_that_does_not_follow_what_is_there_is_a_gap() {
    // RFC 9110 §14.4.
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::with_status(206)
            .header("Content-Range", "bytes 5-9/10")
            .bytes("56789"),
    );
    let folder = std::env::temp_dir().join(format!("httpoll-gap-{}", std::process::id()));
    let to = folder.join("file.bin");
    let request = Request::get("http://game.example/").download_to(Download::to(&to));
    let error = run(&network, &mut agent, request).unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::File(DiskFault::Gap { held: 0, offset: 5 })
    );
    assert!(!to.exists());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_stream_that_is_dropped_is_seen_to_be_cut() {
    // RFC 9112 §8.
    let mut test = serving::test_server();
    let kept: Arc<Mutex<Option<ResponseStream>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle("GET", "/", move |request: &mut Asked, _: &mut Answer| {
            *keep.lock().unwrap() = Some(request.defer().stream(Answer::new()));
        })
        .unwrap();
    let mut client = test.connect();
    test.send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut stream = kept.lock().unwrap().take().unwrap();
    stream.write("half").unwrap();
    drop(stream);
    let response = test.settle(&mut client);
    assert!(response.ends_with("4\r\nhalf\r\n"), "{response:?}");
    assert!(client.closed);
}
