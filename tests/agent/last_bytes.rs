//! The last bytes of a connection, which ends in the same moment or is reset: what arrived is delivered, then
//! the end or the error is reported. The same on real sockets is in `agent_sockets`.

use httpoll::error::NetworkFault;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{Agent, Download, ErrorKind, Event, Request};

use crate::support::{Folder, Outcome, address, chunks, frames, run};

/// How the server ends the connection, in the moment in which its last byte arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Fin,
    Reset,
}
use Ending::{Fin, Reset};

/// A network whose server sends these bytes and ends, whatever of the request it has read.
fn network(response: &str, ending: Ending) -> MemoryNetwork {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &[address("10.9.5.1:80").ip()]);
    let response = response.to_owned();
    network.serve(address("10.9.5.1:80"), move || {
        let response = response.clone();
        let mut has_responded = false;
        move |peer: &mut Peer| {
            if has_responded || !peer.received().windows(4).any(|it| it == b"\r\n\r\n") {
                return;
            }
            has_responded = true;
            peer.send(response.as_bytes());
            match ending {
                Fin => peer.close(),
                Reset => peer.reset(),
            }
        }
    });
    network
}

const URL: &str = "http://game.example/";

fn is_truncated(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Truncated { .. })
}

fn is_broken(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Network(NetworkFault::Broken))
}

/// A response, how its connection ends, and the content and the error that the caller gets.
struct Row {
    response: &'static str,
    ending: Ending,
    content: &'static str,
    error: Option<fn(&ErrorKind) -> bool>,
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nwhole!";
const LENGTH_CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nwhole!\r\n0\r\n\r\n";
const CHUNKED_CUT: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n3\r\nla";
const CLOSED: &str = "HTTP/1.1 200 OK\r\n\r\nwhole!";
const EARLY: &str = "HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\nwhole!";

fn rows() -> Vec<Row> {
    let row = |response, ending, content, error| Row {
        response,
        ending,
        content,
        error,
    };
    vec![
        row(LENGTH, Fin, "whole!", None),
        row(LENGTH, Reset, "whole!", None),
        row(LENGTH_CUT, Fin, "half", Some(is_truncated)),
        row(LENGTH_CUT, Reset, "half", Some(is_broken)),
        row(CHUNKED, Fin, "whole!", None),
        row(CHUNKED, Reset, "whole!", None),
        row(CHUNKED_CUT, Fin, "halfla", Some(is_truncated)),
        row(CHUNKED_CUT, Reset, "halfla", Some(is_broken)),
        row(CLOSED, Fin, "whole!", None),
        // Nothing says that this was all.
        row(CLOSED, Reset, "whole!", Some(is_broken)),
        // The server has read only part of the request.
        row(EARLY, Fin, "whole!", None),
        row(EARLY, Reset, "whole!", None),
    ]
}

/// What a caller got: the content, and the error.
fn check(what: &str, row: &Row, outcome: &Outcome, content: &[u8]) {
    let what = format!("{what}: {:?} after {:?}", row.ending, row.response);
    assert_eq!(String::from_utf8_lossy(content), row.content, "{what}");
    match (&outcome.result, row.error) {
        (Ok(_), None) => {}
        (Err((error, head)), Some(kind)) => {
            assert!(kind(error.kind()), "{what}: {error:?}");
            assert!(head.is_some(), "{what}: no head");
        }
        (Ok(_), Some(_)) => panic!("{what}: no error"),
        (Err((error, _)), None) => panic!("{what}: {error}"),
    }
}

/// The request of a row. Where the server responds early, it has read only part of its content.
fn request(row: &Row) -> Request {
    if row.response == EARLY {
        Request::put(URL).body(vec![1; 1_000_000])
    } else {
        Request::get(URL)
    }
}

#[test]
fn collected_content_comes_with_the_error() {
    for row in rows() {
        let network = network(row.response, row.ending);
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, request(&row));
        let body = match &outcome.result {
            Ok(response) => response.body().to_vec(),
            Err((_, Some(response))) => response.body().to_vec(),
            Err((_, None)) => Vec::new(),
        };
        check("collected", &row, &outcome, &body);
    }
}

#[test]
fn streamed_content_comes_before_the_error() {
    for row in rows() {
        let network = network(row.response, row.ending);
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, request(&row).stream());
        check("streamed", &row, &outcome, &chunks(&outcome.events));
    }
}

#[test]
fn downloaded_content_is_kept_before_the_error() {
    for row in rows() {
        if row.response == EARLY {
            continue;
        }
        let folder = Folder::new("last-bytes");
        let network = network(row.response, row.ending);
        let mut agent = Agent::on_memory(&network);
        let to = Download::to(folder.path("a")).resume(true);
        let outcome = run(&network, &mut agent, request(&row).download_to(to));
        let name = if outcome.result.is_ok() {
            "a"
        } else {
            "a.part"
        };
        let file = std::fs::read(folder.path(name)).unwrap();
        check("downloaded", &row, &outcome, &file);
    }
}

#[test]
fn events_come_before_the_stream_opens_again() {
    for ending in [Fin, Reset] {
        let response = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
                        id: 1\ndata: one\n\nid: 2\ndata: two\n\ndata: cut";
        let network = network(response, ending);
        let mut agent = Agent::on_memory(&network);
        let handle = agent.send(Request::get(URL).event_stream()).unwrap();
        let mut reported = Vec::new();
        for event in frames(&network, &mut agent, 5) {
            match event {
                Event::ServerSent { event, .. } => reported.push(event.data),
                Event::WillRetry { .. } => reported.push("again".to_owned()),
                Event::Failed { error, .. } => panic!("{ending:?}: {error}"),
                _ => {}
            }
        }
        assert_eq!(reported, ["one", "two", "again"], "{ending:?}");
        // It goes on after the last event.
        let again = frames(&network, &mut agent, 400);
        let is_reported = |event: &Event| matches!(event, Event::ServerSent { .. });
        assert!(again.iter().any(is_reported), "{ending:?}");
        drop(handle);
    }
}
