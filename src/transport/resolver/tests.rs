//! Lookups with a resolver of the tests' own. Gates are channels; the timeouts are a safety net
//! and never pass.

mod hanging;

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::workers::{MAX_CACHED, MAX_QUEUED, MAX_THREADS, MAX_WAIT, WORKERS};
use super::*;
use crate::error::{ErrorKind, NetworkFault};

const NET: Duration = Duration::from_secs(60);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn waker() -> (Wake, Receiver<()>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let wake = Arc::new(move || sender.lock().unwrap().send(()).unwrap_or_default());
    (wake, receiver)
}

/// The cause of a failed lookup.
fn unresolved(answer: Answer) -> String {
    let error = answer.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::Unresolved));
    std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
}

/// Looks up and waits for the answer.
fn resolve(resolver: &Resolver, host: &str, now: Instant) -> Answer {
    let (wake, woken) = waker();
    let lookup = resolver.lookup(host, now, wake);
    loop {
        if let Some(answer) = lookup.poll(now) {
            return answer;
        }
        woken.recv_timeout(NET).unwrap();
    }
}

/// A resolver that tells which names it was asked for, and answers when the gate says what.
struct Gated {
    resolver: Resolver,
    asked: Receiver<String>,
    gate: Sender<io::Result<Vec<IpAddr>>>,
}

fn gated() -> Gated {
    let (asked_sender, asked) = channel();
    let (gate, answers) = channel();
    let (asked_sender, answers) = (Mutex::new(asked_sender), Mutex::new(answers));
    let resolver = Resolver::with_lookup(move |host| {
        let _ = asked_sender.lock().unwrap().send(host.to_owned());
        let gate: &Mutex<Receiver<io::Result<Vec<IpAddr>>>> = &answers;
        gate.lock().unwrap().recv_timeout(NET).unwrap()
    });
    Gated {
        resolver,
        asked,
        gate,
    }
}

fn counting() -> (Resolver, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let resolver = Resolver::with_lookup(move |host| {
        counter.fetch_add(1, Ordering::SeqCst);
        match host {
            "bad.test" => Err(io::Error::other("no")),
            "none.test" => Ok(Vec::new()),
            "panic.test" => panic!("on purpose"),
            _ => Ok(vec![ip("192.0.2.1"), ip("2001:db8::1")]),
        }
    });
    (resolver, count)
}

fn kind(answer: Answer) -> ErrorKind {
    answer.unwrap_err().kind().clone()
}

#[test]
fn addresses_and_localhost_reach_no_worker() {
    let (resolver, asked) = counting();
    let now = Instant::now();
    let loopback: &[&str] = &["::1", "127.0.0.1"];
    let table: [(&str, &[&str]); 9] = [
        ("192.0.2.7", &["192.0.2.7"]),
        ("2001:db8::7", &["2001:db8::7"]),
        ("[2001:db8::7]", &["2001:db8::7"]),
        ("[::1]", &["::1"]),
        ("localhost", loopback),
        ("LocalHost.", loopback),
        ("game.localhost", loopback),
        ("a.b.LOCALHOST", loopback),
        ("127.0.0.1.", &["127.0.0.1"]),
    ];
    for (host, expected) in table {
        let lookup = resolver.lookup(host, now, waker().0);
        let expected: Vec<IpAddr> = expected.iter().map(|a| ip(a)).collect();
        assert_eq!(&*lookup.poll(now).unwrap().unwrap(), expected, "{host}");
    }
    for malformed in ["", ".", "[]", "fe80::1%eth0", "a:b", "a\0b"] {
        let answer = resolver.lookup(malformed, now, waker().0).poll(now);
        let expected = ErrorKind::Network(NetworkFault::Unresolved);
        assert_eq!(kind(answer.unwrap()), expected, "{malformed:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(resolver.0.lock().threads, 0);
}

#[test]
fn a_lookup_completes_later_and_wakes() {
    let gated = gated();
    let now = Instant::now();
    let (wake, woken) = waker();
    let lookup = gated.resolver.lookup("Example.TEST.", now, wake);
    assert_eq!(gated.asked.recv_timeout(NET).unwrap(), "example.test");
    assert!(lookup.poll(now).is_none());
    assert_eq!(lookup.due(), Some(now + MAX_WAIT));
    gated.gate.send(Ok(vec![ip("192.0.2.1")])).unwrap();
    woken.recv_timeout(NET).unwrap();
    assert_eq!(&*lookup.poll(now).unwrap().unwrap(), [ip("192.0.2.1")]);
    assert_eq!(&*lookup.poll(now).unwrap().unwrap(), [ip("192.0.2.1")]);
}

#[test]
fn running_lookups_are_shared_by_clones() {
    let gated = gated();
    let now = Instant::now();
    let (first_wake, first_woken) = waker();
    let (second_wake, second_woken) = waker();
    let first = gated.resolver.lookup("a.test", now, first_wake);
    let clone = gated.resolver.clone();
    let second = clone.lookup("A.test.", now, second_wake);
    gated.gate.send(Ok(vec![ip("192.0.2.1")])).unwrap();
    first_woken.recv_timeout(NET).unwrap();
    second_woken.recv_timeout(NET).unwrap();
    assert!(first.poll(now).unwrap().is_ok());
    assert!(second.poll(now).unwrap().is_ok());
    assert_eq!(gated.asked.try_iter().count(), 1);
}

#[test]
fn answers_and_failures_are_cached_for_their_time() {
    for (host, lifetime) in [("good.test", 60), ("bad.test", 5), ("none.test", 5)] {
        let (resolver, asked) = counting();
        let now = Instant::now();
        let first = resolve(&resolver, host, now);
        let almost = now + Duration::from_secs(lifetime) - Duration::from_millis(1);
        let again = resolver.lookup(host, almost, waker().0).poll(almost);
        assert_eq!(again.unwrap().is_ok(), first.is_ok());
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{host}");
        let _ = resolve(&resolver, host, now + Duration::from_secs(lifetime));
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{host}");
    }
}

#[test]
fn an_answers_age_counts_from_its_first_reading() {
    let gated = gated();
    let now = Instant::now();
    let later = now + Duration::from_secs(9);
    let (wake, woken) = waker();
    let lookup = gated.resolver.lookup("slow.test", now, wake);
    gated.gate.send(Err(io::Error::other("no"))).unwrap();
    woken.recv_timeout(NET).unwrap();
    assert_eq!(unresolved(lookup.poll(later).unwrap()), "no");
    let soon = later + Duration::from_secs(4);
    let again = gated.resolver.lookup("slow.test", soon, waker().0);
    assert_eq!(unresolved(again.poll(soon).unwrap()), "no");
}

#[test]
fn the_cache_is_bounded_and_can_be_cleared() {
    let (resolver, asked) = counting();
    let now = Instant::now();
    for n in 0..MAX_CACHED + 10 {
        let _ = resolve(&resolver, &format!("n{n}.test"), now);
        assert!(resolver.0.lock().entries.len() <= MAX_CACHED);
    }
    let before = asked.load(Ordering::SeqCst);
    let newest = format!("n{}.test", MAX_CACHED + 9);
    let _ = resolve(&resolver, &newest, now);
    assert_eq!(asked.load(Ordering::SeqCst), before);
    resolver.clear_cache();
    let _ = resolve(&resolver, &newest, now);
    assert_eq!(asked.load(Ordering::SeqCst), before + 1);
}

#[test]
fn failures_keep_their_cause() {
    let (resolver, _) = counting();
    let now = Instant::now();
    for host in ["bad.test", "none.test", "panic.test"] {
        let error = resolve(&resolver, host, now).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::Unresolved));
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<io::Error>(), "{host}");
    }
}

#[test]
fn a_panic_fails_its_own_lookup_only() {
    let (resolver, asked) = counting();
    let now = Instant::now();
    let panicked = unresolved(resolve(&resolver, "panic.test", now));
    assert!(panicked.contains("panicked"), "{panicked}");
    assert_eq!(resolve(&resolver, "good.test", now).unwrap().len(), 2);
    let again = unresolved(resolve(&resolver, "panic.test", now));
    assert_eq!(again, panicked);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "a panic is not remembered");
}

#[test]
fn overrides_win_until_cleared() {
    let (resolver, asked) = counting();
    let now = Instant::now();
    resolver.set_override("Example.test.", vec![ip("127.0.0.1")]);
    resolver.set_override("localhost", vec![ip("192.0.2.9")]);
    resolver.set_override("blocked.test", Vec::new());
    let answer = |host: &str| resolver.lookup(host, now, waker().0).poll(now).unwrap();
    assert_eq!(&*answer("example.TEST").unwrap(), [ip("127.0.0.1")]);
    assert_eq!(&*answer("localhost").unwrap(), [ip("192.0.2.9")]);
    unresolved(answer("blocked.test"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    resolver.clear_overrides();
    assert_eq!(answer("localhost").unwrap().len(), 2);
    assert_eq!(resolve(&resolver, "example.test", now).unwrap().len(), 2);
}

#[test]
fn a_late_answer_feeds_the_cache() {
    let gated = gated();
    let now = Instant::now();
    let lookup = gated.resolver.lookup("late.test", now, waker().0);
    gated.asked.recv_timeout(NET).unwrap();
    drop(lookup);
    let (wake, woken) = waker();
    let joined = gated.resolver.lookup("late.test", now, wake);
    gated.gate.send(Ok(vec![ip("192.0.2.1")])).unwrap();
    woken.recv_timeout(NET).unwrap();
    assert!(joined.poll(now).unwrap().is_ok());
    let cached = gated.resolver.lookup("late.test", now, waker().0);
    assert!(cached.poll(now).unwrap().is_ok());
    assert_eq!(gated.asked.try_iter().count(), 0);
}

#[test]
fn abandoned_lookups_do_not_count_as_running() {
    let gated = gated();
    let now = Instant::now();
    let look = |host: &str| gated.resolver.lookup(host, now, waker().0);
    let mut hung: Vec<Lookup> = (0..WORKERS)
        .map(|n| look(&format!("hung{n}.test")))
        .collect();
    for _ in 0..WORKERS {
        gated.asked.recv_timeout(NET).unwrap();
    }
    let _next = look("next.test");
    let unwanted = look("unwanted.test");
    assert_eq!(gated.resolver.0.lock().queue.len(), 2);
    drop(unwanted);
    assert_eq!(gated.resolver.0.lock().queue.len(), 1);
    hung.pop();
    assert_eq!(gated.asked.recv_timeout(NET).unwrap(), "next.test");
    assert_eq!(gated.resolver.0.lock().threads, WORKERS + 1);
}

#[test]
fn names_that_hang_hold_no_other_name_up_for_longer_than_a_second() {
    let gated = gated();
    let now = Instant::now();
    let look = |host: &str| gated.resolver.lookup(host, now, waker().0);
    let _hung: Vec<Lookup> = (0..WORKERS)
        .map(|n| look(&format!("hung{n}.test")))
        .collect();
    for _ in 0..WORKERS {
        gated.asked.recv_timeout(NET).unwrap();
    }
    let next = look("next.test");
    assert_eq!(next.due(), Some(now + MAX_WAIT));
    assert!(next.poll(now + MAX_WAIT / 2).is_none());
    assert_eq!(gated.resolver.0.lock().threads, WORKERS);
    assert!(next.poll(now + MAX_WAIT).is_none());
    assert_eq!(gated.asked.recv_timeout(NET).unwrap(), "next.test");
    assert!(next.poll(now + MAX_WAIT).is_none() && next.due().is_none());
    assert_eq!(gated.resolver.0.lock().threads, WORKERS + 1);
}

#[test]
fn threads_are_bounded_despite_abandoned_lookups() {
    let gated = gated();
    let now = Instant::now();
    for n in 0..MAX_THREADS {
        let lookup = gated.resolver.lookup(&format!("n{n}.test"), now, waker().0);
        gated.asked.recv_timeout(NET).unwrap();
        drop(lookup);
    }
    let _waiting = gated.resolver.lookup("waiting.test", now, waker().0);
    let state = gated.resolver.0.lock();
    assert_eq!((state.threads, state.queue.len()), (MAX_THREADS, 1));
}

#[test]
fn the_queue_is_bounded() {
    let gated = gated();
    let now = Instant::now();
    let look = |n: usize| gated.resolver.lookup(&format!("n{n}.test"), now, waker().0);
    let _running: Vec<Lookup> = (0..WORKERS)
        .map(|n| {
            let lookup = look(n);
            gated.asked.recv_timeout(NET).unwrap();
            lookup
        })
        .collect();
    let _waiting: Vec<Lookup> = (0..MAX_QUEUED).map(|n| look(WORKERS + n)).collect();
    let refused = look(9999).poll(now).unwrap();
    assert_eq!(kind(refused), ErrorKind::Network(NetworkFault::System));
    assert!(look(WORKERS).poll(now).is_none(), "shared, so not refused");
}

#[test]
fn workers_are_named_and_end_without_work() {
    struct SaysWhenItEnds(Sender<String>);
    impl Drop for SaysWhenItEnds {
        fn drop(&mut self) {
            let name = thread::current().name().unwrap_or_default().to_owned();
            let _ = self.0.send(name);
        }
    }
    thread_local! {
        static END: RefCell<Option<SaysWhenItEnds>> = const { RefCell::new(None) };
    }
    let (sender, ended) = channel();
    let sender = Mutex::new(sender);
    let lookup = move |_: &str| {
        let says = SaysWhenItEnds(sender.lock().unwrap().clone());
        END.with(|end| *end.borrow_mut() = Some(says));
        Ok(vec![ip("192.0.2.1")])
    };
    let mut pool = Pool::new(Box::new(lookup), Duration::ZERO, Duration::ZERO);
    pool.idle = Duration::from_millis(1);
    let resolver = Resolver(Arc::new(pool));
    let now = Instant::now();
    assert!(resolve(&resolver, "a.test", now).is_ok());
    assert_eq!(ended.recv_timeout(NET).unwrap(), "httpoll-resolver-1");
    assert!(resolve(&resolver, "b.test", now).is_ok());
    assert_eq!(ended.recv_timeout(NET).unwrap(), "httpoll-resolver-2");
}

#[test]
fn a_virtual_answer_appears_at_its_time() {
    let now = Instant::now();
    let at = now + Duration::from_millis(30);
    let lookup = Lookup::ready_at(at, answer(Ok(vec![ip("192.0.2.1")])));
    assert_eq!(lookup.due(), Some(at));
    assert!(lookup.poll(now).is_none());
    assert!(lookup.poll(at).unwrap().is_ok());
}

#[test]
fn the_system_is_asked_for_all_addresses() {
    assert_eq!(ask_system("127.0.0.1").unwrap(), [ip("127.0.0.1")]);
}
