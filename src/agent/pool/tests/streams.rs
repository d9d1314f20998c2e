//! Streams and other requests do not take connections from each other.

use super::*;

fn limits(total: usize, per_host: usize, streams: usize, streams_per_host: usize) -> Pool {
    Pool::new(PoolLimits {
        total,
        per_host,
        streams,
        streams_per_host,
        ..PoolLimits::default()
    })
}

/// Serves whatever can be served; returns who, and who got a connection that had served before.
fn serve(pool: &mut Pool, usages: &[(u64, Usage)], now: Instant) -> (Vec<u64>, Vec<u64>) {
    let (mut opened, mut reused) = (Vec::new(), Vec::new());
    while let Some((id, host, grant)) = pool.next() {
        let usage = usages.iter().find(|(it, _)| *it == id.0).unwrap().1;
        match grant {
            Grant::Open => {
                let evicted = pool.evict(host, usage);
                pool.insert(host, id, Priority::Gameplay, usage, now);
                if let Some(old) = evicted {
                    pool.remove(old);
                }
                opened.push(id.0);
            }
            Grant::Reuse(key) => {
                pool.assign(key, id, Priority::Gameplay, usage);
                reused.push(id.0);
            }
        }
    }
    (opened, reused)
}

#[test]
fn streams_and_exchanges_have_limits_of_their_own() {
    use Usage::{Exchange, Stream};
    let now = Instant::now();
    // Per host: two exchanges, three streams. In all: three exchanges, four streams.
    let mut pool = limits(3, 2, 4, 3);
    let (a, b) = (pool.host(&key("a")), pool.host(&key("b")));
    let usages = [
        (1, Stream),
        (2, Stream),
        (3, Stream),
        (4, Stream),
        (5, Exchange),
        (6, Exchange),
        (7, Exchange),
        (11, Stream),
        (12, Stream),
        (15, Exchange),
        (16, Exchange),
    ];
    let mut places = std::collections::BTreeMap::new();
    for (id, usage) in usages {
        let host = if id > 10 { b } else { a };
        let place = pool.wait(host, RequestId(id), Priority::Interface, usage);
        places.insert(id, (host, place));
    }
    let (opened, reused) = serve(&mut pool, &usages, now);
    assert_eq!(opened, [1, 2, 3, 5, 6, 11, 15]);
    assert!(reused.is_empty());
    for (id, reason) in [
        (4, QueueReason::StreamsPerHost(3)),
        (7, QueueReason::PerHost(2)),
        (12, QueueReason::Streams(4)),
        (16, QueueReason::Total(3)),
    ] {
        let (host, place) = places[&id];
        assert_eq!(pool.reason(host, place), reason, "request {id}");
    }
}

#[test]
fn the_oldest_of_both_queues_goes_first() {
    let now = Instant::now();
    let mut pool = limits(9, 9, 9, 9);
    let a = pool.host(&key("a"));
    let usages = [(1, Usage::Stream), (2, Usage::Exchange), (3, Usage::Stream)];
    for (id, usage) in usages {
        pool.wait(a, RequestId(id), Priority::Interface, usage);
    }
    assert_eq!(serve(&mut pool, &usages, now).0, [1, 2, 3]);
}

#[test]
fn a_stream_takes_an_idle_connection_out_of_the_limit_of_exchanges() {
    use Usage::{Exchange, Stream};
    let now = Instant::now();
    let mut pool = limits(1, 1, 1, 1);
    let a = pool.host(&key("a"));
    let idle = pool.insert(a, RequestId(1), Priority::Interface, Exchange, now);
    assert!(pool.keep(idle, now));
    let usages = [(2, Stream), (3, Exchange)];
    for (id, usage) in usages {
        pool.wait(a, RequestId(id), Priority::Interface, usage);
    }
    let (opened, reused) = serve(&mut pool, &usages, now);
    assert_eq!((opened, reused), (vec![3], vec![2]));
}

#[test]
fn a_connection_of_a_stream_is_kept_only_within_the_limit_of_exchanges() {
    let now = Instant::now();
    for (total, per_host) in [(9, 2), (2, 9)] {
        let mut pool = limits(total, per_host, 9, 9);
        let a = pool.host(&key("a"));
        let kept: Vec<bool> = (1..=4)
            .map(|id| {
                let stream = pool.insert(a, RequestId(id), Priority::Interface, Usage::Stream, now);
                let kept = pool.keep(stream, now);
                if !kept {
                    pool.remove(stream);
                }
                kept
            })
            .collect();
        assert_eq!(kept, [true, true, false, false]);
        assert_eq!((pool.len(), pool.busy()), (2, 0));
        assert_eq!((pool.exchanges.open, pool.streams.open), (2, 0));
    }
}

#[test]
fn a_draining_stream_gives_way_to_a_stream_and_to_nothing_else() {
    let now = Instant::now();
    let mut pool = limits(1, 1, 1, 1);
    let a = pool.host(&key("a"));
    let stream = pool.insert(a, RequestId(1), Priority::Interface, Usage::Stream, now);
    pool.drain(stream, 100, now + Duration::from_secs(1));
    pool.insert(a, RequestId(2), Priority::Gameplay, Usage::Exchange, now);
    let usages = [(3, Usage::Exchange), (4, Usage::Stream)];
    for (id, usage) in usages {
        pool.wait(a, RequestId(id), Priority::Interface, usage);
    }
    assert_eq!(serve(&mut pool, &usages, now).0, [4]);
    assert!(pool.get(stream).is_none());
    assert_eq!((pool.exchanges.open, pool.streams.open), (1, 1));
    assert_eq!((pool.exchanges.draining, pool.streams.draining), (0, 0));
}

#[test]
fn gameplay_exceeds_only_the_limits_of_its_own_usage() {
    use Usage::{Exchange, Stream};
    let now = Instant::now();
    for (held, asked, is_served) in [
        (Stream, Stream, true),
        (Exchange, Exchange, true),
        (Stream, Exchange, false),
        (Exchange, Stream, false),
    ] {
        let mut pool = limits(1, 1, 1, 1);
        let a = pool.host(&key("a"));
        pool.insert(a, RequestId(1), Priority::Background, held, now);
        // The other usage is full of gameplay, so nothing may be exceeded there.
        let other = if held == Stream { Exchange } else { Stream };
        pool.insert(a, RequestId(2), Priority::Gameplay, other, now);
        let usages = [(3, asked)];
        pool.wait(a, RequestId(3), Priority::Gameplay, asked);
        let expected: &[u64] = if is_served { &[3] } else { &[] };
        assert_eq!(
            serve(&mut pool, &usages, now).0,
            expected,
            "{held:?} {asked:?}"
        );
    }
}

#[test]
fn a_reason_names_the_limit_and_its_value() {
    for (reason, text) in [
        (
            QueueReason::PerHost(6),
            "all 6 connections to its host are in use (PoolLimits::per_host)",
        ),
        (
            QueueReason::Total(16),
            "all 16 connections of the agent are in use (PoolLimits::total)",
        ),
        (
            QueueReason::StreamsPerHost(32),
            "its host has 32 streams already (PoolLimits::streams_per_host)",
        ),
        (
            QueueReason::Streams(64),
            "the agent has 64 streams already (PoolLimits::streams)",
        ),
        (QueueReason::Turn, "other requests came first"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn one_web_socket_connects_to_an_address_at_a_time_whatever_its_options_are() {
    use Usage::{Stream, WebSocket};
    let now = Instant::now();
    let mut pool = limits(9, 9, 9, 9);
    let plain = pool.host(&key("a"));
    // The same address with other options: a pool of its own.
    let filter = AddressFilter::new(|_| Ok(()));
    let target = Target {
        host: parse_host("a").unwrap(),
        port: 80,
        tls: TlsChoice::Plain,
        route: Route::Direct,
    };
    let filtered = pool.host(&PoolKey::of(target, &filter, None));
    let distant = pool.host(&key("b"));
    assert_ne!(plain, filtered);
    let usages = [1, 2, 3, 4, 5].map(|id| (id, if id == 3 { Stream } else { WebSocket }));
    let hosts = [plain, filtered, plain, distant, plain];
    let mut places = Vec::new();
    for ((id, usage), host) in usages.into_iter().zip(hosts) {
        places.push(pool.wait(host, RequestId(id), Priority::Gameplay, usage));
    }
    // The stream behind them, and the other address, do not wait.
    assert_eq!(serve(&mut pool, &usages, now).0, [1, 3, 4]);
    assert_eq!(
        pool.reason(filtered, places[1]),
        QueueReason::WebSocketConnecting
    );
    let connection_of = |pool: &Pool, id: u64| {
        let found = pool
            .iter()
            .find(|(_, it)| it.service == Service::Busy(RequestId(id)));
        found.unwrap().0
    };
    let first = connection_of(&pool, 1);
    pool.end_handshake(first);
    assert_eq!(serve(&mut pool, &usages, now).0, [2]);
    // One that fails lets the next go.
    let second = connection_of(&pool, 2);
    pool.remove(second);
    assert_eq!(serve(&mut pool, &usages, now).0, [5]);
    assert_eq!(pool.len(), 4);
}
