//! Damaged and changed files: only blocks that differ are fetched.

use crate::origin::{BLOCK, Files, Ranges, World, files};

fn set() -> Files {
    files(&[("big.pak", 64 * BLOCK + 100), ("small.pak", 3 * BLOCK)])
}

/// A world with the set, whose visible files are damaged in these blocks.
fn damaged(name: &str, ranges: Ranges, blocks: &[usize]) -> World {
    let mut world = World::new(name, set(), ranges);
    let report = world.run(world.patch()).unwrap();
    let path = report.folder.join("big.pak");
    let mut content = std::fs::read(&path).unwrap();
    for block in blocks {
        content[block * BLOCK + 7] ^= 1;
    }
    std::fs::write(&path, content).unwrap();
    world.asked();
    world
}

#[test]
fn flipped_bytes_are_repaired_by_one_request_for_several_ranges() {
    let mut world = damaged("many", Ranges::Many, &[0, 5, 6, 64]);
    let report = world.run(world.patch()).unwrap();
    let last = 64 * BLOCK;
    let ranges = format!("bytes=0-1023, 5120-7167, {last}-{}", last + 99);
    assert_eq!(world.asked(), [("big.pak".to_owned(), ranges)]);
    assert_eq!((report.repaired, report.downloaded), (1, 0));
    let blocks = 3 * BLOCK as u64 + 100;
    let heads = report.received - blocks;
    assert!(heads < 500, "{heads} bytes besides the blocks");
    world.assert_current();
}

#[test]
fn a_server_that_sends_one_range_gets_a_request_for_each() {
    let mut world = damaged("one", Ranges::One, &[1, 9, 33]);
    let report = world.run(world.patch()).unwrap();
    assert_eq!(report.repaired, 1);
    assert_eq!(report.received, 3 * BLOCK as u64);
    let asked = world.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    world.assert_current();
}

#[test]
fn a_server_without_ranges_sends_the_whole_file() {
    let mut world = damaged("none", Ranges::None, &[1, 9, 33]);
    let report = world.run(world.patch()).unwrap();
    assert_eq!((report.repaired, report.downloaded), (0, 1));
    let asked: Vec<String> = world.asked().into_iter().map(|(_, range)| range).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1], "");
    world.assert_current();
}

#[test]
fn more_ranges_than_a_request_may_have_are_several_requests() {
    let every_third: Vec<usize> = (0..20).map(|it| it * 3).collect();
    let mut world = damaged("batches", Ranges::Many, &every_third);
    world.run(world.patch()).unwrap();
    let asked = world.asked();
    let counts: Vec<usize> = asked.iter().map(|(_, it)| it.split(',').count()).collect();
    assert_eq!(counts, [16, 4]);
    world.assert_current();
}

#[test]
fn a_file_that_changed_in_a_few_blocks_or_grew_is_not_downloaded_whole() {
    let mut world = World::new("grew", set(), Ranges::Many);
    world.run(world.patch()).unwrap();
    world.asked();
    {
        let mut files = world.files.lock().unwrap();
        let big = files.get_mut("big.pak").unwrap();
        big[10 * BLOCK] ^= 0xff;
        big.extend_from_slice(&[5; 3000]);
        let small = files.get_mut("small.pak").unwrap();
        small.truncate(BLOCK);
    }
    let report = world.run(world.patch()).unwrap();
    assert_eq!(report.repaired, 2);
    assert!(report.received < 6 * BLOCK as u64, "{}", report.received);
    world.assert_current();
}

#[test]
fn a_file_that_is_mostly_damaged_is_downloaded_whole() {
    let most: Vec<usize> = (0..50).collect();
    let mut world = damaged("most", Ranges::Many, &most);
    let report = world.run(world.patch()).unwrap();
    assert_eq!((report.repaired, report.downloaded), (0, 1));
    world.assert_current();
}

#[test]
fn a_cut_file_and_a_missing_file_are_replaced() {
    let mut world = damaged("cut", Ranges::Many, &[]);
    let folder = httpoll::patch::current_folder(world.folder.path("root"))
        .unwrap()
        .unwrap();
    let big = std::fs::read(folder.join("big.pak")).unwrap();
    std::fs::write(folder.join("big.pak"), &big[..60 * BLOCK + 1]).unwrap();
    std::fs::remove_file(folder.join("small.pak")).unwrap();
    let report = world.run(world.patch()).unwrap();
    assert_eq!((report.repaired, report.downloaded), (1, 1));
    world.assert_current();
}

#[test]
fn blocks_that_are_not_as_in_the_manifest_are_not_written() {
    let mut world = damaged("wrong", Ranges::Many, &[1]);
    // The server's file changes after the manifest was made.
    let listed = crate::origin::manifest(&set());
    world.files.lock().unwrap().get_mut("big.pak").unwrap()[BLOCK] ^= 1;
    let patch = httpoll::patch::Patch::from_manifest(
        listed,
        crate::origin::BASE,
        world.folder.path("root"),
    );
    let before = world.visible();
    let error = world.run(patch).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            httpoll::ErrorKind::File(httpoll::error::DiskFault::HashMismatch { .. })
        ),
        "{error}"
    );
    assert!(world.visible() == before, "the set from before stays");
}
