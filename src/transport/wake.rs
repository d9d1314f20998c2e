//! What ends a sleep from another thread.

use std::sync::Arc;

/// Ends the sleep of the machine that it was made for; the next sleep, if that machine is awake. May be
/// called on any thread, and at any time: once the machine is gone, it does nothing.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;
