//! A seeded simulation of the agent: random requests to servers with random faults over a random
//! network, in a random frame loop, while a player cancels, pauses, hurries and suspends at random.
//!
//! Whatever happens, each request that was not cancelled ends once, and nothing is told of it behind
//! its end; what is delivered is what the server has; files are whole or absent; nothing stays open;
//! the limits of the pool hold; the agent comes to rest; and the same seed tells the same again. In
//! calm runs, where nothing goes wrong, nothing may fail either. A failure names its seed for [`run`].

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod agent_simulation {
    pub(crate) mod client_driver;
    pub(crate) mod servers;
}

mod seeded;

use agent_simulation::client_driver::run;

/// Every fifth run is done twice and compared.
#[test]
fn each_request_ends_once_and_leaves_nothing_behind() {
    seeded::run_seeds(1..2001, 5, run);
}
