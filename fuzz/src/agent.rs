//! A whole agent on the in-memory network, against a peer that sends what the fuzzer wants, in pieces,
//! late, and over as many connections as are opened.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{
    Agent, Event, Limits, PollAt, Request, RequestId, RetryPolicy, Timeouts,
    agent::{CacheMode, PoolLimits, WebSocketOptions},
    auth::Credentials,
    proxy::ProxySettings,
    websocket::WebSocketConfig,
};

use crate::{Choices, pieces};

/// No response has more content.
const MOST_CONTENT: u64 = 4096;

/// More waits than any run needs: each moves the clock to the next thing that happens.
const MOST_WAITS: usize = 3000;

/// How the agent reaches its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Direct,
    /// Through a proxy: the peer plays proxy and server both.
    Proxy,
}

/// What all connections of a run send, one after the other.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    choices: Choices,
}

/// Requests against a peer that sends these bytes. Each must end once, whatever comes.
pub fn agent(choices: &Choices, bytes: &[u8], way: Way) {
    let mut choices = choices.clone();
    let network = MemoryNetwork::new();
    for (name, address) in [("a.example", "10.0.0.1"), ("b.example", "10.0.0.2")] {
        network.add_name(name, &[address.parse().unwrap()]);
    }
    let script = Arc::new(Mutex::new(Script {
        pieces: pieces(&choices, bytes).map(<[u8]>::to_vec).collect(),
        choices: choices.clone(),
    }));
    for address in ["10.0.0.1:80", "10.0.0.2:80"] {
        let script = Arc::clone(&script);
        network.serve(address.parse().unwrap(), move || {
            let script = Arc::clone(&script);
            let mut has_begun = false;
            move |peer: &mut Peer| {
                has_begun |= !peer.take_received().is_empty();
                if has_begun && !peer.is_closed() {
                    play(&mut script.lock().unwrap(), peer);
                }
            }
        });
    }
    let mut agent = build(&mut choices, way, &network);
    let mut asked: Vec<(RequestId, bool)> = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..1 + choices.bits(1) {
        let handle = agent.send(request(&mut choices)).unwrap();
        asked.push((handle.id(), false));
        handles.push(handle);
    }
    let mut waits = 0;
    while asked.iter().any(|(_, is_over)| !is_over) {
        waits += 1;
        assert!(waits < MOST_WAITS, "it does not end");
        let polled = agent.wait(None);
        let mut events = 0;
        while let Some(event) = agent.next_event() {
            events += 1;
            assert!(events < 10_000, "no end of events");
            note(&mut asked, event);
        }
        assert!(
            polled.next != PollAt::Idle || asked.iter().all(|(_, is_over)| *is_over),
            "it says that it is idle"
        );
    }
    agent.close_idle_connections();
    for _ in 0..3 {
        network.advance(Duration::from_millis(100));
        agent.poll();
        while let Some(event) = agent.next_event() {
            note(&mut asked, event);
        }
    }
    assert_eq!(network.open_connections(), 0, "left open");
}

/// Sends the next piece, now or later, or ends the connection when there is none.
fn play(script: &mut Script, peer: &mut Peer) {
    let pause = Duration::from_millis([0, 0, 1, 200][script.choices.below(4)]);
    match script.pieces.pop_front() {
        Some(piece) => {
            peer.send(&piece);
            peer.wake_after(pause);
        }
        None => match script.choices.below(4) {
            0 | 1 => peer.close_after(pause),
            2 => peer.reset_after(pause),
            _ => {}
        },
    }
}

fn build(choices: &mut Choices, way: Way, network: &MemoryNetwork) -> Agent {
    let mut pool = PoolLimits::default();
    pool.per_host = 1;
    let mut retries = RetryPolicy::standard();
    retries.retries = choices.bits(1);
    retries.on_connect_failure = false;
    let mut limits = Limits::default();
    limits.head_bytes = 1024;
    limits.interim_responses = 3;
    let mut builder = Agent::builder()
        .pool(pool)
        .limits(limits)
        .defaults(
            RequestOptions::new()
                .retries(retries)
                .timeouts(Timeouts::with(|it| {
                    it.head = Some(Duration::from_secs(2));
                    it.stall = Some(Duration::from_secs(1));
                }))
                .total_timeout(Duration::from_secs(10))
                .max_body(MOST_CONTENT),
        )
        .cookies(Default::default())
        .cache(Default::default());
    if way == Way::Proxy {
        let url = [
            "http://a.example:80",
            "socks5h://u:p@a.example:80",
            "socks5://a.example:80",
        ][choices.bits(2) as usize % 3];
        let proxies = ProxySettings::default().with_all(url).unwrap();
        builder = builder.defaults(RequestOptions::new().proxies(proxies));
    }
    builder.build_on_memory(network)
}

fn request(choices: &mut Choices) -> Request {
    let url = "http://b.example/a/b?token=hidden";
    match choices.bits(3) {
        0 => Request::get(url),
        1 => Request::get(url).stream(),
        2 => Request::get(url).event_stream(),
        3 => Request::head(url).cache_mode(CacheMode::NoStore),
        4 => Request::post(url).text("hello").expect_continue(Some(0)),
        5 => {
            let mut config = WebSocketConfig::default();
            config.message_bytes = 512;
            config.frame_bytes = 256;
            config.shows_control_frames = true;
            Request::get(url).web_socket(WebSocketOptions::new().config(config))
        }
        6 => Request::get(url).credentials(Credentials::Any {
            user: "ann".to_owned(),
            password: "secret".to_owned(),
        }),
        _ => Request::get(url).decompress(true).report_heads(true),
    }
    .proxy_tunnel(choices.flag())
}

fn note(asked: &mut [(RequestId, bool)], event: Event) {
    let Some(id) = event.id() else {
        return;
    };
    let (_, is_over) = asked.iter_mut().find(|(other, _)| *other == id).unwrap();
    assert!(!*is_over, "told after its end: {event:?}");
    let response = match event {
        Event::Done { response, .. } => Some(response),
        Event::Failed {
            error, response, ..
        } => {
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("secret") && !shown.contains("token=hidden"),
                "{shown}"
            );
            response
        }
        Event::Chunk { bytes, .. } => {
            assert!(!bytes.is_empty());
            return;
        }
        _ => return,
    };
    *is_over = true;
    if let Some(response) = response {
        assert!(response.body().len() as u64 <= MOST_CONTENT);
    }
}
