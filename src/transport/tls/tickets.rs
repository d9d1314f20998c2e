//! How many session tickets a server may send at once (RFC 8446 §4.6.1). rustls computes a key for each and has no
//! limit. One record of 16 KiB has room for 900, which takes some milliseconds and cannot be divided, because rustls
//! processes all messages of a record at once.
//!
//! rustls reads its clock once for each ticket, and fails the connection if the clock has no time. So our clock counts
//! how often it is read, and fails at the limit.

use std::cell::Cell;

/// How many tickets may follow one another without content between them. Servers send one to four.
pub(super) const MOST_TICKETS: u32 = 32;

thread_local! {
    /// What is left for the session that this thread is driving; `None` if it drives none. One configuration serves
    /// many sessions, so its clock does not know for which of them it is asked.
    static TICKETS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Lets `work` drive one session, for which `left` tickets are left.
pub(super) fn limited<T>(left: &mut u32, work: impl FnOnce() -> T) -> T {
    TICKETS_LEFT.set(Some(*left));
    let result = work();
    if let Some(rest) = TICKETS_LEFT.take() {
        *left = rest;
    }
    result
}

/// Content arrived: the limit begins anew.
pub(super) fn note_content() {
    TICKETS_LEFT.set(Some(MOST_TICKETS));
}

/// Counts one ticket. `false` if it is one too many. Handshakes ask for the time, too, but only once or twice.
pub(super) fn count_one() -> bool {
    match TICKETS_LEFT.get() {
        None => true,
        Some(0) => false,
        Some(left) => {
            TICKETS_LEFT.set(Some(left - 1));
            true
        }
    }
}
