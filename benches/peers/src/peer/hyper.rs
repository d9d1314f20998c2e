//! hyper's client on a current-thread runtime that the frame thread turns: until nothing happened for
//! a few turns, or until the budget is spent, which can only be looked at between two turns.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::hyper::Request;
use ::hyper::body::Bytes;
use ::hyper::client::conn::http1::{self, SendRequest};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;

pub struct Hyper {
    runtime: Runtime,
    tasks: LocalSet,
    shared: Rc<Shared>,
    budget: Option<Duration>,
}

struct Shared {
    idle: RefCell<Vec<SendRequest<Empty<Bytes>>>>,
    places: Semaphore,
    tls: tokio_rustls::TlsConnector,
    pieces: RefCell<VecDeque<Piece>>,
    happened: Cell<u64>,
    news: Notify,
    kept: RefCell<Vec<Bytes>>,
}

enum Piece {
    Content(usize),
    Done(Outcome<()>),
}

/// Turns without news before a poll ends. A turn looks at sockets once.
const QUIET_TURNS: u32 = 3;

impl Hyper {
    pub fn new(setup: &Setup) -> Outcome<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            tasks: LocalSet::new(),
            shared: Rc::new(Shared {
                idle: RefCell::new(Vec::new()),
                places: Semaphore::new(setup.connections),
                tls: Arc::new(setup.rustls()?).into(),
                pieces: RefCell::new(VecDeque::new()),
                happened: Cell::new(0),
                news: Notify::new(),
                kept: RefCell::new(Vec::new()),
            }),
            budget: setup.budget,
        })
    }

    fn take(&mut self, seen: &mut Seen) -> Outcome<()> {
        while let Some(piece) = self.shared.pieces.borrow_mut().pop_front() {
            match piece {
                Piece::Content(bytes) => seen.bytes += bytes as u64,
                Piece::Done(outcome) => {
                    outcome?;
                    seen.done += 1;
                }
            }
        }
        Ok(())
    }
}

impl Shared {
    fn tell(&self, piece: Piece) {
        self.pieces.borrow_mut().push_back(piece);
        self.happened.set(self.happened.get() + 1);
        self.news.notify_one();
    }

    async fn connect(&self, ask: &Ask) -> Outcome<SendRequest<Empty<Bytes>>> {
        let stream = TcpStream::connect(ask.address).await?;
        stream.set_nodelay(true)?;
        if ask.is_tls {
            let stream = self.tls.connect(ask.address.ip().into(), stream).await?;
            return begin(TokioIo::new(stream)).await;
        }
        begin(TokioIo::new(stream)).await
    }

    async fn fetch(&self, ask: &'static Ask) -> Outcome<()> {
        let _place = self.places.acquire().await?;
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect(ask).await?,
        };
        let mut request = Request::get(&ask.path).header("Host", "127.0.0.1");
        if ask.closes {
            request = request.header("Connection", "close");
        }
        let response = connection.send_request(request.body(Empty::new())?).await?;
        if response.status() != 200 {
            return Err(response.status().to_string().into());
        }
        let mut content = response.into_body();
        if ask.keeps {
            let whole = content.collect().await?.to_bytes();
            self.tell(Piece::Content(whole.len()));
            self.kept.borrow_mut().push(whole);
        } else {
            while let Some(frame) = content.frame().await {
                if let Ok(data) = frame?.into_data() {
                    self.tell(Piece::Content(data.len()));
                }
            }
        }
        if !ask.closes {
            connection.ready().await?;
            self.idle.borrow_mut().push(connection);
        }
        Ok(())
    }
}

async fn begin<T>(io: TokioIo<T>) -> Outcome<SendRequest<Empty<Bytes>>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(io).await?;
    tokio::task::spawn_local(async move {
        // What goes wrong is told by the request.
        let _ = connection.await;
    });
    Ok(sender)
}

impl Peer for Hyper {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        let shared = Rc::clone(&self.shared);
        self.tasks.spawn_local(async move {
            let outcome = shared.fetch(ask).await;
            shared.tell(Piece::Done(outcome));
        });
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        let (shared, budget) = (Rc::clone(&self.shared), self.budget);
        let turns = async move {
            let began = Instant::now();
            let mut quiet = 0;
            while quiet < QUIET_TURNS {
                let before = shared.happened.get();
                tokio::task::yield_now().await;
                quiet = if shared.happened.get() == before {
                    quiet + 1
                } else {
                    0
                };
                if budget.is_some_and(|budget| began.elapsed() >= budget) {
                    break;
                }
            }
        };
        self.tasks.block_on(&self.runtime, turns);
        self.take(seen)
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        if self.shared.pieces.borrow().is_empty() {
            let shared = Rc::clone(&self.shared);
            self.tasks
                .block_on(&self.runtime, async move { shared.news.notified().await });
        }
        self.take(seen)
    }

    fn release(&mut self) {
        self.shared.kept.borrow_mut().clear();
    }
}
