//! The whole world in one process: a game with our agent and our nodes, and our server, over one network
//! in memory. A seed decides about everything: what is asked and how it is answered, latency, short reads
//! and writes, in which order sockets are reported ready, where connections break, frames that come late
//! or not at all, budgets, and what the player and the server's owner do meanwhile.
//!
//! Whatever happens: each request ends once, at the agent, at the node and at the server; what is
//! delivered is what a handler sent; files are whole or absent; nothing stays open, nobody waits for
//! anything at the end, and the same seed tells the same again. In calm runs nothing may fail either.

#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod seeded;
mod world_simulation {
    pub(crate) mod asks;
    pub(crate) mod desk;
    pub(crate) mod house;
    pub(crate) mod ledger;
    pub(crate) mod node;
    pub(crate) mod player;
    pub(crate) mod run;
}

use world_simulation::run::run;

/// Every tenth run is done twice and compared.
#[test]
fn every_request_ends_once_on_both_sides_and_leaves_nothing_behind() {
    seeded::run_seeds(1..1001, 10, run);
}
