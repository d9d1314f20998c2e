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
    pub(crate) mod player;
    pub(crate) mod servers;
}

use agent_simulation::player::run;

/// Runs by default. `HTTPOLL_SEEDS=first..end` takes others.
const SEEDS: std::ops::Range<u64> = 1..2001;

/// Every so many runs are done twice and compared.
const TWICE: u64 = 5;

#[test]
fn each_request_ends_once_and_leaves_nothing_behind() {
    let mut seeds = SEEDS;
    if let Ok(given) = std::env::var("HTTPOLL_SEEDS") {
        let (first, end) = given.split_once("..").unwrap();
        seeds = first.parse().unwrap()..end.parse().unwrap();
    }
    let mut failed = Vec::new();
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let told = run(seed);
            if seed % TWICE == 0 {
                compare(&told, &run(seed));
            }
        });
        if outcome.is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?}");
}

fn compare(told: &[String], again: &[String]) {
    for (at, (one, other)) in told.iter().zip(again).enumerate() {
        let before = told[at.saturating_sub(8)..at].join("\n");
        assert_eq!(one, other, "event {at}, behind\n{before}");
    }
    assert_eq!(told.len(), again.len());
}
