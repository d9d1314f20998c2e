//! The number that names a request, and tables keyed by it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// The id of a request. An agent never uses an id twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// From here on, ids are those of requests that the engine sends on its own account.
const FIRST_OF_ENGINE: u64 = 1 << 63;

impl RequestId {
    /// The id of a request that the engine sends on its own account.
    #[cfg(feature = "cache")]
    pub(crate) fn of_engine(number: u64) -> Self {
        Self(FIRST_OF_ENGINE | number)
    }

    /// Whether the engine sent the request on its own account. The caller sees no events of it.
    pub(crate) fn is_of_engine(self) -> bool {
        self.0 >= FIRST_OF_ENGINE
    }
}

/// The hash of request ids. The agent counts them, so no peer can choose ids that collide.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpreadIds(u64);

impl Hasher for SpreadIds {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // Fibonacci hashing: a difference in the low bits becomes one in the high bits.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table with a row per request.
pub(crate) type ById<T> = HashMap<RequestId, T, BuildHasherDefault<SpreadIds>>;

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
