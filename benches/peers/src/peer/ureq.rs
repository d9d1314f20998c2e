//! ureq: a new thread for each request, an unbounded channel to the frame loop. ureq has no limit on
//! connections in use, so the adapter keeps one; the frame thread refills it.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ::ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;

pub struct Ureq {
    agent: ::ureq::Agent,
    sender: Sender<Piece>,
    receiver: Receiver<Piece>,
    waiting: VecDeque<&'static Ask>,
    under_way: usize,
    most: usize,
    kept: Vec<Vec<u8>>,
}

enum Piece {
    Content(Vec<u8>),
    Done(Outcome<Vec<u8>>),
}

/// A thread without surprises needs no more than the default; this is what it reads at once.
const PIECE: usize = 64 * 1024;

impl Ureq {
    pub fn new(setup: &Setup) -> Outcome<Self> {
        let authority = Certificate::from_pem(&setup.authority_pem()?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .build();
        let config = ::ureq::Agent::config_builder()
            .tls_config(tls)
            .max_idle_connections(setup.connections)
            .max_idle_connections_per_host(setup.connections)
            .build();
        let (sender, receiver) = channel();
        Ok(Self {
            agent: config.new_agent(),
            sender,
            receiver,
            waiting: VecDeque::new(),
            under_way: 0,
            most: setup.connections,
            kept: Vec::new(),
        })
    }

    fn start(&mut self, ask: &'static Ask) -> Outcome<()> {
        self.under_way += 1;
        let (agent, sender) = (self.agent.clone(), self.sender.clone());
        std::thread::Builder::new().spawn(move || {
            let outcome = fetch(&agent, ask, &sender);
            // Nobody listens when the benchmark is over.
            let _ = sender.send(Piece::Done(outcome));
        })?;
        Ok(())
    }

    fn take(&mut self, piece: Piece, seen: &mut Seen) -> Outcome<()> {
        match piece {
            Piece::Content(bytes) => seen.bytes += bytes.len() as u64,
            Piece::Done(outcome) => {
                let content = outcome?;
                seen.done += 1;
                self.under_way -= 1;
                seen.bytes += content.len() as u64;
                if !content.is_empty() {
                    self.kept.push(content);
                }
                if let Some(next) = self.waiting.pop_front() {
                    self.start(next)?;
                }
            }
        }
        Ok(())
    }
}

fn fetch(agent: &::ureq::Agent, ask: &Ask, sender: &Sender<Piece>) -> Outcome<Vec<u8>> {
    let mut request = agent.get(&ask.url);
    if ask.closes {
        request = request.header("Connection", "close");
    }
    let response = request.call()?;
    let mut content = response.into_body().into_reader();
    let mut kept = Vec::new();
    if ask.keeps {
        content.read_to_end(&mut kept)?;
        return Ok(kept);
    }
    loop {
        let mut piece = vec![0; PIECE];
        let count = content.read(&mut piece)?;
        if count == 0 {
            return Ok(kept);
        }
        piece.truncate(count);
        sender.send(Piece::Content(piece))?;
    }
}

impl Peer for Ureq {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        if self.under_way < self.most {
            return self.start(ask);
        }
        self.waiting.push_back(ask);
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        while let Ok(piece) = self.receiver.try_recv() {
            self.take(piece, seen)?;
        }
        Ok(())
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        let piece = self.receiver.recv_timeout(Duration::from_secs(10))?;
        self.take(piece, seen)?;
        self.poll(seen)
    }

    fn release(&mut self) {
        self.kept.clear();
    }
}
