//! Decides which address to try when (RFC 8305, "Happy Eyeballs"), without sockets.
//!
//! Address families alternate, starting with the family of the resolver's first address. An attempt
//! starts a fixed time after the previous one, or at once when one fails. The first to connect wins,
//! and the caller drops the others.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::clock::Instant;

/// The addresses of one host that are still to be tried for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    stagger: Duration,
    next_at: Option<Instant>,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RaceStep {
    /// Start an attempt, then ask for the next step.
    Start(SocketAddr),
    /// Another attempt starts at this time, unless one connects or fails before.
    WaitUntil(Instant),
    /// All addresses were tried: the running attempts decide.
    Exhausted,
}

impl Race {
    /// A race between `addresses`, in the resolver's order.
    pub(crate) fn new(addresses: &[IpAddr], port: u16, stagger: Duration) -> Self {
        let mut unique = Vec::<IpAddr>::with_capacity(addresses.len());
        for address in addresses {
            if !unique.contains(address) {
                unique.push(*address);
            }
        }
        let v6_first = unique.first().is_some_and(IpAddr::is_ipv6);
        let (first, second): (Vec<_>, Vec<_>) = unique
            .into_iter()
            .partition(|address| address.is_ipv6() == v6_first);
        let mut waiting = VecDeque::with_capacity(first.len() + second.len());
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        loop {
            let pair = [first.next(), second.next()];
            if pair == [None, None] {
                break;
            }
            waiting.extend(
                pair.into_iter()
                    .flatten()
                    .map(|ip| SocketAddr::new(ip, port)),
            );
        }
        Self {
            waiting,
            stagger,
            next_at: None,
        }
    }

    /// What to do at `now`. Each address is returned once.
    pub(crate) fn next(&mut self, now: Instant) -> RaceStep {
        if let Some(at) = self.next_at
            && now < at
            && !self.waiting.is_empty()
        {
            return RaceStep::WaitUntil(at);
        }
        match self.waiting.pop_front() {
            Some(address) => {
                self.next_at = Some(now + self.stagger);
                RaceStep::Start(address)
            }
            None => RaceStep::Exhausted,
        }
    }

    /// An attempt failed: the next may start at once (RFC 8305 §5).
    pub(crate) fn failed(&mut self) {
        self.next_at = None;
    }

    /// When the result of [`next`](Self::next) changes by itself.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next_at.filter(|_| !self.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGGER: Duration = Duration::from_millis(250);

    fn race(addresses: &[&str]) -> Race {
        let addresses: Vec<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        Race::new(&addresses, 80, STAGGER)
    }

    /// The order in which all addresses are tried when each fails at once.
    fn order(addresses: &[&str]) -> Vec<String> {
        let mut race = race(addresses);
        let now = Instant::now();
        let mut order = Vec::new();
        while let RaceStep::Start(address) = race.next(now) {
            order.push(address.ip().to_string());
            race.failed();
        }
        order
    }

    #[test]
    fn families_alternate_and_duplicates_are_dropped() {
        for (addresses, tried) in [
            (&[][..], &[][..]),
            (&["1.1.1.1"], &["1.1.1.1"]),
            (&["::1", "::2", "1.1.1.1"], &["::1", "1.1.1.1", "::2"]),
            (
                &["1.1.1.1", "::1", "1.1.1.2", "::2"],
                &["1.1.1.1", "::1", "1.1.1.2", "::2"],
            ),
            (
                &["1.1.1.1", "1.1.1.2", "1.1.1.3", "::1"],
                &["1.1.1.1", "::1", "1.1.1.2", "1.1.1.3"],
            ),
            (&["::1", "::1", "1.1.1.1", "::1"], &["::1", "1.1.1.1"]),
        ] {
            assert_eq!(order(addresses), tried, "{addresses:?}");
        }
    }

    #[test]
    fn attempts_start_a_stagger_apart() {
        let mut race = race(&["::1", "1.1.1.1"]);
        let start = Instant::now();
        assert!(matches!(race.next(start), RaceStep::Start(_)));
        let second = start + STAGGER;
        assert_eq!(race.next(start), RaceStep::WaitUntil(second));
        assert_eq!(race.due(), Some(second));
        assert_eq!(
            race.next(second - Duration::from_nanos(1)),
            RaceStep::WaitUntil(second)
        );
        assert!(matches!(race.next(second), RaceStep::Start(_)));
        assert_eq!(race.next(second), RaceStep::Exhausted);
        assert_eq!(race.due(), None);
    }

    #[test]
    fn a_failure_starts_the_next_at_once() {
        let mut race = race(&["::1", "1.1.1.1", "::2"]);
        let now = Instant::now();
        assert!(matches!(race.next(now), RaceStep::Start(_)));
        race.failed();
        assert!(matches!(race.next(now), RaceStep::Start(_)));
        assert!(matches!(race.next(now), RaceStep::WaitUntil(_)));
    }
}
