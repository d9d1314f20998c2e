//! Limits and times of any size.

use super::*;

#[test]
fn the_largest_limits_and_pauses_lose_nothing_and_send_nothing_too_early() {
    let folder = Folder::new("largest");
    let mut world = World::new(&[500]);
    let limits = OutboxLimits {
        bytes: u64::MAX,
        age: Duration::MAX,
        event_bytes: usize::MAX,
        batch_events: usize::MAX,
        batch_bytes: u64::MAX,
    };
    let outbox = world.open(&folder).limits(limits.clone());
    let outbox = outbox.interval(Duration::ZERO);
    let mut outbox = outbox.backoff(Duration::MAX, Duration::MAX);
    outbox.push(&event(1)).unwrap();
    world.frames(&mut outbox, 50);
    assert_eq!(
        world.server.requests().len(),
        1,
        "one attempt, then a pause"
    );
    drop(outbox);

    let mut outbox = world.open(&folder).limits(limits);
    world.frames(&mut outbox, 5);
    world.until_sent(&mut outbox);
    assert_eq!(world.taken.lock().unwrap().events, BTreeMap::from([(1, 1)]));
    assert_eq!(outbox.state().losses.total(), 0);
}
