//! What seeded runs share: numbers from a seed, content that can be recognised, and the loop over seeds.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::ops::Range;

/// Xorshift: the same numbers for the same seed, everywhere.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half: the lowest bits of a xorshift are its weakest.
        ((self.0 >> 32) % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Another source of numbers, for somebody who draws on their own.
    pub(crate) fn branch(&mut self) -> Self {
        Self::new(self.below(1 << 30) as u64)
    }
}

/// Content that tells which it is, and where a piece of it belongs.
pub(crate) fn content(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number * 31 + at / 3) as u8).collect()
}

/// Runs each seed, some of them twice: the same must be told again. `HTTPOLL_SEEDS=first..end` takes
/// other seeds.
pub(crate) fn run_seeds(seeds: Range<u64>, twice: u64, run: fn(u64) -> Vec<String>) {
    let mut seeds = seeds;
    if let Ok(given) = std::env::var("HTTPOLL_SEEDS") {
        let (first, end) = given.split_once("..").unwrap();
        seeds = first.parse().unwrap()..end.parse().unwrap();
    }
    let mut failed = Vec::new();
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let told = run(seed);
            if seed % twice == 0 {
                compare(&told, &run(seed));
            }
        });
        if outcome.is_err() {
            eprintln!(
                "seed {seed} failed; to repeat it: HTTPOLL_SEEDS={seed}..{}",
                seed + 1
            );
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
