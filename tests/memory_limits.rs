//! What an agent and a topic hold at their limits, whatever a server sends, counted on this thread's heap.
//! This is a test program of its own because `allocation_counter` replaces the allocator.

#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use httpoll::agent::RequestOptions;
use httpoll::cache::HttpCache;
use httpoll::event_stream::ServerSentEvent;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::server::topic::Topic;
use httpoll::{Agent, ErrorKind, Event, Request};

/// The buffers of one connection and of the network in memory.
const BUFFERS: u64 = 1024 * 1024;

/// A server that answers each request with what this returns for the request's number.
fn serve(network: &MemoryNetwork, respond: fn(u32) -> Cow<'static, str>) {
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    network.serve("10.0.0.1:80".parse().unwrap(), move || {
        let (mut received, mut count) = (Vec::new(), 0);
        move |peer: &mut Peer| {
            received.extend(peer.take_received());
            while let Some(end) = received.windows(4).position(|it| it == b"\r\n\r\n") {
                received.drain(..end + 4);
                count += 1;
                peer.send(respond(count).as_bytes());
            }
        }
    });
}

/// Runs one request to its end. `None`: it failed with the limit of its content.
fn run(network: &MemoryNetwork, agent: &mut Agent, url: &str) -> Option<usize> {
    let _request = agent.send(Request::get(url)).unwrap();
    for _ in 0..100_000 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => return Some(response.body().len()),
                Event::Failed { error, .. } => {
                    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
                    return None;
                }
                _ => {}
            }
        }
        network.advance(Duration::from_millis(1));
    }
    panic!("no end");
}

#[test]
fn collected_content_in_tiny_chunks_takes_no_more_than_its_limit() {
    const LIMIT: u64 = 64 * 1024;
    static RESPONSE: LazyLock<String> = LazyLock::new(|| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        head.to_owned() + &"1\r\nx\r\n".repeat(100_000) + "0\r\n\r\n"
    });
    let network = MemoryNetwork::new();
    let length = RESPONSE.len() as u64;
    serve(&network, |_| Cow::Borrowed(RESPONSE.as_str()));
    let defaults = RequestOptions::new().max_body(LIMIT);
    let mut agent = Agent::builder()
        .defaults(defaults)
        .build_on_memory(&network);
    let mut result = Some(0);
    let used = measure(|| result = run(&network, &mut agent, "http://game.example/"));
    assert_eq!(result, None, "the content is larger than the limit");
    println!("collected: {} bytes at most", used.bytes_max);
    // The network holds the rest of the response.
    assert!(
        used.bytes_max < 2 * LIMIT + 2 * length + BUFFERS,
        "{used:?}"
    );
}

#[test]
fn a_cache_of_small_responses_holds_no_more_than_twice_its_limit() {
    const LIMIT: usize = 512 * 1024;
    let network = MemoryNetwork::new();
    serve(&network, |number| {
        let fields: String = (0..20).map(|at| format!("X-{at}: {number}\r\n")).collect();
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\nContent-Length: 1\r\n";
        Cow::Owned(format!("{head}{fields}\r\nx"))
    });
    let cache = Arc::new(Mutex::new(HttpCache::with_max_bytes(LIMIT)));
    let mut agent = Agent::builder()
        .cache(Arc::clone(&cache))
        .build_on_memory(&network);
    for number in 0..2_000 {
        let url = format!("http://game.example/{number}");
        assert_eq!(run(&network, &mut agent, &url), Some(1));
    }
    let stored = cache.lock().unwrap().bytes();
    assert!(stored <= LIMIT && stored > LIMIT * 9 / 10, "{stored}");
    let freed = measure(|| cache.lock().unwrap().clear());
    println!(
        "cache: {stored} bytes counted, {} freed",
        -freed.bytes_current
    );
    assert!(-freed.bytes_current <= 2 * LIMIT as i64, "{freed:?}");
    assert!(-freed.bytes_current > LIMIT as i64 / 4, "{freed:?}");
}

#[test]
fn a_topic_holds_no_more_than_the_events_that_it_keeps() {
    const EVENT: usize = 1024;
    let topic = Topic::new();
    let publish = |number: usize| {
        let event = ServerSentEvent {
            data: "x".repeat(EVENT),
            ..ServerSentEvent::default()
        };
        topic.publish(event.clone()).unwrap();
        topic
            .publish_latest(&format!("key-{number}"), event)
            .unwrap();
    };
    let used = measure(|| (0..5_000).for_each(publish));
    println!("topic: {} bytes at most", used.bytes_max);
    // 256 events, and one for each of 256 keys, each once: with its id, its key and the place for it.
    let kept = 512 * (EVENT as u64 + 512);
    assert!(used.bytes_max < kept, "{used:?}");
    assert!(used.bytes_current > 256 * EVENT as i64, "{used:?}");
}
