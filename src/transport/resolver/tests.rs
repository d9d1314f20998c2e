use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use super::*;

/// Only a hang ends here.
const SAFETY_NET: Duration = Duration::from_secs(60);

/// A resolver whose lookups count and wait for a permit each.
struct Scripted {
    resolver: Resolver,
    lookups: Arc<AtomicUsize>,
    permit: Sender<io::Result<Vec<IpAddr>>>,
    woken: Receiver<()>,
    wake: Wake,
}

fn scripted() -> Scripted {
    let lookups = Arc::new(AtomicUsize::new(0));
    let (permit, permits) = mpsc::channel::<io::Result<Vec<IpAddr>>>();
    let permits = Mutex::new(permits);
    let counted = lookups.clone();
    let resolver = Resolver::with_lookup(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        permits.lock().unwrap().recv_timeout(SAFETY_NET).unwrap()
    });
    let (wakes, woken) = mpsc::channel();
    let wakes = Mutex::new(wakes);
    Scripted {
        resolver,
        lookups,
        permit,
        woken,
        wake: Arc::new(move || wakes.lock().unwrap().send(()).unwrap()),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Scripted {
    fn ask(&self, name: &str, now: Instant) -> Lookup {
        self.resolver.lookup(name, now, self.wake.clone())
    }

    /// Lets one lookup answer, and waits for the wake.
    fn answer(&self, answer: io::Result<Vec<IpAddr>>) {
        self.permit.send(answer).unwrap();
        self.woken.recv_timeout(SAFETY_NET).unwrap();
    }

    fn count(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[test]
fn addresses_and_localhost_are_never_looked_up() {
    let scripted = scripted();
    let now = Instant::now();
    let local = [ip("::1"), ip("127.0.0.1")];
    for (name, addresses) in [
        ("127.0.0.1", &[ip("127.0.0.1")][..]),
        ("::1", &[ip("::1")]),
        ("[::1]", &[ip("::1")]),
        ("localhost", &local),
        ("LocalHost.", &local),
        ("game.localhost", &local),
    ] {
        let answer = scripted.ask(name, now).poll(now).unwrap().unwrap();
        assert_eq!(&*answer, addresses, "{name}");
    }
    assert_eq!(scripted.count(), 0);
}

#[test]
fn an_answer_wakes_is_shared_and_cached_until_it_expires() {
    let scripted = scripted();
    let now = Instant::now();
    let first = scripted.ask("Game.Example", now);
    let second = scripted.ask("game.example.", now);
    assert!(first.poll(now).is_none() && second.poll(now).is_none());
    scripted.answer(Ok(vec![ip("10.0.0.1")]));
    scripted.woken.recv_timeout(SAFETY_NET).unwrap();
    for lookup in [&first, &second] {
        assert_eq!(&*lookup.poll(now).unwrap().unwrap(), &[ip("10.0.0.1")]);
    }
    assert_eq!(scripted.count(), 1, "shared in flight");
    let almost = now + FRESH - Duration::from_nanos(1);
    assert!(scripted.ask("game.example", almost).poll(almost).is_some());
    assert_eq!(scripted.count(), 1, "cached");
    let expired = now + FRESH;
    assert!(
        scripted
            .ask("game.example", expired)
            .poll(expired)
            .is_none()
    );
    scripted.answer(Ok(vec![ip("10.0.0.2")]));
    assert_eq!(scripted.count(), 2, "expired");
    scripted.resolver.clear_cache();
    assert!(
        scripted
            .ask("game.example", expired)
            .poll(expired)
            .is_none()
    );
    scripted.answer(Ok(vec![ip("10.0.0.3")]));
}

#[test]
fn failures_are_errors_and_expire_sooner() {
    let scripted = scripted();
    let now = Instant::now();
    for answer in [Ok(Vec::new()), Err(io::Error::other("no such name"))] {
        let lookup = scripted.ask("game.example", now);
        scripted.answer(answer);
        let error = lookup.poll(now).unwrap().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Unresolved));
        assert!(
            scripted.ask("game.example", now).poll(now).is_some(),
            "cached"
        );
        assert!(
            scripted
                .ask("game.example", now + FAILED)
                .poll(now)
                .is_none(),
            "expired"
        );
        scripted.answer(Ok(vec![ip("10.0.0.1")]));
        scripted.resolver.clear_cache();
    }
}

#[test]
fn overrides_win() {
    let scripted = scripted();
    let now = Instant::now();
    scripted
        .resolver
        .set_override("Game.Example", &[ip("10.9.9.9")]);
    let lookup = scripted.ask("game.example", now);
    assert_eq!(&*lookup.poll(now).unwrap().unwrap(), &[ip("10.9.9.9")]);
    scripted.resolver.clear_overrides();
    assert!(scripted.ask("game.example", now).poll(now).is_none());
    scripted.answer(Ok(vec![ip("10.0.0.1")]));
}

#[test]
fn names_are_looked_up_side_by_side_and_a_hung_one_stops_no_other() {
    let (hang, hung) = mpsc::channel::<()>();
    let hung = Mutex::new(hung);
    let resolver = Resolver::with_lookup(move |name| {
        if name == "hangs.example" {
            let _ = hung.lock().unwrap().recv_timeout(SAFETY_NET);
        }
        Ok(vec![ip("10.0.0.1")])
    });
    let (wakes, woken) = mpsc::channel();
    let wakes = Mutex::new(wakes);
    let wake: Wake = Arc::new(move || drop(wakes.lock().unwrap().send(())));
    let now = Instant::now();
    let hanging = resolver.lookup("hangs.example", now, wake.clone());
    let quick = resolver.lookup("quick.example", now, wake);
    woken.recv_timeout(SAFETY_NET).unwrap();
    assert!(quick.poll(now).is_some());
    assert!(hanging.poll(now).is_none());
    hang.send(()).unwrap();
    woken.recv_timeout(SAFETY_NET).unwrap();
    assert!(hanging.poll(now).is_some());
}

#[test]
fn a_lookup_that_panics_fails_alone() {
    let resolver = Resolver::with_lookup(|name| match name {
        "panics.example" => panic!("on purpose"),
        _ => Ok(vec![ip("10.0.0.1")]),
    });
    let (wakes, woken) = mpsc::channel();
    let wakes = Mutex::new(wakes);
    let wake: Wake = Arc::new(move || drop(wakes.lock().unwrap().send(())));
    let now = Instant::now();
    let bad = resolver.lookup("panics.example", now, wake.clone());
    woken.recv_timeout(SAFETY_NET).unwrap();
    assert!(bad.poll(now).unwrap().is_err());
    let good = resolver.lookup("good.example", now, wake);
    woken.recv_timeout(SAFETY_NET).unwrap();
    assert!(good.poll(now).unwrap().is_ok());
}

#[test]
fn too_many_names_at_once_are_an_error() {
    let scripted = scripted();
    let now = Instant::now();
    let lookups: Vec<_> = (0..QUEUE + WORKERS + 1)
        .map(|number| scripted.ask(&format!("{number}.example"), now))
        .collect();
    let failed = lookups.iter().filter(|it| it.poll(now).is_some()).count();
    assert!(failed >= 1);
    for _ in 0..lookups.len() - failed {
        scripted.answer(Ok(vec![ip("10.0.0.1")]));
    }
}

#[test]
fn an_answer_of_the_in_memory_network_appears_at_its_time() {
    let now = Instant::now();
    let at = now + Duration::from_secs(1);
    let lookup = Lookup::ready_at(at, Ok(Arc::new([ip("10.0.0.1")])));
    assert!(lookup.poll(now).is_none());
    assert_eq!(lookup.due(), Some(at));
    assert!(lookup.poll(at).is_some());
}
