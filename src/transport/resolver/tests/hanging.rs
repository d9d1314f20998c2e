//! Lookups that take long, and the later ones of the same name.

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::workers::{MAX_JOINED, MAX_OF_ONE_NAME};
use super::super::{Lookup, Resolver};
use super::{Duration, Instant, NET, ip, unresolved, waker};

/// A resolver whose lookups each have a gate of their own, in the order in which they began.
struct Attempts {
    resolver: Resolver,
    began: Receiver<()>,
    gates: Vec<Sender<io::Result<Vec<IpAddr>>>>,
}

impl Attempts {
    fn new() -> Self {
        let (began_sender, began) = channel();
        let (gates, answers): (Vec<_>, Vec<_>) = (0..MAX_OF_ONE_NAME)
            .map(|_| {
                let (gate, answer) = channel();
                (gate, Mutex::new(answer))
            })
            .unzip();
        let state = Mutex::new((0, began_sender));
        let resolver = Resolver::with_lookup(move |_| {
            let number = {
                let (count, began) = &mut *state.lock().unwrap();
                *count += 1;
                let _ = began.send(());
                *count - 1
            };
            let answer: &Mutex<Receiver<io::Result<Vec<IpAddr>>>> = &answers[number];
            answer.lock().unwrap().recv_timeout(NET).unwrap()
        });
        Self {
            resolver,
            began,
            gates,
        }
    }

    fn look(&self, at: Instant) -> (Lookup, Receiver<()>) {
        let (wake, woken) = waker();
        (self.resolver.lookup("slow.test", at, wake), woken)
    }

    /// Lookups of one name, each after the one before seemed to hang.
    fn retried(&self, now: Instant, count: usize) -> Vec<(Lookup, Receiver<()>)> {
        let attempt = |number| {
            let lookup = self.look(now + number as u32 * MAX_JOINED);
            self.began.recv_timeout(NET).unwrap();
            lookup
        };
        (0..count).map(attempt).collect()
    }
}

#[test]
fn a_lookup_that_seems_to_hang_is_not_joined() {
    let test = Attempts::new();
    let now = Instant::now();
    let (first, first_woken) = test.retried(now, 1).remove(0);
    let (joined, _) = test.look(now + MAX_JOINED - Duration::from_millis(1));
    assert_eq!(test.resolver.0.lock().threads, 1);

    let later = now + MAX_JOINED;
    let (second, second_woken) = test.retried(later, 1).remove(0);
    let (also_joined, _) = test.look(later);
    assert_eq!(test.resolver.0.lock().threads, 2);

    // The failure of the first is not that of the second.
    test.gates[0].send(Err(io::Error::other("no"))).unwrap();
    first_woken.recv_timeout(NET).unwrap();
    assert_eq!(unresolved(first.poll(later).unwrap()), "no");
    assert_eq!(unresolved(joined.poll(later).unwrap()), "no");
    assert!(second.poll(later).is_none());
    test.gates[1].send(Ok(vec![ip("192.0.2.1")])).unwrap();
    second_woken.recv_timeout(NET).unwrap();
    assert!(second.poll(later).unwrap().is_ok());
    assert!(also_joined.poll(later).unwrap().is_ok());
    let (cached, _) = test.look(later);
    assert!(cached.poll(later).unwrap().is_ok());
}

#[test]
fn a_retry_succeeds_while_the_lookup_before_it_still_hangs() {
    let test = Attempts::new();
    let now = Instant::now();
    let hung = test.retried(now, 1);
    // Its request has ended by its timeout.
    drop(hung);
    let (retry, woken) = test.retried(now + MAX_JOINED, 1).remove(0);
    test.gates[1].send(Ok(vec![ip("192.0.2.1")])).unwrap();
    woken.recv_timeout(NET).unwrap();
    assert!(retry.poll(now + MAX_JOINED).unwrap().is_ok());
}

#[test]
fn addresses_of_an_earlier_lookup_count_for_the_later_ones_of_its_name() {
    let test = Attempts::new();
    let now = Instant::now();
    let lookups = test.retried(now, MAX_OF_ONE_NAME);
    test.gates[0].send(Ok(vec![ip("192.0.2.1")])).unwrap();
    for (lookup, woken) in &lookups {
        woken.recv_timeout(NET).unwrap();
        assert_eq!(&*lookup.poll(now).unwrap().unwrap(), [ip("192.0.2.1")]);
    }
}

#[test]
fn a_name_that_hangs_uses_up_few_threads() {
    let test = Attempts::new();
    let now = Instant::now();
    let mut lookups = test.retried(now, MAX_OF_ONE_NAME);
    // Whether their callers wait or not.
    lookups.pop();
    for number in 0..100 {
        let at = now + (10 + number) * MAX_JOINED;
        assert!(test.look(at).0.poll(at).is_none());
    }
    let state = test.resolver.0.lock();
    assert_eq!((state.threads, state.queue.len()), (MAX_OF_ONE_NAME, 0));
}

#[test]
fn addresses_from_before_the_cache_was_cleared_are_not_used_after_it() {
    let test = Attempts::new();
    let now = Instant::now();
    let (first, first_woken) = test.retried(now, 1).remove(0);
    test.resolver.clear_cache();
    let later = now + MAX_JOINED;
    let (second, _) = test.retried(later, 1).remove(0);
    test.gates[0].send(Ok(vec![ip("192.0.2.1")])).unwrap();
    first_woken.recv_timeout(NET).unwrap();
    assert!(first.poll(later).unwrap().is_ok());
    assert!(second.poll(later).is_none());
}
