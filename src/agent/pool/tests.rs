use super::*;
use crate::connection::parse_host;
use crate::connection::{AddressFilter, Route, Target};
use crate::transport::link::TlsChoice;

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
            let evicted = pool.evict(host, Usage::Exchange);
            // Not a lower priority: a request may exceed the limits while lower priorities hold them.
            pool.insert(host, id, Priority::Gameplay, Usage::Exchange, now);
            if let Some(old) = evicted {
                pool.remove(old);
            }
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
        pool.wait(a, RequestId(id), Priority::Interface, Usage::Exchange);
    }
    pool.wait(b, RequestId(5), Priority::Background, Usage::Exchange);
    pool.wait(a, RequestId(6), Priority::Gameplay, Usage::Exchange);
    // Two to a, the first of them by priority; then b has the last connection of the pool.
    assert_eq!(granted(&mut pool, now), [6, 1, 5]);
    assert!(pool.has_waiting());
}

#[test]
fn a_changed_priority_counts_at_once_and_keeps_the_turn() {
    let now = Instant::now();
    let mut pool = pool(1, 1);
    let a = pool.host(&key("a"));
    pool.wait(a, RequestId(1), Priority::Interface, Usage::Exchange);
    let place = pool.wait(a, RequestId(2), Priority::Background, Usage::Exchange);
    pool.wait(a, RequestId(3), Priority::Gameplay, Usage::Exchange);
    pool.promote(a, place, Priority::Gameplay);
    assert_eq!(granted(&mut pool, now), [2]);
}

#[test]
fn a_changed_priority_loses_nobody_who_waits_alone() {
    let mut pool = pool(1, 1);
    let a = pool.host(&key("a"));
    let place = pool.wait(a, RequestId(1), Priority::Interface, Usage::Exchange);
    pool.promote(a, place, Priority::Gameplay);
    assert_eq!(granted(&mut pool, Instant::now()), [1]);
}

#[test]
fn the_connection_used_last_is_used_next_and_the_oldest_is_given_up() {
    let start = Instant::now();
    let mut pool = pool(2, 2);
    let a = pool.host(&key("a"));
    let first = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, start);
    let second = pool.insert(a, RequestId(2), Priority::Interface, Usage::Exchange, start);
    assert!(pool.keep(first, start));
    assert!(pool.keep(second, start + Duration::from_secs(1)));
    assert_eq!(pool.evict(a, Usage::Exchange), Some(first));
    pool.wait(a, RequestId(3), Priority::Interface, Usage::Exchange);
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
    let connection = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, start);
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
    let connection = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
    pool.wait(b, RequestId(2), Priority::Interface, Usage::Exchange);
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
        let connection = pool.insert(a, RequestId(id), Priority::Interface, Usage::Exchange, now);
        assert!(pool.keep(connection, now));
    }
    // The pool is full. Each reuse takes one of its two idle connections.
    for id in [3, 4] {
        pool.wait(a, RequestId(id), Priority::Interface, Usage::Exchange);
        assert!(matches!(pool.next(), Some((_, host, Grant::Reuse(_))) if host == a));
    }
    pool.wait(b, RequestId(5), Priority::Interface, Usage::Exchange);
    assert!(pool.next().is_none(), "no connection is idle");
}

#[test]
fn only_hosts_with_quick_responses_and_waiting_requests_are_near() {
    let now = Instant::now();
    let mut pool = pool(4, 1);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    let far = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
    let near = pool.insert(b, RequestId(2), Priority::Interface, Usage::Exchange, now);
    pool.wait(a, RequestId(3), Priority::Interface, Usage::Exchange);
    pool.note_response(near, true);
    assert!(pool.has_waiting_nearby(), "nothing is known of a yet");
    for _ in 0..responses::FAR_AWAY_AFTER {
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
    let place = pool.wait(a, RequestId(1), Priority::Interface, Usage::Exchange);
    assert!(pool.has_waiting());
    assert_eq!(pool.leave(a, place), Some(RequestId(1)));
    assert!(!pool.has_waiting());
    assert_eq!(pool.leave(a, place), None);
}

#[test]
fn a_gameplay_request_exceeds_the_limits_by_one_while_lower_priorities_hold_them() {
    let now = Instant::now();
    for (total, per_host) in [(2, 4), (4, 2)] {
        let mut pool = pool(total, per_host);
        let a = pool.host(&key("a"));
        for id in [1, 2] {
            pool.insert(a, RequestId(id), Priority::Background, Usage::Exchange, now);
        }
        for (id, priority) in [
            (3, Priority::Interface),
            (4, Priority::Gameplay),
            (5, Priority::Gameplay),
        ] {
            pool.wait(a, RequestId(id), priority, Usage::Exchange);
        }
        assert_eq!(granted(&mut pool, now), [4]);
        assert_eq!(pool.len(), 3);
    }
}

#[test]
fn a_draining_connection_gives_way() {
    let now = Instant::now();
    for (total, per_host, other) in [(1, 1, "a"), (1, 2, "b"), (2, 1, "a")] {
        let mut pool = pool(total, per_host);
        let a = pool.host(&key("a"));
        let draining = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
        pool.drain(draining, 100, now + Duration::from_secs(1));
        assert_eq!(pool.busy(), 0);
        assert_eq!(pool.expires(draining), Some(now + Duration::from_secs(1)));
        let host = pool.host(&key(other));
        pool.wait(host, RequestId(2), Priority::Interface, Usage::Exchange);
        assert_eq!(granted(&mut pool, now), [2], "{total} {per_host} {other}");
        assert_eq!((pool.len(), pool.busy()), (1, 1));
    }
}

#[test]
fn a_connection_is_outdated_when_its_server_said_so_or_may_have_closed_it() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    for (announced, age, repeatable, unrepeatable) in [
        (None, 3, false, false),
        (None, 4, false, true),
        (Some(9), 8, false, false),
        (Some(2), 2, true, true),
    ] {
        let mut pool = pool(2, 2);
        let a = pool.host(&key("a"));
        let connection = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
        pool.get_mut(connection).unwrap().keep_alive = announced.map(|it| it * second);
        assert!(pool.keep(connection, now));
        pool.note_idle(connection, Some(now));
        let clock = now + age * second;
        assert_eq!(pool.is_outdated(connection, true, clock), repeatable);
        assert_eq!(pool.is_outdated(connection, false, clock), unrepeatable);
    }
}

#[test]
fn what_must_go_on_waiting_is_looked_at_again_only_after_a_change() {
    let now = Instant::now();
    let changes: [fn(&mut Pool, HostKey, ConnectionKey, Instant); 6] = [
        |pool, _, connection, now| assert!(pool.keep(connection, now)),
        |pool, _, connection, _| drop(pool.remove(connection)),
        |pool, _, connection, now| pool.drain(connection, 100, now),
        |pool, host, _, _| {
            pool.wait(host, RequestId(3), Priority::Gameplay, Usage::Exchange);
        },
        |pool, _, connection, _| {
            pool.assign(
                connection,
                RequestId(3),
                Priority::Interface,
                Usage::Exchange,
            )
        },
        |pool, _, connection, _| assert!(pool.get_mut(connection).is_some()),
    ];
    for change in changes {
        let mut pool = pool(1, 1);
        let a = pool.host(&key("a"));
        let connection = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
        assert!(!pool.may_serve_waiting(), "nothing waits");
        let place = pool.wait(a, RequestId(2), Priority::Interface, Usage::Exchange);
        assert!(pool.may_serve_waiting());
        assert!(pool.next().is_none());
        assert!(!pool.may_serve_waiting());
        change(&mut pool, a, connection, now);
        assert!(pool.may_serve_waiting());
        if pool.next().is_none() {
            pool.promote(a, place, Priority::Gameplay);
            assert!(pool.may_serve_waiting());
        }
    }
}

#[test]
fn only_a_long_queue_to_a_distant_host_opens_connections_beyond_the_usual_limit() {
    let now = Instant::now();
    for (millis, waiting, expected) in [(80, 20, 10), (80, 2, 2), (49, 20, 2)] {
        let mut pool = Pool::new(PoolLimits {
            per_host: 2,
            per_distant_host: Some(10),
            ..PoolLimits::burst()
        });
        let a = pool.host(&key("a"));
        for id in [1, 2] {
            let connection =
                pool.insert(a, RequestId(id), Priority::Interface, Usage::Exchange, now);
            pool.note_request(connection, now);
            pool.note_head(connection, now + Duration::from_millis(millis));
        }
        for id in 0..waiting {
            pool.wait(a, RequestId(10 + id), Priority::Interface, Usage::Exchange);
        }
        granted(&mut pool, now);
        assert_eq!(pool.len(), expected, "{millis} ms, {waiting} waiting");
    }
}
#[test]
fn the_pool_counts_what_waits_what_is_open_and_what_serves() {
    use Usage::{Exchange, Stream};
    let now = Instant::now();
    let mut pool = pool(4, 4);
    let a = pool.host(&key("a"));
    assert_eq!(pool.waiting(), 0);
    for id in [1, 2] {
        pool.wait(a, RequestId(id), Priority::Interface, Exchange);
    }
    assert_eq!(pool.waiting(), 2);
    let exchange = pool.insert(a, RequestId(3), Priority::Interface, Exchange, now);
    let stream = pool.insert(a, RequestId(4), Priority::Interface, Stream, now);
    assert_eq!(pool.keys(), [exchange, stream]);
    let listed: Vec<_> = pool.iter().map(|(key, it)| (key, it.usage)).collect();
    assert_eq!(listed, [(exchange, Exchange), (stream, Stream)]);
    let hosts: Vec<_> = pool
        .hosts()
        .map(|(key, _, waiting)| (key, waiting))
        .collect();
    assert_eq!(hosts, [(a, 2)]);
    assert!(pool.is_serving(exchange, RequestId(3)));
    assert!(!pool.is_serving(exchange, RequestId(4)));
    assert_eq!((pool.len(), pool.busy()), (2, 2));
    pool.drain(stream, 100, now);
    assert!(!pool.is_serving(stream, RequestId(4)));
    assert_eq!((pool.len(), pool.busy()), (2, 1));
    assert!(pool.keep(exchange, now));
    assert_eq!((pool.len(), pool.busy()), (2, 0));
    assert_eq!(pool.evict(a, Exchange), None, "there is room");
    pool.remove(exchange);
    assert_eq!((pool.len(), pool.busy()), (1, 0));
}

#[test]
fn a_connection_that_may_not_be_idle_is_not_kept() {
    let now = Instant::now();
    for (idle_age, keep_alive, expected) in [
        (60, None, true),
        (60, Some(5), true),
        (60, Some(0), false),
        (0, None, false),
        (0, Some(5), false),
    ] {
        let mut pool = Pool::new(PoolLimits {
            idle_age: Duration::from_secs(idle_age),
            ..PoolLimits::default()
        });
        let a = pool.host(&key("a"));
        let connection = pool.insert(a, RequestId(1), Priority::Interface, Usage::Exchange, now);
        pool.get_mut(connection).unwrap().keep_alive = keep_alive.map(Duration::from_secs);
        assert_eq!(
            pool.keep(connection, now),
            expected,
            "{idle_age} {keep_alive:?}"
        );
    }
}

#[test]
fn draining_connections_to_a_distant_host_do_not_count_as_used() {
    let now = Instant::now();
    let mut pool = Pool::new(PoolLimits {
        per_host: 2,
        per_distant_host: Some(10),
        ..PoolLimits::burst()
    });
    let a = pool.host(&key("a"));
    for id in [1, 2] {
        let connection = pool.insert(a, RequestId(id), Priority::Interface, Usage::Exchange, now);
        pool.note_request(connection, now);
        pool.note_head(connection, now + Duration::from_millis(80));
        pool.drain(connection, 100, now);
    }
    assert_eq!(pool.evict(a, Usage::Exchange), None);
}

mod streams;
