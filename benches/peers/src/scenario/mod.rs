//! What is measured: each scenario drives one client and tells what that cost.

mod burst;
mod distant;
mod download;
mod fresh;
mod idle;
mod latency;
mod small;

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;
use crate::peer::{self, Peer, Setup};
use crate::report::Metrics;

/// One table.
pub struct Scenario {
    pub name: String,
    pub title: String,
    /// The first is what ratios are to.
    pub peers: Vec<&'static str>,
    /// More rounds than this tell nothing new, and each takes long.
    pub most_rounds: usize,
    pub run: Box<dyn Fn(&Context) -> Outcome<Metrics>>,
}

/// What a run finds.
pub struct Context {
    pub peer: String,
    pub plain: u16,
    pub tls: u16,
    pub silent: u16,
    pub authority: PathBuf,
    /// Fewer of everything: whether it works, not how fast.
    pub quick: bool,
}

impl Context {
    /// The client of this run.
    pub fn client(&self, connections: usize, budget: Option<Duration>) -> Outcome<Box<dyn Peer>> {
        peer::of(&self.peer, &self.setup(connections, budget))
    }

    /// The same for one who waits for answers as long as it takes.
    pub fn patient_client(
        &self,
        connections: usize,
        budget: Option<Duration>,
    ) -> Outcome<Box<dyn Peer>> {
        let setup = Setup {
            waits_long: true,
            ..self.setup(connections, budget)
        };
        peer::of(&self.peer, &setup)
    }

    fn setup(&self, connections: usize, budget: Option<Duration>) -> Setup {
        Setup {
            authority: self.authority.clone(),
            connections,
            budget,
            waits_long: false,
        }
    }

    /// So many, or as few as are quick.
    pub fn times(&self, many: usize, quick: usize) -> usize {
        if self.quick { quick } else { many }
    }
}

/// MiB of the large file.
pub fn large_mebibytes(quick: bool) -> u64 {
    if quick { 32 } else { 256 }
}

pub fn all() -> Vec<Scenario> {
    let mut all = download::scenarios();
    all.extend(idle::scenarios());
    all.extend(burst::scenarios());
    all.extend(small::scenarios());
    all.extend(fresh::scenarios());
    all.extend(latency::scenarios());
    all.extend(distant::scenarios());
    all
}
