//! Pause, cancel, resume, rates and progress.

use std::time::Duration;

use httpoll::ErrorKind;
use httpoll::error::PatchFault;
use httpoll::mock::MockResponse;
use httpoll::patch::{Patch, PatchPhase};

use crate::origin::{BASE, Files, MANIFEST, Ranges, World, files, manifest};
use crate::support::{frames, pattern};

fn set() -> Files {
    files(&[("a.pak", 100_000), ("b.pak", 60_000), ("c.pak", 40_000)])
}

/// A world whose server sends files slowly: 1,000 bytes in 10 ms.
fn slow(name: &str) -> World {
    let world = World::new(name, set(), Ranges::One);
    for (path, content) in set() {
        let response = MockResponse::resource(content)
            .etag("\"v\"")
            .drip(1000, Duration::from_millis(10));
        let rule = world.server.get(&format!("/slow/{path}"));
        let _ = rule.reply(response);
    }
    world
}

fn patch(world: &World) -> Patch {
    let root = world.folder.path("root");
    Patch::from_manifest(manifest(&set()), "http://game.example/slow", root)
}

#[test]
fn progress_covers_the_whole_set() {
    let mut world = slow("progress");
    let mut patch = patch(&world);
    let mut fractions = Vec::new();
    let mut phases = Vec::new();
    let mut best_rate = 0.0_f64;
    let mut had_time_left = false;
    while patch.result().is_none() {
        world.frame(&mut patch);
        let progress = patch.progress();
        assert_eq!((progress.files, progress.bytes), (3, 200_000));
        if progress.phase == PatchPhase::Download {
            fractions.push(progress.fraction());
            best_rate = best_rate.max(progress.rate);
            had_time_left |= progress.time_left.is_some();
        }
        if phases.last() != Some(&progress.phase) {
            phases.push(progress.phase);
        }
    }
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert!(fractions.len() > 50);
    // Three files at 100,000 bytes per second each.
    assert!((150_000.0..400_000.0).contains(&best_rate), "{best_rate}");
    assert!(had_time_left);
    assert_eq!(phases.last(), Some(&PatchPhase::Finished));
    let progress = patch.progress();
    assert_eq!((progress.files_done, progress.bytes_done), (3, 200_000));
    assert_eq!((progress.fraction(), progress.received), (1.0, 200_000));
    world.assert_current();
}

#[test]
fn several_files_are_fetched_at_once_but_not_more_than_allowed() {
    for (connections, expected) in [(1, 1), (2, 2), (4, 3)] {
        let mut world = slow("parallel");
        let mut patch = patch(&world).connections(connections);
        let mut most = 0;
        while patch.result().is_none() {
            world.frame(&mut patch);
            most = most.max(world.server.connections().open);
        }
        assert_eq!(most, expected, "{connections}");
    }
}

#[test]
fn a_paused_patch_stands_still_and_goes_on() {
    let mut world = slow("pause");
    let mut patch = patch(&world);
    for _ in 0..30 {
        world.frame(&mut patch);
    }
    patch.pause(&mut world.agent);
    for _ in 0..5 {
        world.frame(&mut patch);
    }
    let before = patch.progress();
    assert!(before.is_paused && before.bytes_done > 0);
    for _ in 0..500 {
        world.frame(&mut patch);
    }
    assert_eq!(patch.progress().bytes_done, before.bytes_done);
    patch.resume(&mut world.agent);
    let report = world.finish(&mut patch).unwrap();
    assert_eq!(report.received, 200_000);
    world.assert_current();
}

#[test]
fn a_patch_that_is_paused_from_the_start_asks_for_nothing() {
    let mut world = World::new("pause-first", set(), Ranges::One);
    let mut patch = world.patch();
    patch.pause(&mut world.agent);
    for _ in 0..50 {
        world.frame(&mut patch);
    }
    assert_eq!(world.server.requests().len(), 0);
    patch.resume(&mut world.agent);
    world.finish(&mut patch).unwrap();
    world.assert_current();
}

#[test]
fn a_cancelled_patch_changes_nothing_and_the_next_one_resumes() {
    let mut world = slow("cancel");
    let mut first = patch(&world);
    for _ in 0..40 {
        world.frame(&mut first);
    }
    first.cancel(&mut world.agent);
    let Some(Err(error)) = first.result() else {
        panic!("{first:?}");
    };
    assert_eq!(*error.kind(), ErrorKind::Patch(PatchFault::Cancelled));
    let done = first.progress().bytes_done;
    assert!(done > 60_000, "{done}");
    assert_eq!(world.visible(), Files::new());
    frames(&world.network, &mut world.agent, 5);
    assert_eq!(world.server.connections().open, 0);
    // It let go of the folder.
    let mut second = patch(&world);
    let report = world.finish(&mut second).unwrap();
    assert!(
        report.received + done <= 205_000,
        "{} {done}",
        report.received
    );
    world.assert_current();
}

#[test]
fn a_dropped_patch_stops_and_the_next_one_resumes() {
    let mut world = slow("drop");
    let mut first = patch(&world);
    for _ in 0..40 {
        world.frame(&mut first);
    }
    drop(first);
    frames(&world.network, &mut world.agent, 5);
    assert_eq!(world.server.connections().open, 0);
    let mut second = patch(&world);
    let report = world.finish(&mut second).unwrap();
    assert!(report.received < 150_000, "{}", report.received);
    world.assert_current();
}

#[test]
fn the_rate_of_all_files_together_is_limited_and_can_be_changed() {
    let mut world = World::new("rate", set(), Ranges::One);
    let root = world.folder.path("root");
    let mut patch = Patch::from_manifest(manifest(&set()), BASE, root).rate_limit(Some(20_000));
    let begin = world.network.now();
    while patch.progress().received < 60_000 {
        world.frame(&mut patch);
        assert!(patch.result().is_none());
    }
    let slow = (world.network.now() - begin).as_secs_f64();
    assert!((2.0..4.0).contains(&slow), "{slow}");
    patch.set_rate_limit(&mut world.agent, None);
    let begin = world.network.now();
    world.finish(&mut patch).unwrap();
    let fast = (world.network.now() - begin).as_secs_f64();
    assert!(fast < 1.0, "{fast}");
    world.assert_current();
}

#[test]
fn one_patch_at_a_time_works_on_a_folder() {
    let mut world = slow("lock");
    let mut first = patch(&world);
    for _ in 0..10 {
        world.frame(&mut first);
    }
    let mut second = patch(&world);
    for _ in 0..10 {
        world.frame(&mut first);
        second.poll(&mut world.agent);
    }
    let Some(Err(error)) = second.result() else {
        panic!("{second:?}");
    };
    assert_eq!(*error.kind(), ErrorKind::Patch(PatchFault::AlreadyRunning));
    assert!(
        error
            .to_string()
            .contains("another patch works on this folder")
    );
    world.finish(&mut first).unwrap();
    world.assert_current();
}

#[test]
fn other_requests_of_the_agent_keep_their_events() {
    let mut world = World::new("others-events", set(), Ranges::One);
    world
        .server
        .get("/other")
        .reply(MockResponse::ok().bytes(pattern(500_000)));
    let mut patch = Patch::from_url(MANIFEST, world.folder.path("root"));
    let handle = world
        .agent
        .get("http://game.example/other")
        .stream()
        .send()
        .unwrap();
    let mut received = 0;
    let mut is_done = false;
    while patch.result().is_none() || !is_done {
        world.agent.poll();
        patch.poll(&mut world.agent);
        while let Some(event) = world.agent.next_event() {
            assert_eq!(event.id(), Some(handle.id()));
            match event {
                httpoll::Event::Chunk { bytes, .. } => received += bytes.len(),
                event => is_done |= event.is_final(),
            }
        }
        world.network.advance(crate::support::FRAME);
    }
    assert_eq!(received, 500_000);
    world.assert_current();
}
