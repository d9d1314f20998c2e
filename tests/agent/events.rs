//! Which events are reported, in which order, and that each request ends exactly once.

use std::collections::HashMap;
use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::mock::{FaultRates, MockResponse};
use httpoll::{Agent, Event, Phase, Request, RequestId, RetryPolicy};

use crate::support::{chunks, frames, pattern, run, setup, setup_with};

#[test]
fn events_come_in_the_order_in_which_things_happened() {
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(302).header("Location", "/b"));
    server
        .get("/b")
        .reply(MockResponse::with_status(503))
        .then_reply(
            MockResponse::ok()
                .bytes(pattern(100_000))
                .drip(10_000, Duration::from_millis(10)),
        );
    let request = Request::get("http://game.example/a")
        .stream()
        .retries(RetryPolicy::standard());
    let outcome = run(&network, &mut agent, request);
    let mut names: Vec<&str> = outcome
        .events
        .iter()
        .map(|event| match event {
            Event::Phase { phase, .. } => match phase {
                Phase::Resolve => "resolve",
                Phase::Connect => "connect",
                Phase::SendHead => "send head",
                Phase::AwaitHead => "await head",
                Phase::ReceiveBody => "receive body",
                _ => "other",
            },
            Event::Redirect { .. } => "redirect",
            Event::WillRetry { .. } => "retry",
            Event::Head { .. } => "head",
            Event::Chunk { .. } => "chunk",
            Event::Progress { .. } => "progress",
            _ => "?",
        })
        .filter(|name| *name != "progress")
        .collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "resolve",
            "connect",
            "send head",
            "await head",
            "receive body",
            "redirect",
            "send head",
            "await head",
            "receive body",
            "retry",
            "send head",
            "await head",
            "receive body",
            "head",
            "chunk"
        ]
    );
    assert!(chunks(&outcome.events) == pattern(100_000));
}

#[test]
fn progress_is_reported_once_per_pull() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(3_000_000)));
    let handle = agent.get("http://game.example/").send().unwrap();
    for _ in 0..400 {
        agent.poll();
        let mut reported = 0;
        while let Some(event) = agent.next_event() {
            reported += usize::from(matches!(event, Event::Progress { .. }));
        }
        assert!(reported <= 1);
        network.advance(Duration::from_millis(10));
    }
    // Polled many times and pulled once: still one.
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::ok()
            .bytes(pattern(100_000))
            .drip(1000, Duration::from_millis(10)),
    );
    let other = agent.get("http://game.example/").send().unwrap();
    for _ in 0..60 {
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    let mut progress = Vec::new();
    while let Some(event) = agent.next_event() {
        if let Event::Progress {
            progress: reported, ..
        } = event
        {
            progress.push(reported);
        }
    }
    assert_eq!(progress.len(), 1);
    assert!(
        progress[0].received >= 50_000,
        "the last report has the present figures"
    );
    assert_eq!(progress[0].phase, Phase::ReceiveBody);
    assert_eq!(
        progress[0].fraction(),
        Some(progress[0].received as f32 / 100_000.0)
    );
    drop((handle, other));
}

#[test]
fn each_of_many_requests_ends_exactly_once_whatever_goes_wrong() {
    for seed in 0..6 {
        let (network, server, mut agent) = setup_with(
            Agent::builder().defaults(
                RequestOptions::new()
                    .retries(RetryPolicy::standard())
                    .total_timeout(Duration::from_secs(40)),
            ),
        );
        server
            .any("/**")
            .reply(MockResponse::resource(pattern(20_000)).etag("\"a\""));
        let rates = FaultRates::with(|it| {
            it.refuse = 0.1;
            it.unavailable = 0.1;
            it.silence = 0.05;
            it.delay = 0.2;
            it.drip = 0.2;
            it.cut = 0.1;
            it.reset = 0.1;
        });
        server.faults(seed, rates);
        let mut handles = Vec::new();
        for number in 0..60 {
            let url = format!("http://game.example/{number}");
            let request = match number % 4 {
                0 => Request::get(url),
                1 => Request::get(url).stream().decompress(false),
                2 => Request::post(url).body("x"),
                _ => Request::put(url).body(pattern(30_000)),
            };
            handles.push(agent.send(request).unwrap());
        }
        let mut ends: HashMap<RequestId, usize> = HashMap::new();
        let mut content: HashMap<RequestId, Vec<u8>> = HashMap::new();
        for _ in 0..10_000 {
            for event in frames(&network, &mut agent, 1) {
                let id = event.id().unwrap();
                assert!(
                    !ends.contains_key(&id),
                    "nothing is reported after the end: {event:?}"
                );
                match event {
                    Event::Done { response, .. } => {
                        let streamed = content.remove(&id);
                        if response.status().as_u16() == 200 {
                            let got = streamed.unwrap_or(response.body().to_vec());
                            assert!(got == pattern(20_000), "{id} {} {response:?}", got.len());
                        }
                        *ends.entry(id).or_default() += 1;
                    }
                    Event::Failed { .. } => *ends.entry(id).or_default() += 1,
                    Event::Chunk { bytes, .. } => {
                        content.entry(id).or_default().extend_from_slice(&bytes)
                    }
                    _ => {}
                }
            }
            if ends.len() == 60 {
                break;
            }
        }
        assert_eq!(ends.len(), 60, "seed {seed}");
        drop(handles);
        agent.close_idle_connections();
        frames(&network, &mut agent, 3);
        assert_eq!(network.open_connections(), 0);
    }
}

#[test]
fn timings_are_monotone_and_true() {
    let (network, server, mut agent) = setup();
    network.add_slow_name(
        "slow.example",
        &[server.addresses()[0].ip()],
        Duration::from_millis(50),
    );
    network.set_latency(Duration::from_millis(20));
    server.get("/").reply(
        MockResponse::ok()
            .bytes(pattern(5000))
            .delay(Duration::from_millis(100))
            .drip(1000, Duration::from_millis(10)),
    );
    for reused in [false, true] {
        let outcome = run(&network, &mut agent, Request::get("http://slow.example/"));
        let timings = outcome.response().timings();
        let steps = [
            timings.queue,
            timings.namelookup,
            timings.connect,
            timings.pretransfer,
            timings.starttransfer,
            timings.total,
        ];
        assert!(
            steps.windows(2).all(|pair| pair[0] <= pair[1]),
            "{timings:?}"
        );
        assert_eq!(timings.appconnect, Duration::ZERO);
        assert_eq!(timings.redirect, Duration::ZERO);
        if reused {
            assert!(timings.connect.as_millis() < 20, "{timings:?}");
        } else {
            assert!(
                (50..=70).contains(&timings.namelookup.as_millis()),
                "{timings:?}"
            );
            assert!(
                (90..=120).contains(&timings.connect.as_millis()),
                "{timings:?}"
            );
        }
        let waited = (timings.starttransfer - timings.pretransfer).as_millis();
        assert!((140..=180).contains(&waited), "{timings:?}");
        assert!((timings.total - timings.starttransfer).as_millis() >= 40);
        assert_eq!(outcome.response().time_taken(), timings.total);
    }
}

#[test]
fn time_in_the_queue_is_reported() {
    let mut limits = httpoll::agent::PoolLimits::default();
    limits.per_host = 1;
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    server
        .get("/")
        .reply(MockResponse::ok().delay(Duration::from_millis(200)));
    let first = agent.get("http://game.example/").send().unwrap();
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    let queue = outcome.response().timings().queue.as_millis();
    assert!((200..=230).contains(&queue), "{queue}");
    drop(first);
}

#[test]
fn debugging_shows_no_secrets() {
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(302).header("Location", "/b?token=hush"));
    server.get("/b").reply(
        MockResponse::ok()
            .header("Set-Cookie", "sid=hush")
            .bytes("hush"),
    );
    let request = Request::get("http://me:hush@game.example/a?key=hush")
        .header("Authorization", "hush")
        .cookie("c", "hush")
        .body("hush");
    assert!(!format!("{request:?}").contains("hush"), "{request:?}");
    let outcome = run(&network, &mut agent, request);
    assert!(
        !format!("{:?}", outcome.response()).contains("hush"),
        "{:?}",
        outcome.response()
    );
    assert!(
        !format!("{:?}", outcome.events).contains("hush"),
        "{:?}",
        outcome.events
    );
    assert!(
        !format!("{:?}", outcome.response().history()).contains("hush"),
        "{:?}",
        outcome.response().history()
    );
    assert!(!format!("{agent:?}").contains("hush"));
}
