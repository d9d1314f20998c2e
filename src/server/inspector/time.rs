//! Times as the page shows them.

use std::time::Duration;

/// Milliseconds with three decimal places.
pub(in crate::server) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
