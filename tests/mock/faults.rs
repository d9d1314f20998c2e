//! Delays, drips, cuts, resets and seeded faults.

use super::support::{content, until_head};
use super::{SECOND, ask, connect, has_line, mock};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{Fault, FaultRates, MockConnections, MockResponse};
use httpoll::{ErrorKind, HttpClient, Method, Phase, Status, Timeouts, error::NetworkFault};
use std::time::Duration;

/// When the head came, and when the content, from the request on.
pub(crate) fn timed(
    network: &MemoryNetwork,
    http: &mut HttpClient,
) -> (Duration, Duration, Vec<u8>) {
    let start = network.now();
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.wait(None).unwrap();
    }
    let head = network.now() - start;
    let mut body = Vec::new();
    while http.get_status() == Status::Body {
        let chunk = http.read_response_body_chunk().unwrap();
        body.extend_from_slice(&chunk);
        if chunk.is_empty() && http.get_status() == Status::Body {
            http.wait(None).unwrap();
        }
    }
    (head, network.now() - start, body)
}

#[test]
fn delays_and_drips_are_exact_in_virtual_time() {
    let plain = || MockResponse::ok().bytes("0123456789");
    for (response, latency, head, end) in [
        (plain(), 0, 0, 0),
        (plain(), 100, 200, 200),
        (plain().delay(SECOND), 0, 1000, 1000),
        (plain().delay(SECOND), 100, 1200, 1200),
        (plain().drip(3, SECOND), 0, 0, 3000),
        (plain().drip(5, SECOND).delay(SECOND), 100, 1200, 2200),
        (plain().drip(100, SECOND), 0, 0, 0),
        (
            MockResponse::ok()
                .chunked(["01234", "56789"])
                .drip(5, SECOND),
            0,
            0,
            1000,
        ),
        (
            MockResponse::ok().until_close("0123456789").drip(5, SECOND),
            0,
            0,
            1000,
        ),
    ] {
        let (network, server, mut http) = mock();
        network.set_latency(Duration::from_millis(latency));
        server.get("/").reply(response);
        let (headed, ended, body) = timed(&network, &mut http);
        assert_eq!(body, b"0123456789");
        assert_eq!((headed.as_millis(), ended.as_millis()), (head, end));
    }
}

#[test]
fn cuts_resets_and_silence_become_errors() {
    let whole = || MockResponse::ok().bytes("0123456789");
    let truncated = |received| ErrorKind::Truncated {
        received,
        expected: Some(10),
    };
    let broken = ErrorKind::Network(NetworkFault::Broken);
    let stalled = ErrorKind::Timeout(Phase::ReceiveBody);
    for (response, received, expected) in [
        (whole().cut_after(4), 4, truncated(4)),
        (whole().drip(1, SECOND).cut_after(4), 4, truncated(4)),
        (whole().reset_after(4), 4, broken.clone()),
        (whole().reset_after(4).drip(2, SECOND), 4, broken),
        (whole().stall_after(4), 4, stalled),
        (whole().never(), 0, ErrorKind::Timeout(Phase::AwaitHead)),
        (
            MockResponse::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
            3,
            truncated(3),
        ),
    ] {
        let (network, server, mut http) = mock();
        http.set_timeouts(Timeouts::with(|it| {
            it.head = Some(5 * SECOND);
            it.stall = Some(5 * SECOND);
        }));
        server.get("/").reply(response);
        http.request(Method::Get, "/", &[], "").unwrap();
        until_head(&network, &mut http);
        let (content, error) = match http.get_error() {
            Some(error) => (Vec::new(), error.clone()),
            None => content(&network, &mut http).unwrap_err(),
        };
        assert_eq!((content.len(), error.kind()), (received, &expected));
    }
}

#[test]
fn a_cut_download_is_resumed() {
    let (network, server, mut http) = mock();
    let data = "0123456789".repeat(100);
    let resource = |tag: &str| MockResponse::resource(data.clone()).etag(tag);
    server
        .get("/file")
        .reply(resource("\"a\"").cut_after(400))
        .then_reply(resource("\"a\""))
        .then_reply(resource("\"b\""));
    http.request(Method::Get, "/file", &[], "").unwrap();
    until_head(&network, &mut http);
    let (mut part, _) = content(&network, &mut http).unwrap_err();
    assert_eq!(part.len(), 400);
    connect(&network, &mut http);
    let resume = ["Range: bytes=400-", "If-Range: \"a\""];
    let target = (Method::Get, "/file");
    let (code, rest) = ask(&network, &mut http, target, &resume, "");
    part.extend_from_slice(rest.as_bytes());
    assert_eq!((code, part), (206, data.clone().into_bytes()));
    assert!(has_line(&http, "Content-Range: bytes 400-999/1000"));
    let (code, all) = ask(&network, &mut http, target, &resume, "");
    assert_eq!((code, all), (200, data));
}

/// How each of 60 requests ended, and what was done to it.
fn outcomes(seed: u64) -> (Vec<String>, Vec<Option<Fault>>, MockConnections) {
    let (network, server, mut http) = mock();
    http.set_timeouts(Timeouts::with(|it| {
        it.head = Some(10 * SECOND);
    }));
    server
        .get("/")
        .reply(MockResponse::ok().bytes("0123456789"));
    server.faults(
        seed,
        FaultRates::with(|it| {
            it.refuse = 0.3;
            it.unavailable = 0.1;
            it.silence = 0.1;
            it.delay = 0.1;
            it.drip = 0.1;
            it.cut = 0.1;
            it.reset = 0.1;
        }),
    );
    let mut outcomes = Vec::new();
    for _ in 0..60 {
        while http.get_status() != Status::Connected {
            http.close();
            connect(&network, &mut http);
        }
        let start = network.now();
        http.request(Method::Get, "/", &[], "").unwrap();
        until_head(&network, &mut http);
        let end = match http.get_error() {
            Some(error) => format!("{error}"),
            None => format!("{:?}", content(&network, &mut http)),
        };
        outcomes.push(format!("{:?} {end}", network.now() - start));
    }
    let faults = server.requests().iter().map(|it| it.fault).collect();
    (outcomes, faults, server.connections())
}

#[test]
fn a_seed_decides_what_goes_wrong() {
    let first = outcomes(7);
    assert_eq!(first, outcomes(7));
    assert_ne!(first.1, outcomes(8).1);
    let (_, faults, connections) = first;
    assert!(connections.refused > 0);
    let had = |is: fn(&Fault) -> bool| faults.iter().flatten().any(is);
    assert!(faults.contains(&None));
    assert!(had(|it| matches!(it, Fault::Unavailable)));
    assert!(had(|it| matches!(it, Fault::Silence)));
    assert!(had(|it| matches!(it, Fault::Delay(_))));
    assert!(had(|it| matches!(it, Fault::Drip(..))));
    assert!(had(|it| matches!(it, Fault::Cut(_))));
    assert!(had(|it| matches!(it, Fault::Reset(_))));
}

#[test]
fn each_request_ends_whatever_the_seed() {
    for seed in 100..150 {
        let (outcomes, ..) = outcomes(seed);
        assert_eq!(outcomes.len(), 60, "seed {seed}");
    }
}
