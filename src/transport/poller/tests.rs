use super::*;

fn event(token: usize) -> Readiness {
    Readiness {
        token,
        readable: true,
        writable: false,
        closed: false,
    }
}

fn drained(member: &Member) -> Vec<usize> {
    let mut tokens = Vec::new();
    member.drain(|event| tokens.push(event.token));
    tokens
}

#[test]
fn events_reach_the_member_that_owns_their_token() {
    let poller = Poller::alone();
    let (first, second) = (poller.join(), poller.join());
    let tokens = [first.token(0), second.token(0), second.token(5)];
    let members = lock(&poller.0.members);
    for token in tokens {
        deliver(&members, event(token));
    }
    // The waker's token.
    deliver(&members, event(usize::MAX));
    drop(members);
    assert_eq!(drained(&first), tokens[..1]);
    assert_eq!(drained(&second), tokens[1..]);
    assert!(!second.has_events());
}

#[test]
fn a_socket_that_is_reported_often_takes_one_entry() {
    let poller = Poller::alone();
    let member = poller.join();
    let (token, other) = (member.token(3), member.token(7));
    for _ in 0..1000 {
        member.inbox.put(event(token));
        member.inbox.put(Readiness {
            readable: false,
            writable: true,
            ..event(token)
        });
        member.inbox.put(event(other));
    }
    let mut events = Vec::new();
    member.drain(|event| events.push(event));
    assert_eq!(events.len(), 2);
    assert!(events[0].readable && events[0].writable && !events[1].writable);
    assert!(drained(&member).is_empty());
}

#[test]
fn a_reused_slot_reports_its_new_socket() {
    let poller = Poller::alone();
    let member = poller.join();
    let (old, new) = (member.token(2), member.token(2));
    assert_ne!(old, new);
    for token in [old, new, old] {
        member.inbox.put(event(token));
    }
    assert!(drained(&member).contains(&new));
    assert!(drained(&member).is_empty());
}

#[test]
fn events_of_a_removed_member_are_ignored() {
    let poller = Poller::alone();
    let first = poller.join();
    let old = first.token(0);
    drop(first);
    deliver(&lock(&poller.0.members), event(old));
    let second = poller.join();
    let new = second.token(0);
    assert_eq!(second.index(), 0);
    assert_ne!(old, new);
    assert!(drained(&second).is_empty());
}
