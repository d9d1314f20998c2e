//! The recent cost of steps that cannot be cut. With it a poll does not start a step that does not fit into
//! its budget. The code that does the work measures it.

use std::time::Duration;

use crate::clock::Instant;
use crate::transport::meter::BudgetMeter;

/// The recent cost of one kind of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost(Duration);

/// The pieces of a TLS handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandshakeCosts {
    /// Making a client's hello, mainly its keys.
    pub(crate) hello: Cost,
    /// Processing the peer's flight, mainly certificates and signatures.
    pub(crate) flight: Cost,
}

impl Cost {
    /// An estimate, for the time before the first measurement.
    pub(crate) const fn guessed(micros: u64) -> Self {
        Self(Duration::from_micros(micros))
    }

    /// The expected time.
    pub(crate) fn expected(self) -> Duration {
        self.0
    }

    /// Learns from one step that took `time`. A step that the system interrupted takes many times as long
    /// and says little, so one step at most doubles the expected time.
    pub(crate) fn learn(&mut self, time: Duration) {
        let seen = time.min(self.0 * 2).max(LEAST);
        self.0 = if seen > self.0 {
            self.0 + (seen - self.0) / 2
        } else {
            self.0 - (self.0 - seen) / 4
        };
    }
}

/// After this many polls with too little time for a step, or after this long, the step starts however little is left,
/// so that no connection starves. The time matters when many connections wait, so that some polls do not
/// reach this one.
const MAX_DEFERRALS: u8 = 8;
const MAX_DEFERRED: Duration = Duration::from_millis(100);

/// For how long there was too little time for the next step of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deferrals {
    polls: u8,
    /// The start of the first and of the last poll that had too little time. A poll gives a connection several turns.
    polled: Option<(Instant, Instant)>,
}

impl Deferrals {
    /// Whether a step of this cost may start now.
    pub(crate) fn may_start(&mut self, cost: Cost, meter: &mut BudgetMeter) -> bool {
        let poll = meter.started();
        let (first, last) = *self.polled.get_or_insert((poll, poll));
        let is_long = poll.saturating_duration_since(first) >= MAX_DEFERRED;
        if self.polls >= MAX_DEFERRALS || is_long || meter.can_start(cost.expected()) {
            *self = Self::default();
            return true;
        }
        if self.polls == 0 || last != poll {
            self.polls += 1;
            self.polled = Some((first, poll));
        }
        false
    }
}

impl Default for HandshakeCosts {
    fn default() -> Self {
        Self {
            hello: Cost::guessed(100),
            flight: Cost::guessed(300),
        }
    }
}

/// Shorter steps are never deferred.
const LEAST: Duration = Duration::from_micros(5);

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn the_cost_follows_the_measurements() {
        for seen in [us(20), us(300), us(900)] {
            let mut cost = Cost::guessed(300);
            for _ in 0..30 {
                cost.learn(seen);
            }
            assert!(cost.expected().abs_diff(seen) <= us(1), "{cost:?}");
        }
    }

    #[test]
    fn one_interrupted_step_at_most_doubles_the_cost() {
        let mut cost = Cost::guessed(300);
        cost.learn(Duration::from_secs(5));
        assert_eq!(cost.expected(), us(450));
        for _ in 0..6 {
            cost.learn(us(300));
        }
        assert!(cost.expected() < us(330));
    }

    #[test]
    fn the_cost_never_becomes_zero_and_can_grow_again() {
        let mut cost = Cost::guessed(300);
        for _ in 0..100 {
            cost.learn(Duration::ZERO);
        }
        assert!(cost.expected() >= us(1));
        for _ in 0..100 {
            cost.learn(us(400));
        }
        assert!(cost.expected() > us(390));
    }
}
