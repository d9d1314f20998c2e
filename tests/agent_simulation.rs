//! A seeded simulation of the agent: random requests to servers with random faults over a random
//! network, in a random frame loop, while a player cancels, pauses, changes priorities and suspends.
//!
//! Whatever happens: each request that was not cancelled ends once, and no event of it follows its end.
//! Delivered content is what the server has, in one of its versions. Files are whole or absent. Now and then
//! the game is killed; then downloads continue from their last checkpoint, and a kill costs no more than the
//! documentation says. Nothing stays open, the limits of
//! the pool hold, the agent comes to rest, and the same seed reports the same events again. In calm runs,
//! where nothing goes wrong, nothing may fail either. A failure names its seed for [`run`].

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod agent_simulation {
    pub(crate) mod checks;
    pub(crate) mod client_driver;
    #[cfg(unix)]
    pub(crate) mod kills;
    pub(crate) mod network;
    pub(crate) mod requests;
    pub(crate) mod servers;
}

mod seeded;

use agent_simulation::client_driver::run;

/// Every fifth run is done twice and compared.
#[test]
fn each_request_ends_once_and_leaves_nothing_behind() {
    seeded::run_seeds(1..2001, 5, run);
}
