use super::*;
use crate::clock::Instant;
use crate::transport::active_time::LONGEST_GAP;

#[test]
fn only_keys_of_ready_sources_are_reported() {
    let network = MemoryNetwork::new();
    let mut reactor = Reactor::memory(&network);
    let mut peers = Vec::new();
    for key in [Key(7), Key::NONE, Key(9)] {
        let (client, server) = network.pair();
        reactor.set_key(key);
        reactor.add_memory(|interest| client.register(interest));
        peers.push((client, server));
    }
    let mut ready = Vec::new();
    reactor.poll_events().unwrap();
    reactor.drain_ready(&mut ready);
    assert_eq!(ready, [Key(7), Key(9)]);
    ready.clear();
    let (client, server) = peers.remove(2);
    drop(server);
    reactor.poll_events().unwrap();
    reactor.drain_ready(&mut ready);
    drop(client);
    assert_eq!(ready, [Key(9)]);
}

#[test]
fn the_number_of_a_removed_socket_is_never_used_again() {
    let mut reactor = Reactor::memory(&MemoryNetwork::new());
    let first = reactor.add_untold();
    reactor.remove(first);
    let second = reactor.add_untold();
    assert_ne!(first, second);
    assert!(!reactor.is_readable(first));
    assert!(reactor.is_readable(second));
}

#[test]
fn an_event_of_a_removed_socket_is_ignored() {
    let network = MemoryNetwork::new();
    let mut reactor = Reactor::memory(&network);
    let (client, _server) = network.pair();
    let old = reactor.add_memory(|interest| client.register(interest));
    reactor.remove(old);
    let (other, _other_server) = network.pair();
    let new = reactor.add_memory(|_| drop(other));
    reactor.poll_events().unwrap();
    assert!(!reactor.is_readable(new));
}

#[test]
fn readiness_stays_until_it_is_cleared() {
    let network = MemoryNetwork::new();
    let mut reactor = Reactor::memory(&network);
    let (client, _server) = network.pair();
    let id = reactor.add_memory(|interest| client.register(interest));
    reactor.poll_events().unwrap();
    for _ in 0..3 {
        assert!(reactor.is_readable(id));
        reactor.poll_events().unwrap();
    }
    reactor.clear_readable(id);
    reactor.poll_events().unwrap();
    assert!(!reactor.is_readable(id));
}

#[test]
fn only_a_second_of_a_gap_counts() {
    let mut reactor = Reactor::memory(&MemoryNetwork::new());
    let start = Instant::now();
    assert_eq!(reactor.begin_poll(start), start);
    let half = Duration::from_millis(500);
    assert_eq!(reactor.begin_poll(start + half), start + half);
    let late = start + half + Duration::from_secs(60);
    assert_eq!(reactor.begin_poll(late), start + half + LONGEST_GAP);
    assert_eq!(reactor.real_time(reactor.active_time(late)), late);
}
