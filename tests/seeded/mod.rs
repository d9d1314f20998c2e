//! What seeded runs share: numbers from a seed, content that can be recognised, a reader that hesitates, a
//! folder, and the loop over seeds.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

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

    /// An independent source of numbers.
    pub(crate) fn branch(&mut self) -> Self {
        Self::new(self.below(1 << 30) as u64)
    }
}

/// Content that shows which request it belongs to, and where in it a piece belongs.
pub(crate) fn content(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number * 31 + at / 3) as u8).collect()
}

/// Runs each seed, and every `twice`th again: both runs must report the same. `HTTPOLL_SEEDS=first..end` takes
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
            let log = run(seed);
            if seed % twice == 0 {
                compare(&log, &run(seed));
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

fn compare(log: &[String], again: &[String]) {
    for (at, (one, other)) in log.iter().zip(again).enumerate() {
        let before = log[at.saturating_sub(8)..at].join("\n");
        assert_eq!(one, other, "event {at}, after\n{before}");
    }
    assert_eq!(log.len(), again.len());
}

/// A reader that gives its content in pieces, and sometimes has nothing yet.
pub(crate) struct HesitantReader {
    content: Vec<u8>,
    random: Random,
}

impl HesitantReader {
    pub(crate) fn new(content: &[u8], random: Random) -> Self {
        Self {
            content: content.to_vec(),
            random,
        }
    }
}

impl Read for HesitantReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.random.one_in(4) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = into.len().min(self.content.len());
        let count = most.min(1 + self.random.below(5000));
        into[..count].copy_from_slice(&self.content[..count]);
        self.content.drain(..count);
        Ok(count)
    }
}

/// A folder for one run, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(simulation: &str, seed: u64) -> Self {
        let name = format!("httpoll-{simulation}-{}-{seed}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
