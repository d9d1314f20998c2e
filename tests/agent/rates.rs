//! Bandwidth limits: per request, for all together, changed while content moves, on the virtual clock.

use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Event, Priority, Request, RequestId};

use crate::support::{chunks, finish, frames, pattern, run, setup, setup_with};

/// How many milliseconds a request took.
fn taken(network: &MemoryNetwork, agent: &mut Agent, request: Request) -> u128 {
    let began = network.now();
    run(network, agent, request).response();
    (network.now() - began).as_millis()
}

fn resource(server: &MockServer, bytes: usize) {
    server
        .any("/**")
        .reply(MockResponse::ok().bytes(pattern(bytes)));
}

#[test]
fn a_download_keeps_to_its_rate() {
    // A quarter of a second's worth comes at once: 250 000 of 1 000 000 bytes.
    for (rate, bytes, at_least, at_most) in [
        (1_000_000, 1_000_000, 740, 780),
        (100_000, 100_000, 740, 900),
        (500_000, 2_000_000, 3740, 3800),
    ] {
        let (network, server, mut agent) = setup();
        resource(&server, bytes);
        let request = Request::get("http://game.example/").rate_limit(Some(rate));
        let millis = taken(&network, &mut agent, request);
        assert!((at_least..=at_most).contains(&millis), "{rate}: {millis}");
    }
}

#[test]
fn an_upload_keeps_to_its_rate() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body(pattern(1_000_000))
        .expect_continue(None)
        .rate_limit(Some(500_000));
    let millis = taken(&network, &mut agent, request);
    assert!((1700..=1900).contains(&millis), "{millis}");
    assert!(server.requests()[0].body == pattern(1_000_000));
}

#[test]
fn all_together_keep_to_the_rate_of_all() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().global_rate_limit(Some(1_000_000)));
    resource(&server, 500_000);
    let handles: Vec<_> = (0..4)
        .map(|_| agent.get("http://game.example/").send().unwrap())
        .collect();
    let began = network.now();
    crate::support::finish_all(&network, &mut agent, 4);
    let millis = (network.now() - began).as_millis();
    assert!((1740..=1800).contains(&millis), "{millis}");
    drop(handles);
}

#[test]
fn rates_of_request_and_agent_compose() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().global_rate_limit(Some(1_000_000)));
    resource(&server, 500_000);
    let slow = agent
        .send(Request::get("http://game.example/").rate_limit(Some(100_000)))
        .unwrap();
    let fast = agent.get("http://game.example/").send().unwrap();
    let began = network.now();
    finish(&network, &mut agent, &fast).response();
    assert!((network.now() - began).as_millis() < 500);
    finish(&network, &mut agent, &slow).response();
    let millis = (network.now() - began).as_millis();
    assert!((4700..=4900).contains(&millis), "{millis}");
}

fn received(events: &[Event], id: RequestId) -> u64 {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { id: of, progress } if *of == id => Some(progress.received),
            _ => None,
        })
        .max()
        .unwrap_or(0)
}

#[test]
fn rates_change_while_content_moves() {
    let (network, server, mut agent) = setup();
    resource(&server, 10_000_000);
    let handle = agent
        .send(Request::get("http://game.example/").rate_limit(Some(100_000)))
        .unwrap();
    let first = received(&frames(&network, &mut agent, 101), handle.id());
    assert!((105_000..=130_000).contains(&first), "{first}");
    agent.set_rate_limit(handle.id(), Some(1_000_000));
    let second = received(&frames(&network, &mut agent, 100), handle.id());
    assert!((1_000_000..=1_150_000).contains(&second), "{second}");
    agent.set_global_rate_limit(Some(10_000));
    let third = received(&frames(&network, &mut agent, 100), handle.id());
    assert!(third - second < 25_000, "{third}");
    agent.set_global_rate_limit(None);
    agent.set_rate_limit(handle.id(), None);
    let outcome = finish(&network, &mut agent, &handle);
    assert!(*outcome.response().body() == pattern(10_000_000));
}

#[test]
fn an_uploads_rate_changes_while_it_moves() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body(pattern(5_000_000))
        .expect_continue(None)
        .rate_limit(Some(10_000));
    let handle = agent.send(request).unwrap();
    frames(&network, &mut agent, 100);
    agent.set_rate_limit(handle.id(), None);
    let began = network.now();
    finish(&network, &mut agent, &handle).response();
    assert!(network.now() - began < Duration::from_millis(500));
}

#[test]
fn a_rate_of_zero_lets_an_upload_go_on_without_limit() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body(pattern(1_000_000))
        .expect_continue(None)
        .rate_limit(Some(1_000));
    let handle = agent.send(request).unwrap();
    frames(&network, &mut agent, 5);
    agent.set_rate_limit(handle.id(), Some(0));
    let began = network.now();
    finish(&network, &mut agent, &handle).response();
    assert!(network.now() - began < Duration::from_secs(1));
}

#[test]
fn a_rate_limit_causes_no_timeout() {
    // The stall timeout is for the peer; here this side is slow.
    let (network, server, mut agent) = setup();
    resource(&server, 300_000);
    let mut timeouts = httpoll::Timeouts::default();
    timeouts.stall = Some(Duration::from_millis(300));
    let request = Request::get("http://game.example/")
        .rate_limit(Some(20_000))
        .timeouts(timeouts.clone());
    let millis = taken(&network, &mut agent, request);
    assert!(millis > 14_000, "{millis}");
    let request = Request::put("http://game.example/")
        .body(pattern(100_000))
        .expect_continue(None)
        .rate_limit(Some(10_000))
        .timeouts(timeouts);
    run(&network, &mut agent, request).response();
}

#[test]
fn priority_comes_first_when_bandwidth_is_short() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().global_rate_limit(Some(100_000)));
    resource(&server, 1_000_000);
    let get = |priority| Request::get("http://game.example/").priority(priority);
    let background = agent.send(get(Priority::Background)).unwrap();
    let gameplay = agent.send(get(Priority::Gameplay)).unwrap();
    let events = frames(&network, &mut agent, 300);
    let (low, high) = (
        received(&events, background.id()),
        received(&events, gameplay.id()),
    );
    assert!(high > 3 * low, "{high} and {low}");
    assert!(low + high > 280_000, "nothing is wasted: {high} and {low}");
    agent.set_priority(background.id(), Priority::Gameplay);
    agent.set_priority(gameplay.id(), Priority::Background);
    let events = frames(&network, &mut agent, 300);
    let now = (
        received(&events, background.id()).max(low),
        received(&events, gameplay.id()).max(high),
    );
    assert!(
        now.0 - low > 3 * (now.1 - high),
        "{now:?} from {low}, {high}"
    );
}

#[test]
fn a_chunk_is_never_more_than_the_rate_allows() {
    let (network, server, mut agent) = setup();
    resource(&server, 100_000);
    let handle = agent
        .send(
            Request::get("http://game.example/")
                .stream()
                .rate_limit(Some(40_000)),
        )
        .unwrap();
    let mut total = Vec::new();
    let began = network.now();
    while network.now() - began < Duration::from_secs(2) {
        total.extend_from_slice(&chunks(&frames(&network, &mut agent, 1)));
        let most = 10_000 + 40 * (network.now() - began).as_millis() as usize;
        assert!(total.len() <= most, "{} of {most}", total.len());
    }
    assert!(total.len() > 80_000);
    drop(handle);
}

#[test]
fn a_caller_that_polls_without_pause_gets_content_in_pieces_worth_their_cost() {
    let (network, server, mut agent) = setup();
    resource(&server, 100_000);
    let request = Request::get("http://game.example/").stream();
    let handle = agent.send(request.rate_limit(Some(40_000))).unwrap();
    let mut pieces = Vec::new();
    let began = network.now();
    while network.now() - began < Duration::from_secs(1) {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if let Event::Chunk { bytes, .. } = event {
                pieces.push(bytes.len());
            }
        }
        network.advance(Duration::from_micros(100));
    }
    let total: usize = pieces.iter().sum();
    assert!(total >= 40_000, "{total}");
    // At most one in ten milliseconds, after the first burst.
    assert!(pieces.len() <= 110, "{}", pieces.len());
    drop(handle);
}

#[test]
fn rates_hold_each_way_and_uploads_go_in_pieces() {
    let (network, server, mut agent) = setup();
    server.any("/up").reply(MockResponse::ok());
    resource(&server, 200_000);
    agent.set_global_rate_limit(Some(100_000));
    let reader = std::io::Cursor::new(crate::support::pattern(200_000));
    let up = Request::put("http://game.example/up")
        .body(httpoll::node::RequestBody::reader(reader, None))
        .expect_continue(None);
    let up = agent.send(up).unwrap();
    let down = agent.send(Request::get("http://game.example/")).unwrap();
    let began = network.now();
    let events = crate::support::finish_all(&network, &mut agent, 2);
    let millis = (network.now() - began).as_millis();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|(_, result)| result.is_ok()));
    // Neither takes from the other: two seconds, less what the bucket held, and not four.
    assert!((1600..=2000).contains(&millis), "{millis}");
    drop((up, down));
}

fn get(priority: Priority) -> Request {
    Request::get("http://game.example/").priority(priority)
}

#[test]
fn a_priority_keeps_to_its_rate_and_the_others_do_not_wait_for_it() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().priority_rate_limit(Priority::Background, Some(100_000)));
    resource(&server, 200_000);
    let slow: Vec<_> = (0..2)
        .map(|_| agent.send(get(Priority::Background)).unwrap())
        .collect();
    let fast = agent.send(get(Priority::Streaming)).unwrap();
    let began = network.now();
    finish(&network, &mut agent, &fast).response();
    assert!((network.now() - began).as_millis() < 100, "it has no limit");
    crate::support::finish_all(&network, &mut agent, 2);
    // Two of 200 000 bytes, less what the bucket held.
    let millis = (network.now() - began).as_millis();
    assert!((3650..=3950).contains(&millis), "{millis}");
    drop(slow);
}

#[test]
fn what_a_priority_may_not_use_is_left_to_the_others_within_the_rate_of_all() {
    let builder = Agent::builder()
        .global_rate_limit(Some(100_000))
        .priority_rate_limit(Priority::Gameplay, Some(20_000));
    let (network, server, mut agent) = setup_with(builder);
    resource(&server, 1_000_000);
    let first = agent.send(get(Priority::Gameplay)).unwrap();
    let last = agent.send(get(Priority::Background)).unwrap();
    let events = frames(&network, &mut agent, 300);
    let (high, low) = (received(&events, first.id()), received(&events, last.id()));
    // Three seconds and a quarter, of which a tick of 10 ms may be missing.
    assert!((55_000..=66_000).contains(&high), "{high}");
    assert!((250_000..=270_000).contains(&low), "{low}");
    assert!(high + low <= 326_000, "{high} and {low}");
    // With a larger rate of its own it goes first, and the others get what it leaves.
    agent.set_priority_rate_limit(Priority::Gameplay, Some(80_000));
    let events = frames(&network, &mut agent, 300);
    let now = (received(&events, first.id()), received(&events, last.id()));
    let (more_high, more_low) = (now.0 - high, now.1 - low);
    assert!((220_000..=262_000).contains(&more_high), "{more_high}");
    assert!((40_000..=80_000).contains(&more_low), "{more_low}");
}

#[test]
fn rates_of_priorities_change_while_content_moves() {
    let (network, server, mut agent) = setup();
    resource(&server, 10_000_000);
    agent.set_priority_rate_limit(Priority::Streaming, Some(100_000));
    let handle = agent.send(get(Priority::Streaming)).unwrap();
    let first = received(&frames(&network, &mut agent, 101), handle.id());
    assert!((105_000..=130_000).contains(&first), "{first}");
    agent.set_priority_rate_limit(Priority::Streaming, Some(1_000_000));
    let second = received(&frames(&network, &mut agent, 100), handle.id());
    assert!((1_000_000..=1_150_000).contains(&second), "{second}");
    // A request that changes its priority changes its rate.
    agent.set_priority_rate_limit(Priority::Background, Some(10_000));
    agent.set_priority(handle.id(), Priority::Background);
    let third = received(&frames(&network, &mut agent, 100), handle.id());
    assert!(third - second < 30_000, "{third}");
    // Another limit does not affect it, and without one it is free.
    agent.set_priority_rate_limit(Priority::Streaming, None);
    let fourth = received(&frames(&network, &mut agent, 100), handle.id());
    assert!((9_000..=11_000).contains(&(fourth - third)), "{fourth}");
    agent.set_priority_rate_limit(Priority::Background, Some(0));
    let began = network.now();
    let outcome = finish(&network, &mut agent, &handle);
    assert!(*outcome.response().body() == pattern(10_000_000));
    assert!((network.now() - began).as_millis() < 1000);
}

#[test]
fn uploads_keep_to_the_rates_of_their_priority_and_of_all() {
    let put = |priority| {
        Request::put("http://game.example/")
            .body(pattern(100_000))
            .expect_continue(None)
            .priority(priority)
    };
    let (network, server, mut agent) =
        setup_with(Agent::builder().priority_rate_limit(Priority::Background, Some(50_000)));
    server.any("/**").reply(MockResponse::ok());
    let slow = agent.send(put(Priority::Background)).unwrap();
    let fast = agent.send(put(Priority::Interface)).unwrap();
    let began = network.now();
    finish(&network, &mut agent, &fast).response();
    assert!((network.now() - began).as_millis() < 100);
    finish(&network, &mut agent, &slow).response();
    let millis = (network.now() - began).as_millis();
    assert!((1650..=1900).contains(&millis), "{millis}");
    // The rate of all is the smaller one.
    agent.set_global_rate_limit(Some(25_000));
    let millis = taken(&network, &mut agent, put(Priority::Background));
    assert!((3600..=4100).contains(&millis), "{millis}");
    // Both may go: the upload goes on at the rate of its priority.
    let handle = agent.send(put(Priority::Background)).unwrap();
    frames(&network, &mut agent, 10);
    agent.set_global_rate_limit(None);
    agent.set_priority_rate_limit(Priority::Background, None);
    let began = network.now();
    finish(&network, &mut agent, &handle).response();
    assert!((network.now() - began).as_millis() < 100);
}

/// How much each of these requests has sent, by the last progress that was reported.
fn note_sent(events: &[Event], sent: &mut std::collections::BTreeMap<RequestId, u64>) {
    for event in events {
        if let Event::Progress { id, progress } = event {
            sent.insert(*id, progress.sent);
        }
    }
}

#[test]
fn uploads_share_the_rate_of_all_equally() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().global_rate_limit(Some(1_000_000)));
    server.any("/**").reply(MockResponse::ok());
    let upload = || {
        Request::put("http://game.example/")
            .body(pattern(2_000_000))
            .expect_continue(None)
    };
    let handles: Vec<_> = (0..5).map(|_| agent.send(upload()).unwrap()).collect();
    let mut sent = std::collections::BTreeMap::new();
    let began = network.now();
    let mut before = vec![0; handles.len()];
    for second in 1..=9 {
        note_sent(&frames(&network, &mut agent, 100), &mut sent);
        let now: Vec<_> = handles.iter().map(|handle| sent[&handle.id()]).collect();
        let grown: Vec<u64> = now
            .iter()
            .zip(&before)
            .map(|(now, was)| now - was)
            .collect();
        let (least, most) = (grown.iter().min().unwrap(), grown.iter().max().unwrap());
        // The first one may take what had gathered before the others came.
        if (2..=8).contains(&second) {
            assert!(most - least <= 64 * 1024, "in second {second}: {grown:?}");
        }
        let total: u64 = now.iter().sum();
        let seconds = (network.now() - began).as_secs_f64();
        let allowed = 250_000.0 + seconds * 1_000_000.0;
        assert!((total as f64) < allowed + 5.0 * 16_384.0, "{total}");
        assert!((total as f64) > allowed * 0.9 - 250_000.0, "{total}");
        before = now;
    }
    crate::support::finish_all(&network, &mut agent, 5);
    let millis = (network.now() - began).as_millis();
    assert!((9_700..=10_000).contains(&millis), "{millis}");
}

#[test]
fn an_upload_that_its_peer_does_not_take_leaves_the_rate_to_the_others() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().global_rate_limit(Some(1_000_000)));
    server.any("/**").reply(MockResponse::ok());
    // Nobody reads from it, so its connection is soon full.
    network.listen("10.0.0.9:80".parse().unwrap());
    let upload = |url: &str| {
        Request::put(url)
            .body(pattern(2_000_000))
            .expect_continue(None)
    };
    let stuck = agent.send(upload("http://10.0.0.9/")).unwrap();
    frames(&network, &mut agent, 50);
    let began = network.now();
    let handle = agent.send(upload("http://game.example/")).unwrap();
    finish(&network, &mut agent, &handle).response();
    let millis = (network.now() - began).as_millis();
    assert!(millis < 2_600, "{millis}");
    drop(stuck);
}
