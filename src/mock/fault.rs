//! Which faults a seed gives to which connection and request. What a fault does to a response is
//! [`MockResponse`]'s business.

use std::time::Duration;

use crate::random::SplitMix64;

/// How often what goes wrong, each from 0.0 (never) to 1.0 (always). The default is never.
///
/// At most one thing goes wrong with one request: the rates add up, and what is above 1.0 together
/// never happens. What happens depends on the seed, the number of the connection and the number of
/// the request on it alone, so one more request changes nothing for others.
///
/// ```
/// # use std::time::Duration;
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::mock::{FaultRates, MockServer};
///
/// let network = MemoryNetwork::new();
/// let server = MockServer::on(&network, "game.example", 80);
/// server.faults(42, FaultRates { reset: 0.1, delay: 0.3, ..FaultRates::default() });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultRates {
    /// A connection is refused.
    pub refuse: f64,
    /// The answer is `503 Service Unavailable` instead of the rule's.
    pub unavailable: f64,
    /// The answer never comes.
    pub silence: f64,
    /// The answer comes late, by up to `longest_delay`.
    pub delay: f64,
    /// The content comes in small pieces, over up to `longest_delay`.
    pub drip: f64,
    /// The connection is closed somewhere in the content.
    pub cut: f64,
    /// The connection is reset somewhere in the content.
    pub reset: f64,
    /// How long `delay` and `drip` may take. Default 5 seconds.
    pub longest_delay: Duration,
}

impl Default for FaultRates {
    fn default() -> Self {
        Self {
            refuse: 0.0,
            unavailable: 0.0,
            silence: 0.0,
            delay: 0.0,
            drip: 0.0,
            cut: 0.0,
            reset: 0.0,
            longest_delay: Duration::from_secs(5),
        }
    }
}

/// What went wrong with one request by [`FaultRates`]. A [`MockStream`](super::MockStream) is cut or
/// reset before its first byte, and never drips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answered with 503.
    Unavailable,
    /// Never answered.
    Silence,
    /// Answered so much later.
    Delay(Duration),
    /// The content came in pieces of so many bytes, with these pauses.
    Drip(usize, Duration),
    /// Closed after so many bytes of content.
    Cut(usize),
    /// Reset after so many bytes of content.
    Reset(usize),
}

/// A seed and its rates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) seed: u64,
    pub(super) rates: FaultRates,
}

/// Tells the dice for opening a connection from those for its requests.
const OPENING: usize = usize::MAX;

impl Faults {
    pub(super) fn refuses(&self, connection: usize) -> bool {
        self.dice(connection, OPENING).fraction() < self.rates.refuse
    }

    /// What goes wrong with this request, whose answer has so much content.
    pub(super) fn draw(&self, connection: usize, number: usize, content: usize) -> Option<Fault> {
        let mut dice = self.dice(connection, number);
        let rates = &self.rates;
        let mut rest = dice.fraction();
        let mut falls = |rate: f64| {
            let hit = (0.0..rate).contains(&rest);
            rest -= rate.max(0.0);
            hit
        };
        if falls(rates.unavailable) {
            Some(Fault::Unavailable)
        } else if falls(rates.silence) {
            Some(Fault::Silence)
        } else if falls(rates.delay) {
            Some(Fault::Delay(part(&mut dice, rates.longest_delay)))
        } else if falls(rates.drip) {
            let pieces = u32::try_from(2 + dice.below(6)).unwrap_or(2);
            let bytes = content.div_ceil(pieces as usize).max(1);
            Some(Fault::Drip(
                bytes,
                part(&mut dice, rates.longest_delay) / pieces,
            ))
        } else if falls(rates.cut) {
            Some(Fault::Cut(dice.below(content)))
        } else if falls(rates.reset) {
            Some(Fault::Reset(dice.below(content)))
        } else {
            None
        }
    }

    fn dice(&self, connection: usize, number: usize) -> SplitMix64 {
        let mut dice = SplitMix64::new(self.seed);
        for salt in [connection, number] {
            dice = SplitMix64::new(dice.next() ^ salt as u64);
        }
        dice
    }
}

/// From nothing to all of `longest`, in steps of a thousandth.
fn part(random: &mut SplitMix64, longest: Duration) -> Duration {
    let thousandths = random.below(1001);
    longest.saturating_mul(u32::try_from(thousandths).unwrap_or(0)) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seed: u64, rates: FaultRates) -> Faults {
        Faults { seed, rates }
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let rates = FaultRates {
            refuse: 0.3,
            unavailable: 0.1,
            silence: 0.1,
            delay: 0.1,
            drip: 0.1,
            cut: 0.1,
            reset: 0.1,
            ..FaultRates::default()
        };
        let all = |seed| -> Vec<_> {
            (0..40)
                .map(|i| {
                    (
                        faults(seed, rates).refuses(i),
                        faults(seed, rates).draw(i, 1, 100),
                    )
                })
                .collect()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
    }

    #[test]
    fn rates_are_kept() {
        let never = faults(1, FaultRates::default());
        let always = faults(
            1,
            FaultRates {
                refuse: 1.0,
                cut: 1.0,
                reset: 1.0,
                ..FaultRates::default()
            },
        );
        let half = faults(
            1,
            FaultRates {
                cut: 0.25,
                reset: 0.25,
                ..FaultRates::default()
            },
        );
        let (mut cuts, mut resets) = (0, 0);
        for number in 0..1000 {
            assert_eq!(never.draw(0, number, 10), None);
            assert!(!never.refuses(number) && always.refuses(number));
            assert!(matches!(
                always.draw(0, number, 10),
                Some(Fault::Cut(0..10))
            ));
            match half.draw(0, number, 0) {
                Some(Fault::Cut(0)) => cuts += 1,
                Some(Fault::Reset(0)) => resets += 1,
                other => assert_eq!(other, None),
            }
        }
        assert!((150..350).contains(&cuts) && (150..350).contains(&resets));
    }

    #[test]
    fn nonsense_rates_do_no_harm() {
        let rates = FaultRates {
            refuse: f64::NAN,
            unavailable: -1.0,
            cut: f64::NAN,
            delay: f64::INFINITY,
            longest_delay: Duration::MAX,
            ..FaultRates::default()
        };
        assert!(!faults(7, rates).refuses(0));
        assert!(matches!(
            faults(7, rates).draw(0, 0, 9),
            Some(Fault::Delay(_))
        ));
    }
}
