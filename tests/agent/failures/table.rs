//! What the tables of failures share: servers that count what moves, and the check of one row.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{Agent, Error, ErrorKind, Phase, Request};

use super::enum_variants::variant;
use crate::support::{Outcome, address, run};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// How many bytes of a request or a response an error must report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moved {
    Nothing,
    /// As many as the server counted in the last exchange.
    All,
    /// Some of them: the rest was not sent, or not read.
    Some,
}

/// What is expected of a failure.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    kind: fn(&ErrorKind) -> bool,
    phase: Phase,
    /// The status of the head that comes with the error.
    head: Option<u16>,
    sent: Moved,
    received: Moved,
    is_retryable: bool,
}

/// An error of this kind in this phase: nothing has moved, and the same request fails again.
pub(super) fn expect(phase: Phase, kind: fn(&ErrorKind) -> bool) -> Expected {
    Expected {
        kind,
        phase,
        head: None,
        sent: Moved::Nothing,
        received: Moved::Nothing,
        is_retryable: false,
    }
}

impl Expected {
    pub(super) fn head(mut self, status: u16) -> Self {
        self.head = Some(status);
        self
    }

    pub(super) fn moved(mut self, sent: Moved, received: Moved) -> Self {
        (self.sent, self.received) = (sent, received);
        self
    }

    pub(super) fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }
}

/// A row of a table: its name, the request, and how it fails.
pub(super) type Row = (&'static str, Request, Expected);

/// What a server does after its response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ending {
    Open,
    Close,
    Reset,
}

/// Bytes of the last request and of the last response, by host.
type Counts = Arc<Mutex<HashMap<String, (u64, u64)>>>;

/// A network with servers, and which failures its rows have covered.
pub(super) struct Table {
    pub(super) network: MemoryNetwork,
    counts: Counts,
    hosts: u8,
    pub(super) seen: Seen,
}

/// The kinds of errors that were checked, with their phases, and the variants of `RequestRefused`.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) kinds: BTreeSet<String>,
    pub(super) phases: BTreeSet<String>,
    pub(super) refusals: BTreeSet<String>,
}

impl Seen {
    pub(super) fn add(&mut self, error: &Error) {
        self.kinds.insert(variant(error.kind()));
        if let Some(phase) = error.phase() {
            self.phases.insert(variant(&phase));
        }
        if let ErrorKind::Refused(why) = error.kind() {
            self.refusals.insert(variant(why));
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.phases.extend(other.phases);
        self.refusals.extend(other.refusals);
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            network: MemoryNetwork::new(),
            counts: Counts::default(),
            hosts: 0,
            seen: Seen::default(),
        }
    }

    /// An address that no other host of this table has, for `<name>.example`.
    pub(super) fn address(&mut self, name: &str, port: u16) -> std::net::SocketAddr {
        self.hosts += 1;
        let at = address(&format!("10.8.0.{}:{port}", self.hosts));
        self.network
            .add_name(&format!("{name}.example"), &[at.ip()]);
        at
    }

    /// Serves `<name>.example`: each request head gets this response; then the connection ends like this.
    pub(super) fn serve(&mut self, name: &str, response: &str, ending: Ending) {
        let at = self.address(name, 80);
        let (counts, name) = (Arc::clone(&self.counts), name.to_owned());
        let response = response.as_bytes().to_vec();
        self.network.serve(at, move || {
            let (counts, name, response) = (counts.clone(), name.clone(), response.clone());
            let mut is_in_content = false;
            move |peer: &mut Peer| {
                let has_head = peer.received().windows(4).any(|it| it == b"\r\n\r\n");
                let starts_anew = ["GET ", "POST ", "PUT "]
                    .iter()
                    .any(|method| peer.received().starts_with(method.as_bytes()));
                if is_in_content && !starts_anew {
                    let more = peer.take_received().len() as u64;
                    counts.lock().unwrap().get_mut(&name).unwrap().0 += more;
                } else if has_head {
                    is_in_content = true;
                    let sent = peer.take_received().len() as u64;
                    let received = response.len() as u64;
                    counts
                        .lock()
                        .unwrap()
                        .insert(name.clone(), (sent, received));
                    peer.send(&response);
                    match ending {
                        Ending::Open => {}
                        Ending::Close => peer.close(),
                        Ending::Reset => peer.reset(),
                    }
                }
            }
        });
    }

    /// Accepts connections to `<name>.example`, whose bytes nobody reads.
    pub(super) fn listen(&mut self, name: &str, port: u16) {
        let at = self.address(name, port);
        self.network.listen(at);
    }

    /// Runs the request of a row, and checks how it failed.
    pub(super) fn check(&mut self, agent: &mut Agent, (name, request, expected): Row) {
        let host = host(&request);
        let outcome = run(&self.network, agent, request);
        self.check_outcome(name, &host, outcome, expected);
    }

    pub(super) fn check_outcome(
        &mut self,
        name: &str,
        host: &str,
        outcome: Outcome,
        expected: Expected,
    ) {
        let (error, response) = outcome.result.expect_err(name);
        assert!((expected.kind)(error.kind()), "{name}: {error:#?}");
        assert_eq!(error.phase(), Some(expected.phase), "{name}: {error:#?}");
        let head = response.map(|response| response.status().as_u16());
        assert_eq!(head, expected.head, "{name}: the head");
        let counted = self.counts.lock().unwrap().get(host).copied();
        let counted = counted.unzip();
        for (what, moved, reported, counted) in [
            ("sent", expected.sent, error.bytes_sent(), counted.0),
            (
                "received",
                expected.received,
                error.bytes_received(),
                counted.1,
            ),
        ] {
            match moved {
                Moved::Nothing => assert_eq!(reported, 0, "{name}: bytes {what}"),
                Moved::All => assert_eq!(Some(reported), counted, "{name}: bytes {what}"),
                Moved::Some => assert!(reported > 0, "{name}: bytes {what}"),
            }
        }
        let is_retryable = error.is_retryable();
        assert_eq!(is_retryable, expected.is_retryable, "{name}: retryable");
        assert!(error.origin().is_some(), "{name}: the origin");
        assert!(error.url().is_some(), "{name}: the URL");
        self.seen.add(&error);
    }
}

/// The name of a request's host, without `.example`.
pub(super) fn host(request: &Request) -> String {
    let rest = request.url().split("://").nth(1).unwrap_or_default();
    rest.split('.').next().unwrap_or_default().to_owned()
}

pub(super) fn get(host: &str) -> Request {
    Request::get(format!("http://{host}.example/"))
}

pub(super) fn post(host: &str) -> Request {
    Request::post(format!("http://{host}.example/")).text("x")
}
