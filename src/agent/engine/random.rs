//! Random numbers for jitter and keys: those of the operating system. On an in-memory network they come
//! from a sequence that is the same in each run, as everything there is.

use crate::error::{Error, ErrorKind, NetworkFault};
use crate::random::SplitMix64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Random {
    numbers: SplitMix64,
    is_repeatable: bool,
}

impl Random {
    /// Seeded by the operating system.
    pub(super) fn system() -> Self {
        let mut seed = [0; 8];
        // Without a seed the jitter is that of other programs, and still jitter.
        let _ = getrandom::getrandom(&mut seed);
        Self {
            numbers: SplitMix64::new(u64::from_ne_bytes(seed)),
            is_repeatable: false,
        }
    }

    /// The same numbers for the same seed.
    pub(super) fn repeatable(seed: u64) -> Self {
        Self {
            numbers: SplitMix64::new(seed),
            is_repeatable: true,
        }
    }

    /// A number for jitter. It can be guessed.
    pub(super) fn next(&mut self) -> u64 {
        self.numbers.next()
    }

    /// Bytes for keys. They cannot be guessed, except on an in-memory network.
    pub(super) fn bytes(&mut self) -> Result<[u8; 16], Error> {
        let mut bytes = [0; 16];
        if self.is_repeatable {
            let numbers = [self.next(), self.next()];
            for (slot, byte) in bytes
                .iter_mut()
                .zip(numbers.into_iter().flat_map(u64::to_le_bytes))
            {
                *slot = byte;
            }
            return Ok(bytes);
        }
        getrandom::getrandom(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Network(NetworkFault::System)).with_source(error)
        })?;
        Ok(bytes)
    }
}
