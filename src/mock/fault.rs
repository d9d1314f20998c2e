//! Chooses faults for connections and requests from a seed. [`MockResponse`](super::MockResponse)
//! applies a fault to a response.

use std::time::Duration;

use crate::random::SplitMix64;

/// How often each fault happens, from 0.0 (never) to 1.0 (always). Default: never.
///
/// At most one fault happens to one request: the rates add up, in the order of the fields, and faults
/// beyond a sum of 1.0 never happen. A fault depends only on the seed, the number of the connection
/// and the number of the request on it, so an additional request changes nothing for others.
///
/// ```
/// # use std::time::Duration;
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::mock::{FaultRates, MockServer};
///
/// let network = MemoryNetwork::new();
/// let server = MockServer::on(&network, "game.example", 80);
/// let rates = FaultRates::with(|it| {
///     it.reset = 0.1;
///     it.delay = 0.3;
/// });
/// server.faults(42, rates);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FaultRates {
    /// A connection is refused.
    pub refuse: f64,
    /// The response is `503 Service Unavailable` instead of the rule's.
    pub unavailable: f64,
    /// No response is sent.
    pub silence: f64,
    /// The response is late by up to `longest_delay`.
    pub delay: f64,
    /// The content is sent in small pieces, over up to `longest_delay`.
    pub drip: f64,
    /// The connection is closed somewhere in the content.
    pub cut: f64,
    /// The connection is reset somewhere in the content.
    pub reset: f64,
    /// How long `delay` and `drip` may take. Default 5 seconds.
    pub longest_delay: Duration,
}

impl FaultRates {
    /// The default rates with some changed: `FaultRates::with(|it| it.cut = 0.1)`.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut rates = Self::default();
        change(&mut rates);
        rates
    }
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

/// The fault that [`FaultRates`] caused for one request. A [`MockStream`](super::MockStream) is cut
/// or reset before its first byte, and never drips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The response was a 503.
    Unavailable,
    /// No response was sent.
    Silence,
    /// The response was this much later.
    Delay(Duration),
    /// The content was sent in pieces of this many bytes, with this pause between them.
    Drip(usize, Duration),
    /// The connection was closed after this many bytes of content.
    Cut(usize),
    /// The connection was reset after this many bytes of content.
    Reset(usize),
}

/// A seed and its rates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) seed: u64,
    pub(super) rates: FaultRates,
}

/// Separates the random numbers for opening a connection from those for its requests.
const OPENING: usize = usize::MAX;

impl Faults {
    pub(super) fn refuses(&self, connection: usize) -> bool {
        self.random(connection, OPENING).fraction() < self.rates.refuse
    }

    /// The fault for this request, whose response has `content` bytes.
    pub(super) fn draw(&self, connection: usize, number: usize, content: usize) -> Option<Fault> {
        let mut random = self.random(connection, number);
        let rates = &self.rates;
        let mut rest = random.fraction();
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
            Some(Fault::Delay(part(&mut random, rates.longest_delay)))
        } else if falls(rates.drip) {
            let pieces = u32::try_from(2 + random.below(6)).unwrap_or(2);
            let bytes = content.div_ceil(pieces as usize).max(1);
            Some(Fault::Drip(
                bytes,
                part(&mut random, rates.longest_delay) / pieces,
            ))
        } else if falls(rates.cut) {
            Some(Fault::Cut(random.below(content)))
        } else if falls(rates.reset) {
            Some(Fault::Reset(random.below(content)))
        } else {
            None
        }
    }

    fn random(&self, connection: usize, number: usize) -> SplitMix64 {
        let mut random = SplitMix64::new(self.seed);
        for salt in [connection, number] {
            random = SplitMix64::new(random.next() ^ salt as u64);
        }
        random
    }
}

/// A duration from zero to `longest`, in steps of a thousandth.
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
    fn faults_happen_at_their_rates() {
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
    fn invalid_rates_do_no_harm() {
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
