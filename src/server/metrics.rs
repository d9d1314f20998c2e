//! [`Metrics`]: counters of what a server has done so far.

/// Counters since the server was made, and the number of connections that are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were closed at once because there were too many.
    pub refused: u64,
    /// Connections that are open now.
    pub open: usize,
    /// Requests that were handed to handlers or to the caller.
    pub requests: u64,
    /// Responses by the first digit of their status: 1xx at index 0 to 5xx and above at 4.
    pub responses: [u64; 5],
    /// Bytes of HTTP received.
    pub bytes_received: u64,
    /// Bytes of HTTP sent.
    pub bytes_sent: u64,
    /// Faults that were reported to `on_error`.
    pub faults: u64,
}

impl Metrics {
    pub(super) fn count_response(&mut self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.responses[class] += 1;
    }
}
