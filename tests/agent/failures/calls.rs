//! Errors of calls: a request that was never sent, and content that a response does not have. No phase, no
//! bytes, and the same call fails again.

use httpoll::error::RequestRefused;
use httpoll::multipart::{Form, Part};
use httpoll::{Agent, Error, ErrorKind, Request};

use super::table::{Ending, Seen, Table, get};
use crate::support::run;

#[test]
fn failures_of_calls() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    let json = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{";
    table.serve("json", json, Ending::Open);
    let mut agent = Agent::builder().build_on_memory(&table.network);
    let response = run(&table.network, &mut agent, get("json"));
    let running = agent.send(get("json")).unwrap();
    let form = Form::new().part("file", Part::text("x").content_type("a\r\nb"));
    let rows: Vec<(&str, Error, fn(&ErrorKind) -> bool)> = vec![
        (
            "a URL of another scheme",
            agent.send(Request::get("ftp://json.example/")).unwrap_err(),
            |kind| matches!(kind, ErrorKind::Misuse(_)),
        ),
        (
            "a form that cannot be sent",
            agent
                .send(Request::post("http://json.example/").multipart(form))
                .unwrap_err(),
            |kind| matches!(kind, ErrorKind::Form(_)),
        ),
        (
            "a user name that is not UTF-8",
            agent
                .send(Request::get("http://%FF@json.example/"))
                .unwrap_err(),
            |kind| matches!(kind, ErrorKind::Auth(_)),
        ),
        (
            "content that is not JSON",
            response.response().json::<serde_json::Value>().unwrap_err(),
            |kind| matches!(kind, ErrorKind::InvalidJson),
        ),
        (
            "a message without a WebSocket",
            agent.send_message(running.id(), "x".into()).unwrap_err(),
            |kind| matches!(kind, ErrorKind::Refused(RequestRefused::NoWebSocket)),
        ),
    ];
    for (name, error, kind) in rows {
        assert!(kind(error.kind()), "{name}: {error:#?}");
        assert_eq!(error.phase(), None, "{name}: {error:#?}");
        let moved = (error.bytes_sent(), error.bytes_received());
        assert_eq!(moved, (0, 0), "{name}: {error:#?}");
        assert!(!error.is_retryable(), "{name}: {error:#?}");
        table.seen.add(&error);
    }
    table.seen
}
