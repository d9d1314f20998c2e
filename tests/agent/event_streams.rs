//! Event streams, which reconnect by themselves (WHATWG HTML §9.2).

use std::time::Duration;

use httpoll::mock::{MockResponse, MockServer, MockStream};
use httpoll::{
    Agent, Budget, ErrorKind, Event, Request, RequestHandle,
    agent::RetryCause,
    circuit::CircuitPolicy,
    error::{EventStreamFault, NetworkFault},
    event_stream::ServerSentEvent,
};

use crate::support::{finish, frames, run, setup, setup_with};

const URL: &str = "http://game.example/events";

fn open(agent: &mut Agent) -> RequestHandle {
    agent.send(Request::get(URL).event_stream()).unwrap()
}

fn serve(server: &MockServer) -> MockStream {
    let stream = MockStream::new();
    server.get("/events").reply(
        MockResponse::ok()
            .header("Content-Type", "Text/Event-Stream; charset=utf-8")
            .stream(&stream),
    );
    stream
}

fn reported(events: Vec<Event>) -> Vec<ServerSentEvent> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::ServerSent { event, .. } => Some(event),
            _ => None,
        })
        .collect()
}

fn data(events: Vec<Event>) -> Vec<String> {
    reported(events)
        .into_iter()
        .map(|event| event.data)
        .collect()
}

#[test]
fn events_come_as_they_are_sent_however_they_are_cut() {
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    let sent = &server.requests()[0];
    assert_eq!(sent.header("accept"), Some("text/event-stream"));
    assert!(sent.header("accept-encoding").is_none() && sent.header("last-event-id").is_none());
    stream.send("\u{feff}: hello\r\nevent: chat\ndata: a\rdata:b\r\ndata:  c\n\nda");
    let first = reported(frames(&network, &mut agent, 1));
    assert_eq!(first.len(), 1);
    assert_eq!(
        (first[0].event.as_deref(), first[0].data.as_str()),
        (Some("chat"), "a\nb\n c")
    );
    for piece in ["ta", ":", " x\r", "\n\r", "\nid:", " 7\ndata\n\n"] {
        assert!(data(frames(&network, &mut agent, 1)).is_empty() || piece.starts_with("\nid"));
        stream.send(piece);
    }
    assert_eq!(data(frames(&network, &mut agent, 2)), [""]);
    drop(handle);
}

#[test]
fn it_reconnects_with_the_last_id_after_the_servers_delay() {
    for (retry, waits) in [("", 3000), ("retry: 200\n", 200), ("retry: 2x\n", 3000)] {
        let (network, server, mut agent) = setup();
        let stream = serve(&server);
        let handle = open(&mut agent);
        frames(&network, &mut agent, 3);
        stream.send(format!("{retry}id: \u{e4}7\ndata: a\n\ndata: never ended"));
        stream.close();
        let began = network.now();
        let mut causes = 0;
        while server.requests().len() < 2 {
            for event in frames(&network, &mut agent, 1) {
                if let Event::WillRetry { cause, after, .. } = event {
                    assert!(matches!(cause, RetryCause::StreamEnded));
                    assert_eq!(after.as_millis(), waits);
                    causes += 1;
                }
            }
        }
        assert_eq!(causes, 1);
        let waited = (network.now() - began).as_millis();
        assert!((waits..waits + 60).contains(&waited), "{waited}");
        assert_eq!(
            server.requests()[1].header("last-event-id"),
            Some("\u{e4}7")
        );
        stream.send("data: b\n\n");
        assert_eq!(
            data(frames(&network, &mut agent, 5)),
            ["b"],
            "what was not ended is no event"
        );
        drop(handle);
    }
}

#[test]
fn a_broken_connection_is_no_end() {
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    for round in 1..5 {
        stream.send(format!("retry: 100\nid: {round}\ndata: {round}\n\n"));
        assert_eq!(data(frames(&network, &mut agent, 3)), [round.to_string()]);
        stream.reset();
        frames(&network, &mut agent, 30);
        assert_eq!(server.requests().len(), round + 1);
        assert_eq!(
            server.requests()[round].header("last-event-id"),
            Some(round.to_string().as_str())
        );
    }
    drop(handle);
    frames(&network, &mut agent, 2);
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn a_204_ends_it_and_other_statuses_are_errors() {
    // WHATWG HTML §9.2.3.
    for status in [204, 404, 500, 401] {
        let (network, server, mut agent) = setup();
        let stream = MockStream::new();
        server.get("/events").times(1).reply(
            MockResponse::ok()
                .header("Content-Type", "text/event-stream")
                .stream(&stream),
        );
        server
            .get("/events")
            .reply(MockResponse::with_status(status));
        let handle = open(&mut agent);
        frames(&network, &mut agent, 3);
        stream.send("retry: 10\ndata: x\n\n");
        stream.close();
        let outcome = finish(&network, &mut agent, &handle);
        match status {
            204 => assert_eq!(outcome.response().status().as_u16(), 204),
            _ => assert_eq!(*outcome.error().kind(), ErrorKind::Status(status)),
        }
        assert!(frames(&network, &mut agent, 100).is_empty());
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn a_response_of_another_type_is_the_response() {
    let (network, server, mut agent) = setup();
    server
        .get("/events")
        .reply(MockResponse::ok().text("data: no\n\n"));
    let outcome = run(&network, &mut agent, Request::get(URL).event_stream());
    assert_eq!(outcome.response().text(), "data: no\n\n");
}

#[test]
fn no_stall_deadline_is_missed_by_a_server_that_comments() {
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    for _ in 0..8 {
        let events = frames(&network, &mut agent, 2000);
        assert!(
            !events
                .iter()
                .any(|it| matches!(it, Event::WillRetry { .. })),
            "{events:?}"
        );
        stream.send(":\n");
    }
    assert_eq!(server.requests().len(), 1);
    drop(handle);
}

#[test]
fn hostile_streams() {
    // An event without end, within a bounded memory.
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let _handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    let mut events = Vec::new();
    for _ in 0..5 {
        stream.send(vec![b'x'; 300_000]);
        events.extend(frames(&network, &mut agent, 5));
    }
    let failed = events.iter().find_map(|event| match event {
        Event::Failed { error, .. } => Some(error.kind()),
        _ => None,
    });
    assert_eq!(
        *failed.unwrap(),
        ErrorKind::EventStream(EventStreamFault::TooLong(1024 * 1024))
    );
    // A time to wait beyond all clocks.
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    stream.send("retry: 99999999999999999999999999\ndata: x\n\n");
    stream.close();
    frames(&network, &mut agent, 10);
    assert_eq!(server.requests().len(), 1);
    agent.poll();
    drop(handle);
    // An id that would inject, and one with a NUL.
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    stream.send("retry: 10\nid: a\x01b\x7f\ndata: x\n\nid: c\0d\ndata: y\n\n");
    stream.close();
    let outcome = finish_or(&network, &mut agent, &handle, 100);
    assert!(
        outcome.is_none_or(|error| error),
        "either way it goes on or says why"
    );
    drop(handle);
    // A flood of events that the caller does not pull slows the server down.
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let handle = open(&mut agent);
    frames(&network, &mut agent, 3);
    for _ in 0..40 {
        stream.send("data: x\n\n".repeat(30_000));
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    // Without budget left, pulling does not read more.
    agent.poll_with(&Budget::frame(Duration::ZERO));
    let mut held = 0;
    while let Some(event) = agent.next_event() {
        held += usize::from(matches!(event, Event::ServerSent { .. }));
    }
    assert!(held < 600_000, "{held}");
    drop(handle);
}

fn finish_or(
    network: &httpoll::memory::MemoryNetwork,
    agent: &mut Agent,
    handle: &RequestHandle,
    count: usize,
) -> Option<bool> {
    frames(network, agent, count)
        .iter()
        .find(|it| it.id() == Some(handle.id()) && it.is_final())
        .map(|it| matches!(it, Event::Failed { .. }))
}

#[test]
fn the_first_connection_that_fails_is_an_error() {
    let (network, _server, mut agent) =
        setup_with(Agent::builder().circuit(CircuitPolicy::default()));
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://nobody.example/").event_stream(),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Network(NetworkFault::Unresolved)
    );
}

#[test]
fn a_server_that_sends_away_at_once_is_not_hammered() {
    for body in ["retry: 0\n\n", "retry: 0\ndata: x\n\n"] {
        let (network, server, mut agent) = setup();
        server.get("/events").reply(
            MockResponse::ok()
                .header("Content-Type", "text/event-stream")
                .bytes(body),
        );
        let handle = open(&mut agent);
        frames(&network, &mut agent, 200);
        let requests = server.requests().len();
        assert!((2..=22).contains(&requests), "{requests} in two seconds");
        drop(handle);
    }
}

#[test]
fn an_event_stream_keeps_to_the_budget_of_each_poll() {
    let (network, server, mut agent) = setup();
    let stream = serve(&server);
    let _handle = open(&mut agent);
    frames(&network, &mut agent, 5);
    stream.send("data: x\n\n".repeat(100));
    network.advance(Duration::from_millis(10));
    let mut polls = Vec::new();
    for _ in 0..200 {
        agent.poll_with(&Budget::frame(Duration::ZERO));
        let events: Vec<Event> = std::iter::from_fn(|| agent.next_event()).collect();
        polls.push(
            events
                .iter()
                .filter(|it| matches!(it, Event::ServerSent { .. }))
                .count(),
        );
        network.advance(Duration::from_millis(1));
    }
    assert!(polls.iter().all(|events| *events <= 1), "{polls:?}");
    assert_eq!(polls.iter().sum::<usize>(), 100);
}
