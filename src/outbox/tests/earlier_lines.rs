//! What an earlier run left in the file.

use super::*;

#[test]
fn a_batch_of_an_earlier_run_stays_whole_and_given_up_or_repeated_numbers_are_not_sent() {
    let folder = Folder::new("earlier-lines");
    std::fs::create_dir_all(&folder.0).unwrap();
    let now = system_seconds();
    let id = "ab".repeat(16);
    // The batch may have been sent, so its events stay although they are too old.
    let text = format!(
        "httpoll-outbox 1 {id} 1\n+1 1000 {{\"n\":1}}\n+1 1000 {{\"n\":9}}\n+2 1000 {{\"n\":2}}\n>1 2\n\
         +3 {now} {{\"n\":3}}\n+4 {now} {{\"n\":4}}\n-3 3\n"
    );
    std::fs::write(folder.file(), text).unwrap();
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    world.frames(&mut outbox, 5);
    world.until_sent(&mut outbox);
    let taken = BTreeMap::from([(1, 1), (2, 1), (4, 1)]);
    assert_eq!(world.taken.lock().unwrap().events, taken);
    let requests = world.server.requests();
    let key = format!("{id}-1-2");
    assert_eq!(requests[0].header("idempotency-key"), Some(&*key));
    let losses = outbox.state().losses;
    assert_eq!((losses.damaged, losses.total()), (1, 1));
}
