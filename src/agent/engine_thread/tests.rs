//! What the agent and the engine's thread share.

use super::super::agent::{Agent, Backend};
use super::*;
use crate::transport::memory::MemoryNetwork;

#[test]
fn events_of_a_request_cancelled_meanwhile_are_dropped() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::on_memory(&network);
    let gone = agent
        .get("http://nowhere.example/")
        .send()
        .unwrap()
        .detach();
    let kept = agent
        .get("http://nowhere.example/")
        .send()
        .unwrap()
        .detach();
    let Backend::Inline(mut engine) = agent.backend else {
        panic!("an in-memory agent has no thread");
    };
    let shared = Shared::default();
    for _ in 0..3 {
        engine.poll(&Budget::unlimited());
    }
    // The command arrives while the thread is about to publish its events.
    lock(&shared.state).cancel(&[gone]);
    shared.publish(&mut engine, PollAt::Idle);
    let reported: Vec<_> = lock(&shared.state)
        .events
        .iter()
        .filter_map(Event::id)
        .collect();
    assert!(
        reported.contains(&kept) && !reported.contains(&gone),
        "{reported:?}"
    );
}

fn progress(id: u64, received: u64) -> Event {
    let id = RequestId(id);
    let progress = crate::agent::Progress {
        phase: crate::phase::Phase::ReceiveBody,
        sent: 0,
        to_send: None,
        received,
        to_receive: None,
    };
    Event::Progress { id, progress }
}

#[test]
fn only_the_latest_progress_of_a_request_waits_also_after_others_were_cancelled() {
    let mut state = State::default();
    for id in 0..4 {
        state.put(Event::Queued { id: RequestId(id) });
        state.put(progress(id, 1));
    }
    state.cancel(&[RequestId(0), RequestId(2)]);
    for id in [3, 1, 3] {
        state.put(progress(id, 2));
    }
    let mut events = WaitingEvents::default();
    state.move_events(&mut events);
    let received = |event: &Event| match event {
        Event::Progress { progress, .. } => progress.received,
        _ => 0,
    };
    let waiting = events.iter().map(|it| (it.id().unwrap().0, received(it)));
    assert_eq!(
        waiting.collect::<Vec<_>>(),
        [(1, 0), (1, 2), (3, 0), (3, 2)]
    );
    // What the agent took is not changed any more.
    state.put(progress(3, 3));
    assert_eq!((events.len(), state.count_events()), (4, 1));
}

#[test]
fn a_request_is_no_longer_cancelled_for_the_thread_once_it_took_the_command() {
    let mut state = State::default();
    let event = Event::Queued { id: RequestId(1) };
    state.cancel(&[RequestId(1)]);
    assert!(state.is_cancelled(&event));
    state.take_commands();
    assert!(state.cancelled.is_empty());
}
