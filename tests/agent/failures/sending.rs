//! Failures while the request is sent, and requests that are not sent a second time.

use std::io::{self, Read};

use httpoll::error::{NetworkFault, RequestRefused};
use httpoll::memory::Peer;
use httpoll::node::RequestBody;
use httpoll::{Agent, ErrorKind, Phase, Request, Timeouts};

use super::table::{Ending, Moved, Row, SECOND, Seen, Table, expect, host, post};
use crate::support::{finish, frames};

#[test]
fn failures_while_sending() {
    table();
}

pub(super) fn table() -> Seen {
    let mut table = Table::new();
    heads(&mut table);
    contents(&mut table);
    continues(&mut table);
    suspended(&mut table);
    table.seen
}

/// More than any buffer on the way holds.
const LARGE: usize = 1_000_000;

fn put(host: &str) -> Request {
    Request::put(format!("http://{host}.example/"))
}

/// A peer that takes nothing, so that not even a head can be sent.
fn heads(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    table.network.set_capacity(20);
    table.listen("narrow", 80);
    let at = table.address("breaks-off", 80);
    table.network.serve(at, || {
        |peer: &mut Peer| {
            if !peer.received().is_empty() {
                peer.reset();
            }
        }
    });
    let mut timeouts = Timeouts::default();
    timeouts.stall = Some(SECOND);
    let some = |kind| expect(Phase::SendHead, kind).moved(Moved::Some, Moved::Nothing);
    let rows: Vec<Row> = vec![
        (
            "a head that cannot be sent",
            put("narrow").timeouts(timeouts),
            some(|kind| matches!(kind, ErrorKind::Timeout(Phase::SendHead))).retryable(),
        ),
        (
            "the total timeout while a head is sent",
            post("narrow").total_timeout(SECOND),
            some(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::SendHead))),
        ),
        (
            "a reset while a head is sent",
            put("breaks-off"),
            some(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
    table.network.set_capacity(256 * 1024);
}

/// Fails after ten bytes.
struct Fails(u64);

impl Read for Fails {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the source is gone"));
        }
        let count = into.len().min(self.0 as usize);
        into[..count].fill(b'x');
        self.0 -= count as u64;
        Ok(count)
    }
}

fn contents(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    table.listen("full", 80);
    let at = table.address("breaks", 80);
    table.network.serve(at, || {
        |peer: &mut Peer| {
            if peer.received().len() > 1000 {
                peer.reset();
            }
        }
    });
    table.serve(
        "moves",
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
        Ending::Open,
    );
    let mut timeouts = Timeouts::default();
    timeouts.stall = Some(SECOND);
    let content = |kind| expect(Phase::SendBody, kind).moved(Moved::Some, Moved::Nothing);
    let rows: Vec<Row> = vec![
        (
            "content that cannot be sent",
            put("full").body(vec![1; LARGE]).timeouts(timeouts.clone()),
            content(|kind| matches!(kind, ErrorKind::Timeout(Phase::SendBody))).retryable(),
        ),
        (
            "the same for a POST",
            Request::post("http://full.example/")
                .body(vec![1; LARGE])
                .timeouts(timeouts),
            content(|kind| matches!(kind, ErrorKind::Timeout(Phase::SendBody))),
        ),
        (
            "the total timeout while content is sent",
            put("full").body(vec![1; LARGE]).total_timeout(SECOND),
            content(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::SendBody))).retryable(),
        ),
        (
            "a reset while content is sent",
            put("breaks").body(vec![1; LARGE]),
            content(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "a source that fails",
            put("full").body(RequestBody::reader(Fails(10), Some(100))),
            content(|kind| matches!(kind, ErrorKind::RequestBody)),
        ),
        (
            "a source that ends early",
            put("full").body(RequestBody::reader(&b"short"[..], Some(100))),
            content(|kind| matches!(kind, ErrorKind::RequestBody)),
        ),
        (
            "a source that has too much",
            put("full").body(RequestBody::reader(&b"much too long"[..], Some(4))),
            content(|kind| matches!(kind, ErrorKind::RequestBody)),
        ),
        (
            "content that was used up by the first hop",
            put("moves").body(RequestBody::reader(&b"once"[..], Some(4))),
            expect(Phase::ReceiveBody, |kind| {
                matches!(kind, ErrorKind::Refused(RequestRefused::ContentSpent))
            })
            .head(307)
            .moved(Moved::All, Moved::All),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
}

fn continues(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    for (name, response, ending) in [
        ("no-continue", "", Ending::Open),
        ("ends", "", Ending::Close),
        ("resets", "", Ending::Reset),
        ("lies", "HTTP/1.1 100\r\nno colon\r\n\r\n", Ending::Open),
    ] {
        table.serve(name, response, ending);
    }
    let mut timeouts = Timeouts::default();
    timeouts.continue_wait = None;
    let waits = |kind| expect(Phase::AwaitContinue, kind).moved(Moved::All, Moved::All);
    let ask = |host: &str| {
        put(host)
            .body("content")
            .expect_continue(Some(1))
            .timeouts(timeouts.clone())
    };
    let rows: Vec<Row> = vec![
        (
            "the total timeout while 100 Continue is awaited",
            ask("no-continue").total_timeout(SECOND),
            waits(|kind| matches!(kind, ErrorKind::TotalTimeout(Phase::AwaitContinue))).retryable(),
        ),
        (
            "a connection that ends instead of 100 Continue",
            ask("ends"),
            waits(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Closed))).retryable(),
        ),
        (
            "a connection that is reset instead of 100 Continue",
            ask("resets"),
            waits(|kind| matches!(kind, ErrorKind::Network(NetworkFault::Broken))).retryable(),
        ),
        (
            "an invalid 100 Continue",
            ask("lies"),
            waits(|kind| matches!(kind, ErrorKind::Peer(_))),
        ),
    ];
    for row in rows {
        table.check(&mut agent, row);
    }
}

/// Requests that an agent gives up because it is suspended, and that must not be sent twice.
fn suspended(table: &mut Table) {
    let mut agent = Agent::builder().build_on_memory(&table.network);
    table.serve("silent", "", Ending::Open);
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    table.serve("begun", begun, Ending::Open);
    let once = || RequestBody::reader(&b"once"[..], Some(4));
    let refused: fn(&ErrorKind) -> bool =
        |kind| matches!(kind, ErrorKind::Refused(RequestRefused::Suspended));
    let rows: Vec<Row> = vec![
        (
            "suspended before the head",
            post("silent"),
            expect(Phase::AwaitHead, refused).moved(Moved::All, Moved::Nothing),
        ),
        (
            "suspended before the head, without its content",
            put("silent").body(once()),
            expect(Phase::AwaitHead, refused)
                .moved(Moved::All, Moved::Nothing)
                .retryable(),
        ),
        (
            "suspended in the content",
            post("begun"),
            expect(Phase::ReceiveBody, refused)
                .head(200)
                .moved(Moved::All, Moved::All),
        ),
    ];
    for (name, request, expected) in rows {
        let host = host(&request);
        let handle = agent.send(request).unwrap();
        frames(&table.network, &mut agent, 3);
        agent.suspend(std::time::Duration::ZERO);
        let outcome = finish(&table.network, &mut agent, &handle);
        table.check_outcome(name, &host, outcome, expected);
        agent.resume_all();
    }
}
