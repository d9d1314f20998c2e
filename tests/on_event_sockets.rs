//! `on_event` without a thread for the agent: a program that sleeps until the function is called, and polls only
//! then. Over real sockets, because the in-memory network has no watcher.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use httpoll::memory::MemoryNetwork;
use httpoll::{
    Agent, Budget, Download, Error, ErrorKind, Event, Phase, Request, RequestHandle, Response,
    RetryPolicy, Timeouts, agent::AgentBuilder,
};

/// Longer than anything here takes: when it is over, a call is missing.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Serves each connection with `serve`, on a thread.
fn server(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(&mut stream));
        }
    });
    address
}

/// Reads one request without content. Returns its target; `None` when the connection has ended.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    Some(head.split(' ').nth(1)?.to_owned())
}

/// Serves requests by their targets.
fn router(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    server(move |stream| {
        while let Some(target) = read_request(stream) {
            if stream.write_all(&answer(&target)).is_err() {
                return;
            }
        }
    })
}

fn ok(content: &[u8]) -> Vec<u8> {
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        content.len()
    )
    .into_bytes();
    response.extend_from_slice(content);
    response
}

fn notify(builder: AgentBuilder) -> (AgentBuilder, Receiver<()>) {
    let (wake, woken) = channel();
    let builder = builder.on_event(move || {
        let _ = wake.send(());
    });
    (builder, woken)
}

fn agent() -> (Agent, Receiver<()>) {
    let (builder, woken) = notify(Agent::builder());
    let agent = builder.build();
    assert!(agent.calls_on_event() && !agent.is_on_thread());
    (agent, woken)
}

/// What a program without frames does: sleeps until it is called, polls, takes all events.
struct Sleeper {
    agent: Agent,
    woken: Receiver<()>,
    polls: usize,
    streamed: Vec<u8>,
}

impl Sleeper {
    fn new((agent, woken): (Agent, Receiver<()>)) -> Self {
        Self {
            agent,
            woken,
            polls: 0,
            streamed: Vec::new(),
        }
    }

    fn run(&mut self, request: Request) -> Result<Response, Error> {
        let handle = self.agent.send(request).unwrap();
        self.finish(&handle)
    }

    fn finish(&mut self, handle: &RequestHandle) -> Result<Response, Error> {
        loop {
            if let Some(result) = self.step(handle) {
                return result;
            }
        }
    }

    fn step(&mut self, handle: &RequestHandle) -> Option<Result<Response, Error>> {
        self.woken.recv_timeout(TOO_LONG).unwrap();
        self.agent.poll();
        self.polls += 1;
        let mut result = None;
        while let Some(event) = self.agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => self.streamed.extend_from_slice(&bytes),
                Event::Done { id, response } if id == handle.id() => result = Some(Ok(*response)),
                Event::Failed { id, error, .. } if id == handle.id() => result = Some(Err(error)),
                _ => {}
            }
        }
        result
    }
}

#[test]
fn a_program_that_sleeps_is_called_for_each_step_of_a_request() {
    let address = router(|target| match target {
        "/" => b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => ok(b"arrived"),
    });
    let mut sleeper = Sleeper::new(agent());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", address.port());
        let response = sleeper.run(Request::get(url)).unwrap();
        assert_eq!(response.text(), "arrived");
    }
}

#[test]
fn content_beyond_the_budget_and_the_window_arrives_with_calls_alone() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|it| (it % 251) as u8).collect();
    let expected = content.clone();
    let address = router(move |_| ok(&content));
    for budget in [
        Budget::default(),
        Budget::unlimited().with_bytes(100_000),
        Budget::frame(Duration::ZERO),
    ] {
        let (builder, woken) = notify(Agent::builder().budget(budget));
        let mut sleeper = Sleeper::new((builder.build(), woken));
        let request = Request::get(format!("http://{address}/")).stream();
        sleeper.run(request).unwrap();
        assert!(sleeper.streamed == expected);
        // Each byte was read by a poll of the program, not by the watcher.
        assert!(sleeper.polls > 1);
    }
}

#[test]
fn a_download_is_finished_with_calls_alone() {
    let target = std::env::temp_dir().join(format!("httpoll-on-event-{}", std::process::id()));
    let address = router(|_| ok(&[7; 100_000]));
    let mut sleeper = Sleeper::new(agent());
    let request = Request::get(format!("http://{address}/")).download_to(Download::to(&target));
    sleeper.run(request).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), [7; 100_000]);
    std::fs::remove_file(&target).unwrap();
}

#[test]
fn a_deadline_and_a_retry_call_although_the_server_is_silent() {
    let address = server(|stream| {
        // It never responds.
        while read_request(stream).is_some() {}
    });
    let mut timeouts = Timeouts::default();
    timeouts.head = Some(Duration::from_millis(50));
    let mut retries = RetryPolicy::standard();
    retries.retries = 1;
    retries.base_delay = Duration::from_millis(10);
    let mut sleeper = Sleeper::new(agent());
    let request = Request::get(format!("http://{address}/"))
        .timeouts(timeouts)
        .retries(retries);
    let error = sleeper.run(request).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Timeout(Phase::AwaitHead));
}

#[test]
fn a_long_sleep_counts_towards_deadlines() {
    let address = server(|stream| while read_request(stream).is_some() {});
    let begin = Instant::now();
    let late_polls = loop {
        if let Some(count) = late_polls_until_a_timeout(address) {
            break count;
        }
        if begin.elapsed() > TOO_LONG {
            // A machine that is always a second late cannot tell. `transport::active_time` tests the rule without sockets.
            eprintln!("each sleep lasted too long");
            return;
        }
    };
    // If only one second of each sleep counted, two more polls would be needed.
    assert!(late_polls < 2, "{late_polls}");
}

/// How many polls after the limit of 2.1 s were needed for the timeout. `None` if the system woke the program so late
/// that a second of that sleep does not count.
fn late_polls_until_a_timeout(address: SocketAddr) -> Option<u32> {
    let limit = Duration::from_millis(2_100);
    let mut timeouts = Timeouts::default();
    timeouts.head = Some(limit);
    // A poll that has no time left finds the timeout in the next one.
    let (builder, woken) = notify(Agent::builder().budget(Budget::unlimited()));
    let mut agent = builder.build();
    let request = Request::get(format!("http://{address}/")).timeouts(timeouts);
    agent.send(request).unwrap().detach();
    let (mut awaits_since, mut late_polls) = (None, 0);
    let error = 'polls: loop {
        woken.recv_timeout(TOO_LONG).unwrap();
        let waited = awaits_since.map(|since: Instant| since.elapsed());
        if waited.is_some_and(|waited| waited >= limit) {
            late_polls += 1;
            if late_polls == 1 && waited >= Some(limit + Duration::from_millis(900)) {
                return None;
            }
        }
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Phase {
                    phase: Phase::AwaitHead,
                    ..
                } => {
                    awaits_since = Some(Instant::now());
                }
                Event::Failed { error, .. } => break 'polls error,
                _ => {}
            }
        }
    };
    assert_eq!(*error.kind(), ErrorKind::Timeout(Phase::AwaitHead));
    Some(late_polls)
}

#[test]
fn a_peer_that_speaks_first_after_a_long_silence_is_noticed() {
    let (speak, spoken) = channel::<()>();
    let spoken = Mutex::new(spoken);
    let address = server(move |stream| {
        read_request(stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n",
        );
        let spoken = spoken.lock().unwrap();
        let _ = spoken.recv();
        let _ = stream.write_all(b"data: second\n\n");
        let _ = spoken.recv();
    });
    let mut sleeper = Sleeper::new(agent());
    let request = Request::get(format!("http://{address}/")).event_stream();
    let handle = sleeper.agent.send(request).unwrap();
    for expected in ["first", "second"] {
        loop {
            let event = sleeper.agent.next_event();
            match event {
                Some(Event::ServerSent { event, .. }) => {
                    assert_eq!(event.data, expected);
                    break;
                }
                Some(_) => {}
                None => {
                    sleeper.woken.recv_timeout(TOO_LONG).unwrap();
                    sleeper.agent.poll();
                }
            }
        }
        let _ = speak.send(());
    }
    drop(handle);
}

#[test]
fn waiting_calls_still_work() {
    let address = router(|_| ok(b"hi"));
    let (mut agent, _woken) = agent();
    // Nothing happens, so this ends with its timeout although the watcher would sleep without one.
    let url = format!("http://{address}/");
    let handle = agent.get(url.clone()).send().unwrap();
    assert_eq!(agent.wait_for(handle).unwrap().text(), "hi");
    // The connection is idle, and the watcher sleeps for it.
    agent.poll();
    agent.wait(Some(Duration::from_millis(1)));
    let handle = agent.get(url).send().unwrap();
    assert_eq!(agent.wait_for(handle).unwrap().text(), "hi");
}

#[test]
fn a_dropped_agent_calls_no_more_and_keeps_nothing() {
    let kept = Arc::new(());
    let held = Arc::clone(&kept);
    let address = router(|_| ok(b"hi"));
    let (wake, woken) = channel();
    let agent = Agent::builder()
        .on_event(move || {
            let _kept = &held;
            let _ = wake.send(());
        })
        .build();
    let mut sleeper = Sleeper::new((agent, woken));
    sleeper
        .run(Request::get(format!("http://{address}/")))
        .unwrap();
    drop(sleeper);
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn an_agent_may_be_dropped_while_its_function_runs() {
    let entered = Arc::new(Barrier::new(2));
    let is_over = Arc::new(AtomicBool::new(false));
    let (in_call, over) = (Arc::clone(&entered), Arc::clone(&is_over));
    let mut agent = Agent::builder()
        .on_event(move || {
            in_call.wait();
            std::thread::yield_now();
            over.store(true, Ordering::SeqCst);
        })
        .build();
    agent.get("http://127.0.0.1:9/").send().unwrap().detach();
    entered.wait();
    drop(agent);
    assert!(
        is_over.load(Ordering::SeqCst),
        "the function was still running"
    );
}

#[test]
fn a_function_that_panics_is_not_called_again_and_harms_nothing() {
    let address = router(|_| ok(b"hi"));
    let mut agent = Agent::builder().on_event(|| panic!("on purpose")).build();
    let handle = agent.get(format!("http://{address}/")).send().unwrap();
    assert_eq!(agent.wait_for(handle).unwrap().text(), "hi");
}

#[test]
fn in_memory_nothing_is_called() {
    let network = MemoryNetwork::new();
    let (builder, woken) = notify(Agent::builder());
    let mut agent = builder.build_on_memory(&network);
    assert!(!agent.calls_on_event());
    agent
        .get("http://nowhere.example/")
        .send()
        .unwrap()
        .detach();
    agent.poll();
    drop(agent);
    // The sender is gone, and nothing was sent.
    assert!(woken.recv().is_err());
}

#[test]
fn an_agent_on_a_thread_calls_as_well() {
    let address = router(|_| ok(b"hi"));
    let (builder, woken) = notify(Agent::builder().on_thread(true));
    let agent = builder.build();
    assert!(agent.calls_on_event());
    let mut sleeper = Sleeper::new((agent, woken));
    let response = sleeper.run(Request::get(format!("http://{address}/")));
    assert_eq!(response.unwrap().text(), "hi");
}

/// A program whose agent and server are in one group, and a client of the server on another thread.
#[cfg(feature = "server")]
mod groups {
    use httpoll::server::{
        Request as ServerRequest, Responder, Response as ServerResponse, Server,
    };
    use httpoll::{HttpClient, PollGroup, Status};

    use super::*;

    fn group() -> (PollGroup, Receiver<()>) {
        let (wake, woken) = channel();
        let group = PollGroup::new().on_event(move || {
            let _ = wake.send(());
        });
        assert!(group.calls_on_event());
        (group, woken)
    }

    fn client(address: SocketAddr) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        })
    }

    #[test]
    fn a_server_that_sleeps_accepts_and_responds_from_another_thread() {
        let (group, woken) = group();
        let (hand_over, responders) = channel::<Responder>();
        let mut server = Server::builder().group(&group).bind("127.0.0.1:0").unwrap();
        server
            .handle(
                "GET",
                "/",
                move |request: &mut ServerRequest, _: &mut ServerResponse| {
                    hand_over.send(request.defer()).unwrap();
                },
            )
            .unwrap();
        let address = server.local_addr();
        let worker = std::thread::spawn(move || {
            let responder = responders.recv().unwrap();
            responder.respond(ServerResponse::text("later"))
        });
        group.poll(&Budget::default(), &mut [&mut server]).unwrap();
        let client = client(address);
        while server.metrics().responses[1] == 0 || server.metrics().open > 0 {
            woken.recv_timeout(TOO_LONG).unwrap();
            group.poll(&Budget::default(), &mut [&mut server]).unwrap();
        }
        assert!(worker.join().unwrap());
        assert!(client.join().unwrap().ends_with("later"));
    }

    #[test]
    fn a_node_that_sleeps_is_called() {
        let address = router(|_| ok(b"hi"));
        let (group, woken) = group();
        let mut node = HttpClient::in_group(&group);
        node.connect_to_host("127.0.0.1", i32::from(address.port()), None)
            .unwrap();
        let mut text = String::new();
        while !(node.has_response() && node.get_status() == Status::Connected) {
            group.poll(&Budget::default(), &mut [&mut node]).unwrap();
            if node.get_status() == Status::Connected && !node.has_response() {
                node.request(httpoll::Method::Get, "/", &[], "").unwrap();
                continue;
            }
            while node.get_status() == Status::Body {
                let chunk = node.read_response_body_chunk().unwrap();
                if chunk.is_empty() {
                    break;
                }
                text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
            if node.get_status() != Status::Connected {
                woken.recv_timeout(TOO_LONG).unwrap();
            }
        }
        assert_eq!(text, "hi");
    }
}
