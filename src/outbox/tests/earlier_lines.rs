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

#[test]
fn a_rewritten_file_keeps_the_batch_that_may_have_been_sent_and_goes_on_counting() {
    let folder = Folder::new("rewritten");
    std::fs::create_dir_all(&folder.0).unwrap();
    let id = "cd".repeat(16);
    let mut text = format!("httpoll-outbox 1 {id} 1\n");
    for number in 1..=20 {
        text += &format!(
            "+{number} 1000 {{\"n\":{number},\"pad\":\"{}\"}}\n",
            "x".repeat(60)
        );
    }
    // Event 21 is too old: giving it up is the occasion to rewrite the file.
    text += "=18\n>19 20\n+21 1000 {\"n\":21}\n";
    std::fs::write(folder.file(), text).unwrap();
    let mut world = World::new(&[503]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    world.frames(&mut outbox, 5);
    let lines = std::fs::read_to_string(folder.file()).unwrap();
    let first: Vec<&str> = lines.lines().map(|line| &line[..4]).collect();
    assert_eq!(first, ["http", "+19 ", "+20 ", ">19 "], "{lines}");
    assert!(lines.starts_with(&format!("httpoll-outbox 1 {id} 19\n")));
    assert_eq!(outbox.state().losses.too_old, 1);
    world.until_sent(&mut outbox);
    // A rewritten file without events still knows the next number. That of the event given up was never sent.
    drop(outbox);
    let padding = "x".repeat(1000);
    for number in 21..=22 {
        let mut outbox = world.open(&folder).interval(Duration::ZERO);
        outbox
            .push(&json!({ "n": number, "pad": padding }))
            .unwrap();
        world.frames(&mut outbox, 5);
        world.until_sent(&mut outbox);
    }
    let requests = world.server.requests();
    let keys: Vec<_> = requests
        .iter()
        .map(|request| request.header("idempotency-key").unwrap_or_default())
        .collect();
    let expected = ["19-20", "19-20", "21-21", "22-22"].map(|range| format!("{id}-{range}"));
    assert_eq!(keys, expected);
}
