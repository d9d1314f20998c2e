//! httpoll's [`HttpClient`](httpoll::HttpClient): a node for each connection, each polled in each
//! frame with the whole budget, as separate nodes of a game are.

use std::collections::VecDeque;
use std::time::Duration;

use httpoll::{Budget, HttpClient, Method, Status, Timeouts, tls::TlsOptions};

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;

pub struct Nodes {
    nodes: Vec<Node>,
    waiting: VecDeque<&'static Ask>,
    most: usize,
    budget: Budget,
    timeouts: Timeouts,
    tls: TlsOptions,
    kept: Vec<Vec<u8>>,
}

struct Node {
    http: HttpClient,
    asked: Option<&'static Ask>,
    is_sent: bool,
    content: Vec<u8>,
}

impl Nodes {
    pub fn new(setup: &Setup) -> Outcome<Self> {
        let mut timeouts = Timeouts::default();
        if setup.waits_long {
            timeouts.head = None;
        }
        Ok(Self {
            timeouts,
            nodes: Vec::new(),
            waiting: VecDeque::new(),
            most: setup.connections,
            budget: setup.budget.map_or(Budget::unlimited(), Budget::frame),
            tls: super::agent::tls(setup)?,
            kept: Vec::new(),
        })
    }

    fn advance(&mut self, at: usize, waits: bool, seen: &mut Seen) -> Outcome<()> {
        let node = &mut self.nodes[at];
        if node.asked.is_none() && node.http.get_status() == Status::Disconnected {
            return Ok(());
        }
        node.send_when_connected()?;
        if waits {
            node.http.wait(Some(Duration::from_secs(10)))?;
        } else {
            node.http.poll()?;
        }
        let Some(ask) = node.asked else {
            return Ok(());
        };
        if node.send_when_connected()? {
            node.http.poll()?;
        }
        if !node.is_sent {
            return Ok(());
        }
        while node.http.get_status() == Status::Body {
            let chunk = node.http.read_response_body_chunk()?;
            if chunk.is_empty() {
                break;
            }
            seen.bytes += chunk.len() as u64;
            if ask.keeps {
                node.content.extend_from_slice(&chunk);
            }
        }
        let status = node.http.get_status();
        if matches!(status, Status::Body | Status::Requesting) || !node.http.has_response() {
            return Ok(());
        }
        if node.http.get_response_code() != 200 {
            return Err(format!("{}", node.http.get_response_code()).into());
        }
        seen.done += 1;
        node.asked = None;
        if ask.keeps {
            self.kept.push(std::mem::take(&mut node.content));
        }
        if ask.closes {
            node.http.close();
        }
        match self.waiting.pop_front() {
            Some(next) => self.nodes[at].begin(next, &self.tls),
            None => Ok(()),
        }
    }
}

impl Node {
    fn begin(&mut self, ask: &'static Ask, tls: &TlsOptions) -> Outcome<()> {
        self.asked = Some(ask);
        self.is_sent = false;
        if self.http.get_status() == Status::Connected {
            return self.send(ask);
        }
        let (scheme, tls) = match ask.is_tls {
            true => ("https", Some(tls.clone())),
            false => ("http", None),
        };
        let host = format!("{scheme}://{}", ask.address.ip());
        self.http
            .connect_to_host(&host, ask.address.port().into(), tls)?;
        Ok(())
    }

    /// Answers whether it was sent just now.
    fn send_when_connected(&mut self) -> Outcome<bool> {
        match self.asked {
            Some(ask) if !self.is_sent && self.http.get_status() == Status::Connected => {
                self.send(ask)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn send(&mut self, ask: &'static Ask) -> Outcome<()> {
        let closing: &[&str] = if ask.closes {
            &["Connection: close"]
        } else {
            &[]
        };
        self.http.request(Method::Get, &ask.path, closing, "")?;
        self.is_sent = true;
        Ok(())
    }
}

impl Peer for Nodes {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.asked.is_none()) {
            return node.begin(ask, &self.tls);
        }
        if self.nodes.len() == self.most {
            self.waiting.push_back(ask);
            return Ok(());
        }
        let mut node = Node {
            http: HttpClient::new(),
            asked: None,
            is_sent: false,
            content: Vec::new(),
        };
        node.http.set_budget(self.budget.clone());
        node.http.set_timeouts(self.timeouts.clone());
        node.begin(ask, &self.tls)?;
        self.nodes.push(node);
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        (0..self.nodes.len()).try_for_each(|at| self.advance(at, false, seen))
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        let waits = self.nodes.len() == 1;
        (0..self.nodes.len()).try_for_each(|at| self.advance(at, waits, seen))
    }

    fn release(&mut self) {
        self.kept.clear();
    }
}
