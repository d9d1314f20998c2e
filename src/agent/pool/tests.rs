use super::*;
use crate::connection::parse_host;

fn key(host: &str) -> PoolKey {
    let target = Target {
        host: parse_host(host).unwrap(),
        port: 80,
        tls: TlsChoice::Plain,
        route: Route::Direct,
    };
    PoolKey::of(target, &AddressFilter::default(), None)
}

#[test]
fn a_tunnel_is_for_whom_it_was_opened() {
    let proxy = || crate::connection::Proxy {
        host: parse_host("proxy").unwrap(),
        port: 3128,
    };
    for (route, shares) in [
        (Route::Tunnel(proxy()), false),
        (Route::Forward(proxy()), true),
    ] {
        let target = Target {
            host: parse_host("a").unwrap(),
            port: 80,
            tls: TlsChoice::Plain,
            route,
        };
        let of = |who: &str| {
            PoolKey::of(
                target.clone(),
                &AddressFilter::default(),
                Some(who.to_owned()),
            )
        };
        assert_eq!(of("Basic ann"), of("Basic ann"));
        assert_eq!(of("Basic ann") == of("Basic bob"), shares);
        assert!(!format!("{:?}", of("Basic ann")).contains("ann"));
    }
}

fn pool(total: usize, per_host: usize) -> Pool {
    Pool::new(PoolLimits {
        total,
        per_host,
        ..PoolLimits::default()
    })
}

fn granted(pool: &mut Pool, now: Instant) -> Vec<u64> {
    let mut order = Vec::new();
    while let Some((id, host, grant)) = pool.next() {
        if let Grant::Open = grant {
            if let Some(old) = pool.evict() {
                pool.remove(old);
            }
            pool.insert(host, id, now);
        }
        order.push(id.0);
    }
    order
}

#[test]
fn priority_then_age_within_the_limits_of_host_and_pool() {
    let now = Instant::now();
    let mut pool = pool(3, 2);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    for id in 1..=4 {
        pool.wait(a, RequestId(id), Priority::Interface);
    }
    pool.wait(b, RequestId(5), Priority::Background);
    pool.wait(a, RequestId(6), Priority::Gameplay);
    // Two to a, the first of them by priority; then b has the last connection of the pool.
    assert_eq!(granted(&mut pool, now), [6, 1, 5]);
    assert!(pool.has_waiting());
}

#[test]
fn a_changed_priority_counts_at_once_and_keeps_the_turn() {
    let now = Instant::now();
    let mut pool = pool(1, 1);
    let a = pool.host(&key("a"));
    pool.wait(a, RequestId(1), Priority::Interface);
    let place = pool.wait(a, RequestId(2), Priority::Background);
    pool.wait(a, RequestId(3), Priority::Gameplay);
    pool.promote(a, place, Priority::Gameplay);
    assert_eq!(granted(&mut pool, now), [2]);
}

#[test]
fn a_changed_priority_loses_nobody_who_waits_alone() {
    let mut pool = pool(1, 1);
    let a = pool.host(&key("a"));
    let place = pool.wait(a, RequestId(1), Priority::Interface);
    pool.promote(a, place, Priority::Gameplay);
    assert_eq!(granted(&mut pool, Instant::now()), [1]);
}

#[test]
fn the_connection_used_last_is_used_next_and_the_oldest_is_given_up() {
    let start = Instant::now();
    let mut pool = pool(2, 2);
    let a = pool.host(&key("a"));
    let first = pool.insert(a, RequestId(1), start);
    let second = pool.insert(a, RequestId(2), start);
    assert!(pool.keep(first, start));
    assert!(pool.keep(second, start + Duration::from_secs(1)));
    assert_eq!(pool.evict(), Some(first));
    pool.wait(a, RequestId(3), Priority::Interface);
    let Some((_, _, Grant::Reuse(key))) = pool.next() else {
        panic!("an idle connection serves");
    };
    assert_eq!(key, second);
}

#[test]
fn an_old_connection_is_not_kept() {
    let start = Instant::now();
    let mut pool = pool(2, 2);
    let a = pool.host(&key("a"));
    let connection = pool.insert(a, RequestId(1), start);
    assert!(!pool.keep(connection, start + Duration::from_secs(600)));
    assert_eq!((pool.len(), pool.hosts.len()), (1, 1));
    pool.remove(connection);
    assert_eq!((pool.len(), pool.hosts.len()), (0, 0));
}

#[test]
fn an_idle_connection_makes_way_for_another_host_and_a_busy_one_does_not() {
    let now = Instant::now();
    let mut pool = pool(1, 1);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    let connection = pool.insert(a, RequestId(1), now);
    pool.wait(b, RequestId(2), Priority::Interface);
    assert!(pool.next().is_none(), "the only connection is busy");
    assert!(pool.keep(connection, now));
    assert!(matches!(
        pool.next(),
        Some((RequestId(2), host, Grant::Open)) if host == b
    ));
    assert!(!pool.has_waiting());
}

#[test]
fn a_connection_that_is_reused_is_not_idle_any_more() {
    let now = Instant::now();
    let mut pool = pool(2, 2);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    for id in [1, 2] {
        let connection = pool.insert(a, RequestId(id), now);
        assert!(pool.keep(connection, now));
    }
    // The pool is full. Each reuse takes one of its two idle connections.
    for id in [3, 4] {
        pool.wait(a, RequestId(id), Priority::Interface);
        assert!(matches!(pool.next(), Some((_, host, Grant::Reuse(_))) if host == a));
    }
    pool.wait(b, RequestId(5), Priority::Interface);
    assert!(pool.next().is_none(), "no connection is idle");
}

#[test]
fn only_hosts_with_quick_responses_and_waiting_requests_are_near() {
    let now = Instant::now();
    let mut pool = pool(4, 1);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    let far = pool.insert(a, RequestId(1), now);
    let near = pool.insert(b, RequestId(2), now);
    pool.wait(a, RequestId(3), Priority::Interface);
    pool.note_response(near, true);
    assert!(pool.has_waiting_nearby(), "nothing is known of a yet");
    for _ in 0..FAR_AWAY_AFTER {
        assert!(pool.has_waiting_nearby());
        pool.note_response(far, false);
    }
    assert!(
        !pool.has_waiting_nearby(),
        "b is near, but no request waits for it"
    );
    pool.note_response(far, true);
    assert!(pool.has_waiting_nearby());
}

#[test]
fn a_request_that_left_the_queue_does_not_wait() {
    let mut pool = pool(1, 1);
    let a = pool.host(&key("a"));
    let place = pool.wait(a, RequestId(1), Priority::Interface);
    assert!(pool.has_waiting());
    assert_eq!(pool.leave(a, place), Some(RequestId(1)));
    assert!(!pool.has_waiting());
    assert_eq!(pool.leave(a, place), None);
}
