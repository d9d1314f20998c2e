//! Everything that client and server reported, in order, and what the server's hooks say of each request,
//! which must end once. The server catches a panic in a hook or handler, so violations are noted here, and
//! the run fails because of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use httpoll::server::{Client, Request, Response, Sent, Server, ServerFault};

/// One connection of one server.
type Peer = (usize, u64);

#[derive(Clone, Default)]
pub(crate) struct EventLog(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    entries: Vec<String>,
    wrong: Vec<String>,
    /// Connections, and the request of each that has not ended.
    peers: BTreeMap<Peer, Option<String>>,
    /// How often each `POST` was handed to a handler.
    posts: BTreeMap<String, usize>,
    busy: BTreeMap<usize, usize>,
    /// Calls of `on_sent`, by server.
    sent: BTreeMap<usize, u64>,
}

impl EventLog {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn note(&self, line: String) {
        self.state().entries.push(line);
    }

    pub(crate) fn wrong(&self, line: String) {
        self.state().wrong.push(line);
    }

    pub(crate) fn check(&self) {
        let state = self.state();
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
    }

    pub(crate) fn take_entries(&self) -> Vec<String> {
        std::mem::take(&mut self.state().entries)
    }

    /// The latest entries about this request, for the message of a failure.
    pub(crate) fn latest(&self, about: &str) -> String {
        let state = self.state();
        let of_it = state.entries.iter().filter(|line| line.contains(about));
        let mut lines: Vec<_> = of_it.rev().take(40).cloned().collect();
        lines.reverse();
        lines.join("\n")
    }

    /// Whether the server is still busy for this request; counts down from `times`.
    pub(crate) fn is_busy(&self, number: usize, times: usize) -> bool {
        let mut state = self.state();
        let left = state.busy.entry(number).or_insert(times);
        let is_busy = *left > 0;
        *left = left.saturating_sub(1);
        is_busy
    }

    /// Listens to the hooks of a server, which gets this number.
    pub(crate) fn watch(&self, server: &mut Server, number: usize) {
        let log = self.clone();
        server.on_connect(move |client: &Client| {
            let peer = (number, client.number());
            if log.state().peers.insert(peer, None).is_some() {
                log.wrong(format!("{peer:?} connected twice"));
            }
        });
        let log = self.clone();
        server.on_disconnect(move |client: &Client| {
            let peer = (number, client.number());
            // A request ends with its connection if not before.
            let known = log.state().peers.remove(&peer);
            if known.is_none() {
                log.wrong(format!("{peer:?} disconnected twice"));
            }
        });
        let log = self.clone();
        server.on_receive(move |request: &mut Request, _: &mut Response| {
            log.received((number, request.client().number()), request);
        });
        let log = self.clone();
        server.on_sent(move |sent: &Sent| log.sent(number, sent));
        let log = self.clone();
        server.on_error(move |fault: &ServerFault, client: Option<&Client>| {
            let client = client.map(Client::number);
            log.note(format!("server {number} {client:?}: {fault}"));
        });
    }

    fn received(&self, peer: Peer, request: &Request) {
        let line = format!("{} {}", request.method(), request.target());
        let mut state = self.state();
        state.entries.push(format!("{peer:?} received {line}"));
        if request.method() == "POST" {
            *state.posts.entry(line.clone()).or_default() += 1;
        }
        match state.peers.get_mut(&peer) {
            Some(open @ None) => *open = Some(line),
            Some(Some(before)) => {
                let wrong = format!("{peer:?} received {line} before {before} was over");
                state.wrong.push(wrong);
            }
            None => state.wrong.push(format!("{peer:?} is not connected")),
        }
    }

    fn sent(&self, number: usize, sent: &Sent) {
        let peer = (number, sent.client.number());
        let mut state = self.state();
        let line = format!(
            "{peer:?} sent {} to {}, {} bytes, complete {}",
            sent.status, sent.path, sent.bytes, sent.complete
        );
        *state.sent.entry(number).or_default() += 1;
        let was_open = state.peers.get_mut(&peer).and_then(Option::take).is_some();
        // A request that could not be parsed has no `on_receive`.
        if !was_open && sent.status.as_u16() < 400 {
            state.wrong.push(format!("nobody asked: {line}"));
        }
        state.entries.push(line);
    }

    /// What is connected, and what it waits for.
    pub(crate) fn open(&self) -> String {
        format!("{:?}", self.state().peers)
    }

    /// A server is closed: all of its requests are over, `on_sent` ran for all of its responses.
    pub(crate) fn check_closed(&self, number: usize, server: &Server) {
        self.check();
        let state = self.state();
        let left: Vec<_> = state.peers.keys().filter(|it| it.0 == number).collect();
        assert!(left.is_empty(), "never disconnected: {left:?}");
        let responses: u64 = server.metrics().responses.iter().sum();
        let sent = state.sent.get(&number).copied().unwrap_or(0);
        assert_eq!(responses, sent, "of server {number} were entries of");
        let posts: Vec<_> = state.posts.iter().filter(|it| *it.1 > 1).collect();
        assert!(posts.is_empty(), "handled twice: {posts:?}");
    }
}
