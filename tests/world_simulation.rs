//! Client and server in one process: a game with our agent and our nodes, and our server, over one
//! in-memory network. A seed decides about everything: requests and responses, latency, short reads and
//! writes, the order in which sockets become ready, where connections break, frames that come late or not
//! at all, budgets, and what the player and the server's owner do meanwhile.
//!
//! Whatever happens: each request ends once, at the agent, at the node and at the server. Delivered content
//! is what a handler sent. Files are whole or absent. At the end nothing is open and nothing waits, and the
//! same seed reports the same events again. In calm runs nothing may fail either.

#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod seeded;
mod world_simulation {
    pub(crate) mod client_driver;
    pub(crate) mod cuts;
    pub(crate) mod event_log;
    pub(crate) mod handlers;
    pub(crate) mod node;
    pub(crate) mod requests;
    pub(crate) mod run;
    pub(crate) mod test_server;
}

use httpoll::memory::Direction;
use world_simulation::cuts::{ALL, End, play};
use world_simulation::run::run;

/// Every tenth run is done twice and compared.
#[test]
fn every_request_ends_once_on_both_sides_and_leaves_nothing_behind() {
    seeded::run_seeds(1..1001, 10, run);
}

#[test]
fn an_exchange_that_is_cut_after_any_byte_is_whole_or_an_error() {
    for exchange in ALL {
        let (end, moved) = play(exchange, None);
        assert_eq!(end, End::Whole);
        for (direction, bytes) in [
            (Direction::ToServer, moved.to_server),
            (Direction::ToClient, moved.to_client),
        ] {
            let mut failed = 0;
            for cut in 0..=bytes {
                let (end, _) = play(exchange, Some((direction, cut)));
                failed += u64::from(end == End::Failed);
                let is_promised = exchange.may_repeat() || cut == 0;
                assert!(
                    end == End::Whole || !is_promised,
                    "{exchange:?} {direction:?} {cut}"
                );
            }
            assert!(failed > 0 || exchange.may_repeat(), "{exchange:?} {failed}");
        }
    }
}
