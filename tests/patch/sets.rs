//! Whole sets: what is downloaded, what is skipped, what becomes visible.

use httpoll::Priority;
use httpoll::patch::{Manifest, ManifestFile, Patch, PatchPhase, current_folder};

use crate::origin::{BASE, Files, Ranges, World, files, manifest, names, read, write};

fn set() -> Files {
    files(&[
        ("a.pak", 30_000),
        ("levels/one.pak", 5000),
        ("levels/deep/two.pak", 1),
        ("empty.txt", 0),
    ])
}

#[test]
fn a_set_is_downloaded_and_visible_at_once() {
    let mut world = World::new("fresh", set(), Ranges::One);
    let root = world.folder.path("root");
    assert_eq!(current_folder(&root).unwrap(), None);
    let report = world.run(world.patch()).unwrap();
    world.assert_current();
    assert_eq!(
        (report.files, report.downloaded, report.repaired),
        (4, 4, 0)
    );
    assert_eq!((report.received, report.generation), (35_001, 1));
    assert!(report.is_new);
    assert_eq!(current_folder(&root).unwrap(), Some(report.folder));
    // Nothing but the set and the files of the patcher is left.
    let left = world.folder.names();
    let left: Vec<&String> = left
        .iter()
        .filter(|name| !name.contains("generations/1"))
        .collect();
    assert_eq!(
        left,
        [
            "root",
            "root/current.json",
            "root/generations",
            "root/patch.lock"
        ]
    );
}

#[test]
fn a_set_that_is_up_to_date_costs_no_download_and_stays() {
    let mut world = World::new("same", set(), Ranges::One);
    world.run(world.patch()).unwrap();
    world.asked();
    let report = world.run(world.patch()).unwrap();
    assert_eq!(world.asked(), []);
    assert!(!report.is_new);
    assert_eq!(
        (report.generation, report.received, report.downloaded),
        (1, 0, 0)
    );
    world.assert_current();
}

#[test]
fn only_changed_files_are_downloaded_and_the_old_set_stays_until_the_next_patch() {
    let mut world = World::new("changed", set(), Ranges::One);
    let old = world.run(world.patch()).unwrap();
    let before = world.visible();
    world.asked();
    {
        let mut files = world.files.lock().unwrap();
        files.insert("levels/one.pak".to_owned(), vec![9; 7000]);
        files.insert("new.pak".to_owned(), vec![7; 100]);
    }
    let report = world.run(world.patch()).unwrap();
    let mut asked: Vec<String> = world.asked().into_iter().map(|(path, _)| path).collect();
    asked.sort();
    assert_eq!(asked, ["levels/one.pak", "new.pak"]);
    assert_eq!((report.downloaded, report.received), (2, 7100));
    world.assert_current();
    // A game that runs can go on reading the files from before.
    assert!(read(&old.folder) == before);
    world.run(world.patch()).unwrap();
    assert!(!old.folder.exists());
    world.assert_current();
}

#[test]
fn files_that_the_manifest_does_not_have_stay_unless_they_are_to_go() {
    let mut world = World::new("others", set(), Ranges::One);
    let first = world.run(world.patch()).unwrap();
    std::fs::create_dir(first.folder.join("mods")).unwrap();
    std::fs::write(first.folder.join("mods/mine.txt"), "mine").unwrap();
    std::fs::write(world.folder.path("root/save.dat"), "save").unwrap();
    std::fs::write(world.folder.path("outside.txt"), "outside").unwrap();
    world.files.lock().unwrap().remove("a.pak");
    let kept = world.run(world.patch()).unwrap();
    assert_eq!((kept.removed, kept.is_new), (0, false));
    world.files.lock().unwrap().insert("b".to_owned(), vec![1]);
    let kept = world.run(world.patch()).unwrap();
    assert_eq!((kept.removed, kept.is_new), (0, true));
    let visible = world.visible();
    assert!(visible.contains_key("a.pak"));
    assert_eq!(visible["mods/mine.txt"], b"mine");
    let swept = world.run(world.patch().remove_others(true)).unwrap();
    assert_eq!(
        (swept.removed, swept.downloaded, swept.is_new),
        (2, 0, true)
    );
    world.assert_current();
    // Outside of the set nothing is removed.
    assert_eq!(
        std::fs::read(world.folder.path("root/save.dat")).unwrap(),
        b"save"
    );
    assert_eq!(
        std::fs::read(world.folder.path("outside.txt")).unwrap(),
        b"outside"
    );
}

#[test]
fn files_that_came_with_the_game_are_not_downloaded() {
    let mut world = World::new("shipped", set(), Ranges::One);
    let shipped = world.folder.path("shipped");
    let mut with_game = set();
    with_game.remove("levels/one.pak");
    with_game.insert("a.pak".to_owned(), vec![0; 30_000]);
    write(&shipped, &with_game);
    let report = world.run(world.patch().shipped(&shipped)).unwrap();
    assert_eq!(report.downloaded, 2);
    world.assert_current();
    assert!(read(&shipped) == with_game, "the folder is unchanged");
}

#[test]
fn equal_contents_are_downloaded_once() {
    let mut set = set();
    set.insert("copy.pak".to_owned(), set["a.pak"].clone());
    let mut world = World::new("equal", set, Ranges::One);
    let report = world.run(world.patch()).unwrap();
    assert_eq!((report.downloaded, report.received), (5, 35_001));
    world.assert_current();
}

#[test]
fn urgent_files_come_first_and_urls_may_be_elsewhere() {
    let set = files(&[("a", 10), ("b", 20), ("c", 30)]);
    let mut world = World::new("order", set.clone(), Ranges::One);
    let listed = manifest(&set);
    let file = |index: usize| listed.files()[index].clone();
    let listed = Manifest::new(vec![
        file(0).with_priority(Priority::Background),
        file(1),
        file(2).with_priority(Priority::Gameplay),
        ManifestFile::new("elsewhere", 10, *file(0).sha256())
            .with_url("http://game.example/files/a"),
    ])
    .unwrap();
    let root = world.folder.path("root");
    let patch = Patch::from_manifest(listed, BASE, root).connections(1);
    world.run(patch).unwrap();
    let asked: Vec<String> = world.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, ["c", "b", "a"]);
    assert_eq!(names(&world.visible()), ["a", "b", "c", "elsewhere"]);
}

#[test]
fn a_manifest_without_files_is_an_empty_set() {
    let mut world = World::new("empty", Files::new(), Ranges::One);
    let report = world.run(world.patch()).unwrap();
    assert_eq!((report.files, report.is_new), (0, true));
    assert_eq!(world.visible(), Files::new());
    let mut patch = world.patch();
    assert_eq!(patch.phase(), PatchPhase::Manifest);
    assert!(!world.finish(&mut patch).unwrap().is_new);
    assert_eq!(patch.progress().fraction(), 1.0);
}
