//! The clock that the crate reads. It belongs here, and nowhere else, which type of the standard library's
//! has a working `now` on which target.
//!
//! Natively [`Instant`] is the standard library's. In a browser, where `std::time::Instant::now` panics, it
//! is that of the crate `web-time`, which reads `performance.now()`. Code that names `clock::Instant`
//! compiles on both.
//!
//! A time of day is a [`SystemTime`] of the standard library on every target, because HTTP
//! dates, cookies and caches calculate with it. Only reading it differs: [`system_time`].

#[cfg(not(target_family = "wasm"))]
pub use std::time::Instant;
use std::time::SystemTime;
#[cfg(target_family = "wasm")]
pub use web_time::Instant;

/// The time of day: `SystemTime::now()`, also in a browser.
///
/// ```
/// let before = std::time::SystemTime::now();
/// assert!(httpoll::clock::system_time() >= before);
/// ```
pub fn system_time() -> SystemTime {
    #[cfg(not(target_family = "wasm"))]
    return SystemTime::now();
    #[cfg(target_family = "wasm")]
    return web_time::SystemTime::now()
        .duration_since(web_time::SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .unwrap_or(SystemTime::UNIX_EPOCH);
}
