//! What a dropped end means for the other side.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const LATENCY: Duration = Duration::from_millis(20);

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

#[test]
fn the_other_end_reads_the_end_of_stream_without_any_poll() {
    let network = MemoryNetwork::new();
    let (mut client, mut server) = network.pair();
    client.write_all(b"last words").unwrap();
    drop(client);
    let mut read = Vec::new();
    server.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"last words");
}

#[test]
fn a_dropped_end_resets_when_something_was_not_read() {
    // RFC 1122 §4.2.2.13: bytes that were not read, and bytes that arrive later.
    for (is_late, latency) in [(false, Duration::ZERO), (true, LATENCY)] {
        let network = MemoryNetwork::new();
        network.set_latency(latency);
        let (mut client, mut server) = network.pair();
        server.write_all(b"last words").unwrap();
        client.write_all(b"never read").unwrap();
        if !is_late {
            network.settle();
        }
        drop(server);
        network.advance(LATENCY);
        network.advance(LATENCY);
        let mut read = Vec::new();
        let end = client.read_to_end(&mut read).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::ConnectionReset, "{is_late}");
        assert_eq!(read, b"last words", "what came before is there");
    }
}

#[test]
fn the_end_of_stream_takes_the_latency_to_arrive() {
    let network = MemoryNetwork::new();
    network.set_latency(LATENCY);
    let (mut client, server) = network.pair();
    drop(server);
    let mut buffer = [0; 8];
    let early = client.read(&mut buffer).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    network.advance(LATENCY);
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_function_is_called_when_its_client_is_dropped_without_any_poll() {
    for latency in [Duration::ZERO, LATENCY] {
        let network = MemoryNetwork::new();
        network.set_latency(latency);
        let ends = Arc::new(AtomicUsize::new(0));
        let seen = ends.clone();
        network.serve(address(), move || {
            let seen = seen.clone();
            move |peer: &mut Peer| {
                seen.fetch_add(usize::from(peer.is_closed()), Ordering::Relaxed);
            }
        });
        let client = network.connect(address()).unwrap();
        network.advance(2 * latency);
        drop(client);
        network.advance(latency);
        assert_eq!(ends.load(Ordering::Relaxed), 1, "{latency:?}");
        assert_eq!(network.open_connections(), 0);
    }
}

#[test]
fn a_function_may_own_a_client_of_the_same_network() {
    let network = MemoryNetwork::new();
    network.listen(address());
    let inner = network.clone();
    let outside = SocketAddr::from(([10, 0, 0, 2], 80));
    network.serve(outside, move || {
        let client = inner.clone();
        let mut own = Vec::new();
        move |_: &mut Peer| own.extend(client.connect(address()).ok())
    });
    let client = network.connect(outside).unwrap();
    network.settle();
    let mut server = network.accept(address()).unwrap();
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn like_on_windows_a_reset_discards_what_was_not_read() {
    for is_windows in [false, true] {
        let network = MemoryNetwork::new();
        if is_windows {
            network.imitate_windows();
        }
        let (mut client, mut server) = network.pair();
        server.write_all(b"last words").unwrap();
        client.write_all(b"never read").unwrap();
        network.settle();
        drop(server);
        network.settle();
        let mut read = Vec::new();
        let end = client.read_to_end(&mut read).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
        let kept: &[u8] = if is_windows { b"" } else { b"last words" };
        assert_eq!(read, kept);
    }
}

#[test]
fn the_longest_durations_do_not_overflow_the_clock() {
    let network = MemoryNetwork::new();
    network.set_latency(Duration::MAX);
    network.add_slow_name("slow.example", &[address().ip()], Duration::MAX);
    let (at, addresses) = network.resolve("slow.example");
    assert!(at > network.now());
    assert_eq!(addresses, [address().ip()]);
    network.listen(address());
    let mut client = network.connect(address()).unwrap();
    network.advance(Duration::MAX);
    network.advance(Duration::MAX);
    let mut server = network.accept(address()).unwrap();
    client.write_all(b"x").unwrap();
    network.advance(Duration::MAX);
    assert_eq!(server.read(&mut [0; 2]).unwrap(), 1);
    drop(server);
    client.write_all(b"y").unwrap();
}
