//! reqwest on a tokio runtime with one worker thread, an unbounded channel to the frame loop. reqwest
//! has no limit on connections in use, so the adapter keeps one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;

pub struct Reqwest {
    runtime: Runtime,
    client: ::reqwest::Client,
    places: Arc<Semaphore>,
    sender: Sender<Piece>,
    receiver: Receiver<Piece>,
    kept: Vec<hyper::body::Bytes>,
}

enum Piece {
    Content(hyper::body::Bytes),
    Done(Outcome<hyper::body::Bytes>),
}

impl Reqwest {
    pub fn new(setup: &Setup) -> Outcome<Self> {
        let (sender, receiver) = channel();
        Ok(Self {
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            client: ::reqwest::Client::builder()
                .tls_backend_preconfigured(setup.rustls()?)
                .pool_max_idle_per_host(setup.connections)
                .build()?,
            places: Arc::new(Semaphore::new(setup.connections)),
            sender,
            receiver,
            kept: Vec::new(),
        })
    }

    fn take(&mut self, piece: Piece, seen: &mut Seen) -> Outcome<()> {
        match piece {
            Piece::Content(bytes) => seen.bytes += bytes.len() as u64,
            Piece::Done(outcome) => {
                let content = outcome?;
                seen.done += 1;
                seen.bytes += content.len() as u64;
                if !content.is_empty() {
                    self.kept.push(content);
                }
            }
        }
        Ok(())
    }
}

async fn fetch(
    client: ::reqwest::Client,
    places: Arc<Semaphore>,
    ask: &'static Ask,
    sender: &Sender<Piece>,
) -> Outcome<hyper::body::Bytes> {
    let _place = places.acquire().await?;
    let mut request = client.get(&ask.url);
    if ask.closes {
        request = request.header("Connection", "close");
    }
    let mut response = request.send().await?.error_for_status()?;
    if ask.keeps {
        return Ok(response.bytes().await?);
    }
    while let Some(piece) = response.chunk().await? {
        sender.send(Piece::Content(piece))?;
    }
    Ok(hyper::body::Bytes::new())
}

impl Peer for Reqwest {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        let (client, places) = (self.client.clone(), Arc::clone(&self.places));
        let sender = self.sender.clone();
        self.runtime.spawn(async move {
            let outcome = fetch(client, places, ask, &sender).await;
            // Nobody listens when the benchmark is over.
            let _ = sender.send(Piece::Done(outcome));
        });
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
