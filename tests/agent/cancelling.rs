//! Requests that are dropped or cancelled, at each stage, leave nothing open or on disk.

use std::time::Duration;

use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Download, PollAt, Request, RetryPolicy, node::RequestBody};

use crate::support::{Folder, address, frames, pattern, run, setup};

fn requests(folder: &Folder) -> Vec<(&'static str, Request)> {
    let url = |path: &str| format!("http://game.example{path}");
    vec![
        ("collected", Request::get(url("/drip"))),
        ("streamed", Request::get(url("/drip")).stream()),
        (
            "download",
            Request::get(url("/drip")).download_to(folder.path("new/a")),
        ),
        (
            "upload",
            Request::put(url("/put"))
                .body(pattern(2_000_000))
                .expect_continue(None)
                .rate_limit(Some(100_000)),
        ),
        (
            "expects",
            Request::put(url("/put")).body("x").expect_continue(Some(1)),
        ),
        ("redirected", Request::get(url("/redirect"))),
        (
            "retried",
            Request::get(url("/busy")).retries(RetryPolicy::standard()),
        ),
        ("silent", Request::get(url("/silent"))),
        ("unknown host", Request::get("http://slow-name.example/")),
        ("black hole", Request::get("http://black-hole.example/")),
    ]
}

fn play(network: &MemoryNetwork) -> MockServer {
    let server = MockServer::on(network, "game.example", 80);
    server.set_continues(false);
    server.get("/drip").reply(
        MockResponse::ok()
            .bytes(pattern(200_000))
            .drip(1000, Duration::from_millis(10)),
    );
    server.put("/put").reply(MockResponse::ok());
    server
        .get("/redirect")
        .reply(MockResponse::with_status(302).header("Location", "/drip"));
    server.get("/busy").reply(MockResponse::with_status(503));
    server.get("/silent").reply(MockResponse::ok().never());
    network.add_slow_name(
        "slow-name.example",
        &[address("10.9.9.9:80").ip()],
        Duration::from_secs(5),
    );
    network.add_name("black-hole.example", &[address("10.9.9.8:80").ip()]);
    network.refuse(address("10.9.9.8:80"), ConnectError::BlackHole);
    server
}

#[test]
fn nothing_is_left_of_a_request_cancelled_at_any_time() {
    for frames_before in [0, 1, 2, 3, 5, 8, 20, 60, 150] {
        for by_handle in [false, true] {
            let folder = Folder::new("cancel");
            for (what, request) in requests(&folder) {
                let network = MemoryNetwork::new();
                network.set_latency(Duration::from_millis(5));
                let _server = play(&network);
                let mut agent = Agent::on_memory(&network);
                let handle = agent.send(request).unwrap();
                let id = handle.id();
                let early = frames(&network, &mut agent, frames_before);
                if early.iter().any(httpoll::Event::is_final) {
                    continue;
                }
                if by_handle {
                    agent.cancel(id);
                    drop(handle);
                } else {
                    drop(handle);
                }
                let late = frames(&network, &mut agent, 300);
                assert!(late.is_empty(), "{what} {frames_before}: {late:?}");
                agent.close_idle_connections();
                frames(&network, &mut agent, 3);
                assert_eq!(network.open_connections(), 0, "{what} {frames_before}");
                assert_eq!(agent.poll().next, PollAt::Idle, "{what} {frames_before}");
            }
            assert!(folder.names().is_empty(), "{:?}", folder.names());
        }
    }
}

#[test]
fn events_that_were_not_pulled_are_removed_by_a_cancel() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let first = agent.get("http://game.example/").send().unwrap();
    let second = agent.get("http://game.example/").send().unwrap();
    let third = agent.get("http://game.example/").send().unwrap();
    for _ in 0..10 {
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    agent.cancel(first.id());
    drop(second);
    let mut done = Vec::new();
    while let Some(event) = agent.next_event() {
        if event.is_final() {
            done.push(event.id().unwrap());
        }
    }
    assert_eq!(done, [third.id()]);
}

#[test]
fn many_handles_that_are_dropped_at_once_cause_no_more_events_and_the_others_do() {
    let (network, _server, mut agent) = setup();
    let send = |agent: &mut Agent| agent.get("http://nowhere.example/").send().unwrap();
    let mut handles: Vec<_> = (0..1000).map(|_| send(&mut agent)).collect();
    for _ in 0..50 {
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    let kept: Vec<_> = handles.drain(..).skip(990).collect();
    let mut ended = Vec::new();
    while let Some(event) = agent.next_event() {
        ended.extend(event.id().filter(|_| event.is_final()));
    }
    ended.sort_unstable();
    let expected: Vec<_> = kept.iter().map(|handle| handle.id()).collect();
    assert_eq!(ended, expected);
}

#[test]
fn a_detached_request_runs_on() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let id = agent.get("http://game.example/").send().unwrap().detach();
    let events = frames(&network, &mut agent, 10);
    assert!(events.iter().any(|it| it.is_final() && it.id() == Some(id)));
}

#[test]
fn cancelling_twice_or_what_is_over_or_unknown_is_nothing() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let handle = agent.get("http://game.example/").send().unwrap();
    let id = handle.id();
    let (_, _, mut other) = setup();
    let foreign = other.get("http://game.example/").send().unwrap();
    frames(&network, &mut agent, 10);
    for _ in 0..2 {
        agent.cancel(id);
        agent.pause(id);
        agent.resume(id);
        agent.set_priority(id, httpoll::Priority::Gameplay);
        agent.set_rate_limit(id, Some(1));
    }
    drop(handle);
    drop(foreign);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert_eq!(
        server.connections().opened,
        1,
        "the connection was given back before"
    );
}

#[test]
fn an_agent_that_is_dropped_closes_everything() {
    let folder = Folder::new("dropped");
    let network = MemoryNetwork::new();
    let _server = play(&network);
    let mut agent = Agent::on_memory(&network);
    let handles: Vec<_> = requests(&folder)
        .into_iter()
        .map(|(_, request)| agent.send(request).unwrap())
        .collect();
    frames(&network, &mut agent, 10);
    assert!(network.open_connections() > 0);
    drop(agent);
    // The far ends hear of it when the network next moves.
    frames(&network, &mut Agent::on_memory(&network), 3);
    assert_eq!(network.open_connections(), 0);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    drop(handles);
}

#[test]
fn a_kept_part_stays_when_cancelled() {
    let folder = Folder::new("kept-part");
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::resource(pattern(200_000))
            .etag("\"a\"")
            .drip(1000, Duration::from_millis(10)),
    );
    let request = Request::get("http://game.example/")
        .download_to(Download::to(folder.path("a")).keep_partial(true));
    let handle = agent.send(request).unwrap();
    frames(&network, &mut agent, 50);
    drop(handle);
    agent.poll();
    assert_eq!(folder.names(), ["a.part", "a.part.json"]);
}

/// Tells when it is dropped.
struct Watched(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl std::io::Read for Watched {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::WouldBlock.into())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_reader_is_dropped_with_its_request() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let body = RequestBody::reader(Watched(gone.clone()), None);
    let handle = agent
        .send(Request::put("http://game.example/").body(body))
        .unwrap();
    frames(&network, &mut agent, 10);
    assert!(!gone.load(std::sync::atomic::Ordering::Relaxed));
    agent.cancel(handle.id());
    assert!(gone.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn connecting_and_cancelling_over_and_over_leaves_nothing() {
    let network = MemoryNetwork::new();
    let _server = play(&network);
    let mut agent = Agent::on_memory(&network);
    for _ in 0..500 {
        let handle = agent.get("http://black-hole.example/").send().unwrap();
        frames(&network, &mut agent, 2);
        drop(handle);
    }
    frames(&network, &mut agent, 1);
    assert_eq!(network.open_connections(), 0);
    assert_eq!(agent.poll().next, PollAt::Idle);
}
