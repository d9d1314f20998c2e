//! httpoll's [`Agent`](httpoll::Agent), as a game uses it: the defaults, but for the number of
//! connections and the budget that the scenario names.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use httpoll::{
    Budget, Event, PollAt, Request, Response, Timeouts,
    agent::{PoolLimits, RequestOptions},
    budget::BusyPoll,
    tls::{TlsOptions, TlsVersion},
};

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;
use crate::nginx::PREFIX;

pub struct Agent {
    agent: httpoll::Agent,
    budget: Budget,
    manner: Manner,
    files: u64,
    saved: Vec<PathBuf>,
    kept: Vec<Response>,
}

/// What a row varies.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    /// One poll a frame.
    Plain,
    /// Polls and pulls by turns, until the budget of the frame is spent.
    PolledOn,
    /// Content goes to a file in memory.
    ToFile,
    /// Looks again over a whole exchange.
    Lingering(Duration),
    /// Driven on a thread of its own.
    OnThread,
    /// The same, and content goes to a file in memory.
    OnThreadToFile,
    /// With more connections to a distant host, whatever the scenario says.
    Burst,
}

impl Agent {
    pub fn new(setup: &Setup, manner: Manner) -> Outcome<Self> {
        let mut pool = PoolLimits::default();
        pool.per_host = setup.connections;
        pool.total = setup.connections.max(pool.total);
        if manner == Manner::Burst {
            pool = PoolLimits::burst();
        }
        let mut budget = match setup.budget {
            Some(time) => Budget::frame(time),
            None => Budget::unlimited(),
        };
        if let Manner::Lingering(time) = manner {
            budget = budget.with_busy_poll(BusyPoll::Exchange(time));
        }
        let mut timeouts = Timeouts::default();
        if setup.waits_long {
            timeouts.head = None;
        }
        Ok(Self {
            agent: httpoll::Agent::builder()
                .defaults(RequestOptions::new().timeouts(timeouts).tls(tls(setup)?))
                .pool(pool)
                .budget(budget.clone())
                .on_thread(matches!(manner, Manner::OnThread | Manner::OnThreadToFile))
                .build(),
            budget,
            manner,
            files: 0,
            saved: Vec::new(),
            kept: Vec::new(),
        })
    }

    fn file(&self) -> PathBuf {
        let folder = PathBuf::from("/dev/shm");
        let folder = if folder.is_dir() {
            folder
        } else {
            std::env::temp_dir()
        };
        folder.join(format!("{PREFIX}{}-{}", std::process::id(), self.files))
    }

    fn pull(&mut self, seen: &mut Seen) -> Outcome<bool> {
        let mut anything = false;
        while let Some(event) = self.agent.next_event() {
            anything = true;
            match event {
                Event::Chunk { bytes, .. } => seen.bytes += bytes.len() as u64,
                Event::Done { response, .. } => {
                    if response.status() != 200 {
                        return Err(format!("{}", response.status()).into());
                    }
                    seen.done += 1;
                    seen.bytes += response.body().len() as u64;
                    if let Some(file) = response.saved() {
                        seen.bytes += file.bytes;
                        self.saved.push(file.path.clone());
                    }
                    if !response.body().is_empty() {
                        self.kept.push(*response);
                    }
                }
                Event::Failed { error, .. } => return Err(error.into()),
                _ => {}
            }
        }
        Ok(anything)
    }
}

/// TLS 1.3 with the private authority only, without resumption.
pub fn tls(setup: &Setup) -> Outcome<TlsOptions> {
    Ok(TlsOptions::builder()
        .trusted_chain_pem(&setup.authority_pem()?)
        .min_version(TlsVersion::Tls13)
        .resumption(false)
        .build()?)
}

impl Peer for Agent {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        let mut request = Request::get(ask.url.as_str());
        if matches!(self.manner, Manner::ToFile | Manner::OnThreadToFile) {
            self.files += 1;
            request = request.download_to(self.file());
        } else if !ask.keeps {
            request = request.stream();
        }
        if ask.closes {
            request = request.header("Connection", "close");
        }
        self.agent.send(request)?.detach();
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        if self.manner != Manner::PolledOn {
            self.agent.poll();
            self.pull(seen)?;
            return Ok(());
        }
        let began = Instant::now();
        let mut budget = self.budget.clone();
        loop {
            let polled = self.agent.poll_with(&budget);
            let pulled = self.pull(seen)?;
            if !pulled && polled.next != PollAt::Now {
                return Ok(());
            }
            if let Some(time) = self.budget.time {
                let Some(left) = time.checked_sub(began.elapsed()) else {
                    return Ok(());
                };
                budget.time = Some(left);
            }
        }
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        self.agent.wait(Some(Duration::from_secs(10)));
        self.pull(seen)?;
        Ok(())
    }

    fn release(&mut self) {
        self.kept.clear();
        // Freeing a large file takes milliseconds, which are not the client's.
        for path in self.saved.drain(..) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.release();
    }
}
