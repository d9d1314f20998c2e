//! What goes wrong: hostile manifests, links, damaged files, a full disk. The set from before stays visible.

use httpoll::ErrorKind;
use httpoll::error::{DiskFault, ManifestRule, PatchFault};
use httpoll::mock::MockResponse;
use httpoll::patch::{Manifest, ManifestFile, Patch};

use crate::origin::{BASE, Files, Ranges, World, files, manifest};

fn set() -> Files {
    files(&[("a.pak", 5000), ("b/c.pak", 3000)])
}

/// A world whose set is visible.
fn current(name: &str) -> World {
    let mut world = World::new(name, set(), Ranges::Many);
    world.run(world.patch()).unwrap();
    world.asked();
    world
}

#[test]
fn a_hostile_manifest_fails_before_anything_is_touched() {
    let mut world = current("hostile");
    let digest = "00".repeat(32);
    for (index, (path, rule)) in [
        ("../evil", ManifestRule::DotSegment),
        ("/etc/evil", ManifestRule::AbsolutePath),
        ("C:\\\\evil", ManifestRule::ForbiddenCharacter),
        ("b/../../evil", ManifestRule::DotSegment),
        ("NUL", ManifestRule::ReservedName),
        ("A.pak", ManifestRule::Collision),
        ("b", ManifestRule::Collision),
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("/evil-{index}.json");
        let entry = |path: &str| format!(r#"{{"path":"{path}","size":1,"sha256":"{digest}"}}"#);
        let json = format!(
            r#"{{"version":1,"files":[{},{},{}]}}"#,
            entry("a.pak"),
            entry("b/c.pak"),
            entry(path)
        );
        world
            .server
            .get(&address)
            .reply(MockResponse::ok().text(&json));
        let before = world.folder.names();
        let root = world.folder.path("root");
        let error = world
            .run(Patch::from_url(
                format!("http://game.example{address}"),
                root,
            ))
            .unwrap_err();
        let ErrorKind::Patch(PatchFault::InvalidManifest(fault)) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!((fault.rule, fault.file), (rule, Some(2)), "{path}");
        assert_eq!(world.folder.names(), before, "{path}");
        world.assert_current();
    }
}

#[test]
fn a_manifest_that_is_missing_or_too_long_fails() {
    let mut world = current("missing-manifest");
    let root = world.folder.path("root");
    let patch = Patch::from_url("http://game.example/files/nothing.json", &root);
    let error = world.run(patch).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Status(404));
    let mut limits = httpoll::patch::ManifestLimits::default();
    limits.json_bytes = 100;
    let error = world.run(world.patch().limits(limits)).unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Limit(httpoll::limits::Limit::BodyBytes(100))
    );
    let patch = Patch::from_manifest(manifest(&set()), "no url", &root);
    let error = world.run(patch).unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Misuse(httpoll::error::Misuse::InvalidUrl)
    );
    world.assert_current();
}

#[test]
fn a_file_that_cannot_be_downloaded_fails_the_whole_set() {
    let mut world = current("no-file");
    let listed = {
        let mut files = world.files.lock().unwrap();
        files.insert("a.pak".to_owned(), vec![1; 6000]);
        files.insert("z.pak".to_owned(), vec![2; 6000]);
        let listed = manifest(&files);
        files.remove("z.pak");
        listed
    };
    let root = world.folder.path("root");
    let error = world
        .run(Patch::from_manifest(listed, BASE, root))
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Status(404));
    assert!(error.url().unwrap().ends_with("z.pak"), "{error}");
    assert!(world.visible() == set());
}

#[test]
fn content_that_is_not_as_in_the_manifest_does_not_become_visible() {
    for (name, change) in [
        ("digest", vec![7; 5000]),
        ("short", vec![7; 4999]),
        ("long", vec![7; 5001]),
    ] {
        let mut world = World::new(&format!("wrong-{name}"), set(), Ranges::None);
        let listed = manifest(&set());
        world
            .files
            .lock()
            .unwrap()
            .insert("a.pak".to_owned(), change);
        let root = world.folder.path("root");
        let error = world
            .run(Patch::from_manifest(listed, BASE, root))
            .unwrap_err();
        let fits = match error.kind() {
            ErrorKind::File(DiskFault::HashMismatch { .. }) => name == "digest",
            ErrorKind::File(DiskFault::SizeMismatch { .. }) => name != "digest",
            ErrorKind::Limit(_) => name == "long",
            _ => false,
        };
        assert!(fits, "{name}: {error}");
        assert_eq!(world.visible(), Files::new());
    }
}

#[test]
fn too_little_space_is_found_out_before_anything_is_downloaded() {
    let mut world = current("space");
    let limits = |size: u64| {
        let mut limits = httpoll::patch::ManifestLimits::default();
        (limits.file_bytes, limits.total_bytes) = (size, 2 * size);
        limits
    };
    let size = 1_u64 << 60;
    // Two files with the same content are downloaded once.
    let files = ["huge", "twin"].map(|path| {
        let sha256 = "11".repeat(32);
        format!(r#"{{"path":"{path}","size":{size},"sha256":"{sha256}"}}"#)
    });
    let json = format!(r#"{{"version":1,"files":[{}]}}"#, files.join(","));
    world
        .server
        .get("/huge.json")
        .reply(MockResponse::ok().text(&json));
    let root = world.folder.path("root");
    let patch = Patch::from_url("http://game.example/huge.json", root).limits(limits(size));
    let error = world.run(patch).unwrap_err();
    let ErrorKind::Patch(PatchFault::NotEnoughSpace { needed, .. }) = error.kind() else {
        panic!("{error}");
    };
    assert!((size..2 * size).contains(needed), "{needed}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(world.asked(), []);
    world.assert_current();
}

#[test]
fn a_damaged_generation_file_is_named_and_not_overwritten() {
    let mut world = current("generation-file");
    let path = world.folder.path("root/current.json");
    for damage in ["", "{}", "{\"version\":2,\"generation\":1}", "[1]"] {
        std::fs::write(&path, damage).unwrap();
        let error = world.run(world.patch()).unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Patch(PatchFault::InvalidGenerationFile)
        );
        assert!(error.path().unwrap().ends_with("current.json"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
    }
    std::fs::remove_file(&path).unwrap();
    world.run(world.patch()).unwrap();
    world.assert_current();
}

#[cfg(unix)]
#[test]
fn links_in_the_set_are_not_followed() {
    use std::os::unix::fs::symlink;
    let mut world = current("links");
    let outside = world.folder.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("c.pak"), &set()["b/c.pak"]).unwrap();
    std::fs::write(outside.join("keep.txt"), "keep").unwrap();
    let folder = httpoll::patch::current_folder(world.folder.path("root"))
        .unwrap()
        .unwrap();
    // A file, a folder on the way, and another folder become links to the outside.
    std::fs::remove_file(folder.join("a.pak")).unwrap();
    symlink(outside.join("keep.txt"), folder.join("a.pak")).unwrap();
    std::fs::remove_dir_all(folder.join("b")).unwrap();
    symlink(&outside, folder.join("b")).unwrap();
    symlink(&outside, folder.join("mods")).unwrap();
    let report = world.run(world.patch().remove_others(true)).unwrap();
    assert_eq!(report.downloaded, 2);
    world.assert_current();
    world.run(world.patch()).unwrap();
    assert_eq!(std::fs::read(outside.join("keep.txt")).unwrap(), b"keep");
    assert!(outside.join("c.pak").exists());
}

#[cfg(unix)]
#[test]
fn folders_of_the_patcher_that_are_links_are_refused() {
    use std::os::unix::fs::symlink;
    for name in ["generations", "downloads"] {
        let mut world = World::new(&format!("link-{name}"), set(), Ranges::One);
        let outside = world.folder.path("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::create_dir(world.folder.path("root")).unwrap();
        symlink(&outside, world.folder.path("root").join(name)).unwrap();
        let error = world.run(world.patch()).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Patch(PatchFault::NotAFolder));
        assert!(error.path().unwrap().ends_with(name));
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }
}

#[test]
fn a_download_that_another_version_began_starts_over() {
    let mut world = World::new("stale-part", set(), Ranges::One);
    let listed = manifest(&set());
    let digest: String = listed.files()[0]
        .sha256()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    let downloads = world.folder.path("root/downloads");
    std::fs::create_dir_all(&downloads).unwrap();
    std::fs::write(downloads.join(format!("{digest}.part")), vec![0; 2000]).unwrap();
    let sidecar = format!(
        r#"{{"version":1,"url":"{BASE}a.pak","etag":"\"v\"","last_modified":null,"total":5000,"written":2000}}"#
    );
    std::fs::write(downloads.join(format!("{digest}.part.json")), sidecar).unwrap();
    world.run(world.patch()).unwrap();
    let asked: Vec<String> = world
        .asked()
        .into_iter()
        .filter(|(path, _)| path == "a.pak")
        .map(|(_, range)| range)
        .collect();
    assert_eq!(asked, ["bytes=2000-", ""]);
    world.assert_current();
}

#[test]
fn a_manifest_that_contradicts_itself_fails() {
    let mut world = current("contradiction");
    let file = &manifest(&set()).files()[0].clone();
    // Its blocks are right, its digest is not.
    let wrong = ManifestFile::new("a.pak", file.size(), [9; 32])
        .with_blocks(file.blocks().unwrap().clone());
    let listed = Manifest::new(vec![wrong]).unwrap();
    let root = world.folder.path("root");
    let error = world
        .run(Patch::from_manifest(listed, BASE, root))
        .unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::File(DiskFault::HashMismatch { .. })
        ),
        "{error}"
    );
    world.assert_current();
}
