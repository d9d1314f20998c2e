//! A transfer's place among those that wait for shared bandwidth.

use crate::agent::settings::Priority;

/// See the module's documentation. The smallest key has its turn first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueKey {
    pub(crate) priority: Priority,
    pub(crate) turn: u64,
}
