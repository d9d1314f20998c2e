use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn origin(text: &str) -> Origin {
    Origin::of(&url(text)).unwrap()
}

fn opened(when_open: OpenCircuitPolicy, now: Instant) -> (Circuits, Origin) {
    let policy = CircuitPolicy {
        when_open,
        ..CircuitPolicy::default()
    };
    let mut circuits = Circuits::new(policy);
    let a = origin("http://a.b/");
    for _ in 0..5 {
        assert_eq!(circuits.admit(&a, now), Admission::Go);
        circuits.failed(&a, now);
    }
    (circuits, a)
}

#[test]
fn failures_in_a_row_open_the_circuit_of_their_origin_only() {
    let now = Instant::now();
    let (mut circuits, a) = opened(OpenCircuitPolicy::FailFast, now);
    let until = now + 30 * SECOND;
    assert_eq!(circuits.admit(&a, now), Admission::Refuse(until));
    let just_before = until - Duration::from_nanos(1);
    assert_eq!(circuits.admit(&a, just_before), Admission::Refuse(until));
    for other in ["https://a.b/", "http://a.b:81/", "http://c.d/"] {
        assert_eq!(circuits.admit(&origin(other), now), Admission::Go);
    }
    let (mut circuits, a) = opened(OpenCircuitPolicy::Wait, now);
    assert_eq!(circuits.admit(&a, now), Admission::Wait(until));
}

#[test]
fn a_success_resets_the_failure_count() {
    let now = Instant::now();
    let mut circuits = Circuits::default();
    let a = origin("http://a.b/");
    for _ in 0..10 {
        for _ in 0..4 {
            circuits.failed(&a, now);
        }
        circuits.succeeded(&a);
        assert_eq!(circuits.len(), 0);
    }
    assert_eq!(circuits.admit(&a, now), Admission::Go);
}

#[test]
fn one_request_probes_and_decides() {
    let now = Instant::now();
    let until = now + 30 * SECOND;
    let probe = |then: &dyn Fn(&mut Circuits, &Origin)| {
        let (mut circuits, a) = opened(OpenCircuitPolicy::Wait, now);
        assert_eq!(circuits.admit(&a, until), Admission::Probe);
        let lost = until + 30 * SECOND;
        assert_eq!(circuits.admit(&a, until), Admission::Wait(lost));
        then(&mut circuits, &a);
        circuits.admit(&a, until + SECOND)
    };
    assert_eq!(
        probe(&|circuits, a| {
            circuits.succeeded(a);
        }),
        Admission::Go
    );
    assert_eq!(
        probe(&|circuits, a| circuits.failed(a, until + SECOND)),
        Admission::Wait(until + 31 * SECOND)
    );
    assert_eq!(
        probe(&|circuits, a| circuits.on_retry_after(a, 7 * SECOND, until + SECOND)),
        Admission::Wait(until + 8 * SECOND)
    );
    assert_eq!(
        probe(&|circuits, a| circuits.abandoned(a, until + SECOND)),
        Admission::Probe
    );
    // A probe whose outcome is never reported does not block the origin for ever.
    let (mut circuits, a) = opened(OpenCircuitPolicy::FailFast, now);
    assert_eq!(circuits.admit(&a, until), Admission::Probe);
    assert_eq!(circuits.admit(&a, until + 30 * SECOND), Admission::Probe);
}

#[test]
fn requests_from_before_the_circuit_opened_do_not_count() {
    let now = Instant::now();
    let (mut circuits, a) = opened(OpenCircuitPolicy::FailFast, now);
    circuits.succeeded(&a);
    circuits.failed(&a, now + 10 * SECOND);
    circuits.abandoned(&a, now);
    let until = now + 30 * SECOND;
    assert_eq!(circuits.admit(&a, now), Admission::Refuse(until));
}

#[test]
fn retry_after_holds_back_all_requests_to_the_origin() {
    let now = Instant::now();
    let a = origin("http://a.b/");
    // (requested, held back)
    for (asked, held) in [(7, 7), (300, 300), (301, 300), (u64::MAX, 300)] {
        let mut circuits = Circuits::default();
        circuits.on_retry_after(&a, Duration::from_secs(asked), now);
        let until = now + Duration::from_secs(held);
        assert_eq!(circuits.admit(&a, now), Admission::Refuse(until));
        // The later time counts.
        circuits.on_retry_after(&a, SECOND, now);
        assert_eq!(circuits.admit(&a, now), Admission::Refuse(until));
        assert_eq!(circuits.admit(&a, until), Admission::Probe);
        circuits.succeeded(&a);
        assert_eq!(circuits.admit(&a, until), Admission::Go);
    }
}

#[test]
fn which_responses_count() {
    let now = Instant::now();
    let a = origin("http://a.b/");
    let (held, open) = (Some(SECOND), Some(30 * SECOND));
    // (status, Retry-After, held back when it is respected, held back when not)
    for (status, retry_after, respected, otherwise) in [
        (200, None, None, None),
        (200, held, None, None),
        (301, held, None, None),
        (404, held, None, None),
        (429, None, None, None),
        (429, held, held, None),
        (501, held, None, None),
        (503, None, open, open),
        (503, held, held, open),
        (500, None, open, open),
        (502, held, held, open),
        (504, None, open, open),
    ] {
        for (respect_retry_after, expected) in [(true, respected), (false, otherwise)] {
            let mut circuits = Circuits::new(CircuitPolicy {
                failures: 1,
                respect_retry_after,
                ..CircuitPolicy::default()
            });
            let code = StatusCode::from_u16(status).unwrap();
            circuits.responded(&a, code, retry_after, now);
            let admission = expected.map_or(Admission::Go, |held| Admission::Refuse(now + held));
            assert_eq!(circuits.admit(&a, now), admission, "{status}");
        }
    }
}

#[test]
fn extreme_thresholds_and_times() {
    let now = Instant::now();
    let a = origin("http://a.b/");
    for (failures, held_after) in [(0, None), (1, Some(1)), (2, Some(2))] {
        let mut circuits = Circuits::new(CircuitPolicy {
            failures,
            ..CircuitPolicy::default()
        });
        for n in 1..10 {
            circuits.failed(&a, now);
            let held = circuits.admit(&a, now) != Admission::Go;
            assert_eq!(
                held,
                held_after.is_some_and(|after| n >= after),
                "{failures}"
            );
        }
    }
    // Without a threshold, Retry-After still counts, and its probe may fail.
    let mut circuits = Circuits::new(CircuitPolicy {
        failures: 0,
        open_for: Duration::ZERO,
        ..CircuitPolicy::default()
    });
    circuits.on_retry_after(&a, SECOND, now);
    assert_eq!(circuits.admit(&a, now + SECOND), Admission::Probe);
    circuits.failed(&a, now + SECOND);
    assert_eq!(circuits.admit(&a, now + SECOND), Admission::Probe);
    let mut circuits = Circuits::new(CircuitPolicy {
        failures: 1,
        open_for: Duration::MAX,
        ..CircuitPolicy::default()
    });
    circuits.failed(&a, now);
    circuits.admit(&a, now);
}

#[test]
fn the_number_of_origins_is_bounded() {
    let now = Instant::now();
    let mut circuits = Circuits::default();
    for n in 0..MOST_ORIGINS + 5 {
        let origin = origin(&format!("http://h{n}/"));
        circuits.on_retry_after(&origin, 9 * SECOND, now);
    }
    assert_eq!(circuits.len(), MOST_ORIGINS);
    let late = origin("http://late/");
    circuits.failed(&late, now);
    assert_eq!(circuits.admit(&late, now), Admission::Go);
    circuits.failed(&late, now + 9 * SECOND);
    assert_eq!(circuits.len(), 1);
}

#[test]
fn which_statuses_are_failures() {
    for status in 100..600 {
        let failure = matches!(status, 500 | 502 | 503 | 504);
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(is_failure(status), failure, "{status}");
    }
}

#[test]
fn fail_over_keeps_a_working_base_url_and_switches_after_a_failure() {
    let mut bases = FailOver::new(
        url("http://a/?key=secret"),
        vec![url("http://b/"), url("http://c/")],
    );
    let order = |bases: &FailOver| {
        bases
            .order()
            .map(|(_, base)| base.host_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(order(&bases), "abc");
    assert_eq!(bases.current().0, 0);
    bases.succeeded(0);
    assert_eq!(order(&bases), "abc");
    // Two requests fail at the first base URL: this switches once, not twice.
    bases.failed(0);
    bases.failed(0);
    assert_eq!(order(&bases), "bca");
    assert_eq!(bases.current().1.as_str(), "http://b/");
    bases.failed(1);
    bases.failed(2);
    assert_eq!(order(&bases), "abc");
    bases.succeeded(2);
    assert_eq!(order(&bases), "cab");
    for index in [3, 9] {
        bases.succeeded(index);
    }
    bases.failed(9);
    assert_eq!(order(&bases), "cab");
    let shown = format!("{bases:?}");
    assert!(shown.contains("http://b") && !shown.contains("secret"));

    let mut one = FailOver::new(url("http://a/"), Vec::new());
    one.failed(0);
    assert_eq!((one.len(), order(&one).as_str()), (1, "a"));
}

#[test]
fn a_list_of_base_urls_is_recognized_by_all_its_urls_in_order() {
    let bases = FailOver::new(url("http://a/"), vec![url("http://b/")]);
    for (first, others, expected) in [
        ("http://a/", &["http://b/"][..], true),
        ("http://x/", &["http://b/"], false),
        ("http://a/", &["http://x/"], false),
        ("http://a/", &[], false),
        ("http://b/", &["http://a/"], false),
    ] {
        let list: Vec<Url> = others.iter().map(|text| url(text)).collect();
        assert_eq!(
            bases.is_of(&url(first), &list),
            expected,
            "{first} {others:?}"
        );
    }
}

#[test]
fn a_failure_of_one_origin_does_not_reset_the_count_of_another() {
    let now = Instant::now();
    let mut circuits = Circuits::new(CircuitPolicy {
        when_open: OpenCircuitPolicy::FailFast,
        ..CircuitPolicy::default()
    });
    let (a, b) = (origin("http://a.b/"), origin("http://c.d/"));
    for _ in 0..4 {
        circuits.failed(&a, now);
    }
    circuits.failed(&b, now);
    assert_eq!(circuits.admit(&a, now), Admission::Go);
    circuits.failed(&a, now);
    assert_eq!(
        circuits.admit(&a, now),
        Admission::Refuse(now + 30 * SECOND)
    );
}
