use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn status(code: u16) -> Outcome {
    Outcome::Status {
        status: StatusCode::from_u16(code).unwrap(),
        retry_after: None,
    }
}

fn asking(code: u16, seconds: u64) -> Outcome {
    Outcome::Status {
        status: StatusCode::from_u16(code).unwrap(),
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

fn failed(transient: bool, reach: Reach) -> Outcome {
    Outcome::Failed { transient, reach }
}

fn request(method: &Method) -> Repeatable<'_> {
    Repeatable {
        method,
        content_repeats: true,
        idempotency_key: false,
    }
}

fn first(policy: &RetryPolicy, request: Repeatable<'_>, outcome: Outcome) -> Option<Duration> {
    let now = Instant::now();
    RetryState::new(now).next(policy, request, outcome, now, u64::MAX)
}

#[test]
fn by_default_nothing_is_retried() {
    let policy = RetryPolicy::default();
    assert_eq!(first(&policy, request(&Method::GET), status(503)), None);
}

#[test]
fn which_outcomes_are_retried() {
    let policy = RetryPolicy::standard();
    // (section of RFC 9110, method, outcome, retried)
    for (section, method, outcome, again) in [
        ("9.2.2", Method::GET, status(503), true),
        ("9.2.2", Method::HEAD, status(500), true),
        ("9.2.2", Method::PUT, status(502), true),
        ("9.2.2", Method::DELETE, status(504), true),
        ("9.2.2", Method::OPTIONS, status(408), true),
        ("9.2.2", Method::GET, status(429), true),
        ("9.2.2", Method::POST, status(503), false),
        ("9.2.2", Method::PATCH, status(429), false),
        ("15", Method::GET, status(200), false),
        ("15", Method::GET, status(404), false),
        ("15", Method::GET, status(501), false),
        ("15", Method::GET, status(505), false),
        ("9.2.2", Method::GET, failed(true, Reach::Sent), true),
        ("9.2.2", Method::POST, failed(true, Reach::Sent), false),
        ("9.2.2", Method::POST, failed(true, Reach::Unsent), true),
        (
            "9.2.2",
            Method::POST,
            failed(true, Reach::Unconnected),
            true,
        ),
        ("9.2.2", Method::GET, failed(false, Reach::Sent), false),
        (
            "9.2.2",
            Method::GET,
            failed(false, Reach::Unconnected),
            false,
        ),
    ] {
        assert_eq!(
            first(&policy, request(&method), outcome).is_some(),
            again,
            "RFC 9110 §{section}: {method} {outcome:?}"
        );
    }
}

#[test]
fn a_post_needs_a_key_or_the_policy_and_lost_content_prevents_any_retry() {
    let mut policy = RetryPolicy::standard();
    let post = request(&Method::POST);
    let keyed = Repeatable {
        idempotency_key: true,
        ..post
    };
    for outcome in [status(503), failed(true, Reach::Sent)] {
        assert_eq!(first(&policy, post, outcome), None);
        assert!(first(&policy, keyed, outcome).is_some());
    }
    policy.non_idempotent = true;
    assert!(first(&policy, post, status(503)).is_some());
    let spent = Repeatable {
        content_repeats: false,
        ..post
    };
    assert_eq!(first(&policy, spent, status(503)), None);

    policy.on_connect_failure = false;
    let unconnected = failed(true, Reach::Unconnected);
    assert_eq!(first(&policy, post, unconnected), None);
    assert!(first(&policy, post, failed(true, Reach::Unsent)).is_some());
}

#[test]
fn delays_double_up_to_the_cap_and_jitter_spreads_them() {
    let mut policy = RetryPolicy::standard();
    policy.retries = 100;
    policy.window = Duration::MAX;
    let now = Instant::now();
    let mut state = RetryState::new(now);
    for milliseconds in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        let longest = Duration::from_millis(milliseconds);
        for (random, low, high) in [
            (0, Duration::ZERO, Duration::ZERO),
            (1 << 63, longest / 2, longest / 2),
            (u64::MAX, longest - Duration::from_nanos(1), longest),
        ] {
            let delay = state
                .clone()
                .next(&policy, request(&Method::GET), status(503), now, random)
                .unwrap();
            assert!((low..=high).contains(&delay), "{delay:?} of {longest:?}");
        }
        state.next(&policy, request(&Method::GET), status(503), now, 0);
    }
    policy.jitter = false;
    let delay = state.next(&policy, request(&Method::GET), status(503), now, 7);
    assert_eq!(delay, Some(30 * SECOND));
    // The largest values do not overflow.
    policy.factor = u32::MAX;
    policy.base_delay = Duration::MAX;
    policy.max_delay = Duration::MAX;
    policy.jitter = true;
    assert!(policy.delay(u32::MAX, u64::MAX) > SECOND);
}

#[test]
fn retries_are_limited_by_number_and_time() {
    let policy = RetryPolicy::standard();
    let now = Instant::now();
    let mut state = RetryState::new(now);
    for retried in 0..3 {
        assert_eq!(state.retried(), retried);
        let delay = state.next(&policy, request(&Method::GET), status(503), now, 1);
        assert!(delay.is_some());
    }
    assert_eq!(
        state.next(&policy, request(&Method::GET), status(503), now, 1),
        None
    );

    let mut state = RetryState::new(now);
    let late = now + 60 * SECOND;
    let outcome = status(503);
    let get = request(&Method::GET);
    assert_eq!(state.next(&policy, get, outcome, late, u64::MAX), None);
    assert_eq!(
        state.next(&policy, get, outcome, late, 0),
        Some(Duration::ZERO)
    );
    // A refused retry is not counted.
    assert_eq!(state.retried(), 1);
}

#[test]
fn retry_after_is_respected_up_to_its_limit() {
    let mut policy = RetryPolicy::standard();
    policy.jitter = false;
    let get = request(&Method::GET);
    // RFC 9110 §10.2.3
    for (seconds, delay) in [
        (0, Some(Duration::from_millis(500))),
        (7, Some(7 * SECOND)),
        (60, Some(60 * SECOND)),
        (61, None),
        (86_400, None),
    ] {
        assert_eq!(
            first(&policy, get, asking(503, seconds)),
            delay,
            "{seconds} s"
        );
    }
    policy.max_retry_after = Duration::MAX;
    assert_eq!(
        first(&policy, get, asking(503, 61)),
        None,
        "beyond the window"
    );
    policy.respect_retry_after = false;
    let delay = first(&policy, get, asking(503, 61));
    assert_eq!(delay, Some(Duration::from_millis(500)));
}

#[test]
fn retry_after_values_are_parsed_or_ignored() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let day = 24 * 60 * 60;
    // RFC 9110 §10.2.3, dates in the three formats of §5.6.7
    for (value, seconds) in [
        (&b"0"[..], Some(0)),
        (b"120", Some(120)),
        (b" 120 ", Some(120)),
        (b"000120", Some(120)),
        (b"86400", Some(day)),
        (b"86401", Some(day)),
        (b"18446744073709551616", Some(day)),
        (b"99999999999999999999999999999999999999", Some(day)),
        (b"Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        (b"Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
        (b"Sun Nov  6 08:49:47 1994", Some(10)),
        (b"Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", Some(day)),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        (b"Thu, 01 Jan 0000 00:00:00 GMT", None),
        (b"", None),
        (b"-1", None),
        (b"+1", None),
        (b"1.5", None),
        (b"1e3", None),
        (b"soon", None),
        (b"\xff\xff", None),
        (b"12 12", None),
        (b"Sun, 06 Nov 1994", None),
    ] {
        assert_eq!(
            parse_retry_after(value, now),
            seconds.map(Duration::from_secs),
            "{:?}",
            String::from_utf8_lossy(value)
        );
    }
    assert!(parse_retry_after(b"1", SystemTime::UNIX_EPOCH).is_some());
}

#[test]
fn errors_determine_whether_a_retry_is_allowed() {
    let fault = |kind: ErrorKind, phase, sent, received| {
        Outcome::of(
            &Error::new(kind)
                .at(phase, "http://a.b")
                .moved(sent, received),
        )
    };
    for (kind, phase, sent, received, expected) in [
        (
            ErrorKind::Network(NetworkFault::Unresolved),
            Phase::Resolve,
            0,
            0,
            failed(true, Reach::Unconnected),
        ),
        (
            ErrorKind::Network(NetworkFault::ConnectFailed),
            Phase::Connect,
            0,
            0,
            failed(true, Reach::Unconnected),
        ),
        (
            ErrorKind::Network(NetworkFault::Closed),
            Phase::SendHead,
            0,
            0,
            failed(true, Reach::Unsent),
        ),
        (
            ErrorKind::Network(NetworkFault::Broken),
            Phase::AwaitHead,
            90,
            0,
            failed(true, Reach::Sent),
        ),
        // A server that responds has seen the request, whatever was counted as sent.
        (
            ErrorKind::Network(NetworkFault::Broken),
            Phase::AwaitHead,
            0,
            5,
            failed(true, Reach::Sent),
        ),
        (
            ErrorKind::Truncated {
                received: 1,
                expected: None,
            },
            Phase::ReceiveBody,
            9,
            9,
            failed(true, Reach::Sent),
        ),
        (
            ErrorKind::Timeout(Phase::AwaitHead),
            Phase::AwaitHead,
            9,
            0,
            failed(true, Reach::Sent),
        ),
        (
            ErrorKind::Network(NetworkFault::CorsRefused),
            Phase::AwaitHead,
            9,
            0,
            failed(false, Reach::Sent),
        ),
        (
            ErrorKind::Network(NetworkFault::FetchFailed),
            Phase::AwaitHead,
            9,
            0,
            failed(false, Reach::Sent),
        ),
        (
            ErrorKind::Network(NetworkFault::Blocked),
            Phase::AwaitHead,
            9,
            0,
            failed(false, Reach::Sent),
        ),
        (
            // No file descriptor was left; there may be one later.
            ErrorKind::Network(NetworkFault::System),
            Phase::Connect,
            0,
            0,
            failed(true, Reach::Unconnected),
        ),
        (
            ErrorKind::Network(NetworkFault::System),
            Phase::ReceiveBody,
            9,
            9,
            failed(false, Reach::Sent),
        ),
        (
            ErrorKind::Tls(crate::error::TlsFault::CertificateExpired),
            Phase::TlsHandshake,
            0,
            0,
            failed(false, Reach::Unconnected),
        ),
        (
            ErrorKind::RequestBody,
            Phase::SendBody,
            9,
            0,
            failed(false, Reach::Sent),
        ),
    ] {
        assert_eq!(
            fault(kind.clone(), phase, sent, received),
            expected,
            "{kind:?}"
        );
    }
}
