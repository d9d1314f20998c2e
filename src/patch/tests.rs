//! A patch that is stopped at any step on the disk, as by a kill of the process, a disk that is full, and long paths.
//! The in-memory network and the disk's worker inside of `poll` make each run the same.

#[cfg(windows)]
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::Agent;
use crate::error::{DiskFault, DiskStep, ErrorKind};
use crate::mock::{MockResponse, MockServer};
use crate::transport::memory::MemoryNetwork;

type Files = BTreeMap<String, Vec<u8>>;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("httpoll-{}-unit-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two versions of a set: files that stay, change in a block, change whole, come and go.
fn versions() -> (Files, Files) {
    let bytes = |length: usize, seed: u8| -> Vec<u8> {
        (0..length)
            .map(|at| (at / 256 + at % 256) as u8 ^ seed)
            .collect()
    };
    let old = Files::from([
        ("same.pak".to_owned(), bytes(3000, 1)),
        ("dir/block.pak".to_owned(), bytes(9000, 2)),
        ("whole.pak".to_owned(), bytes(5000, 3)),
        ("gone.pak".to_owned(), bytes(100, 4)),
    ]);
    let mut new = old.clone();
    new.get_mut("dir/block.pak").unwrap()[5000] ^= 1;
    new.insert("whole.pak".to_owned(), bytes(6000, 5));
    new.insert("new/deep/file.pak".to_owned(), bytes(2000, 6));
    new.insert("new/small.txt".to_owned(), bytes(10, 7));
    new.remove("gone.pak");
    (old, new)
}

fn manifest(files: &Files, folder: &Path) -> Manifest {
    let folder = folder.join("source");
    let _ = std::fs::remove_dir_all(&folder);
    write(&folder, files);
    manifest_of(&folder, Some(1024)).unwrap()
}

fn write(folder: &Path, files: &Files) {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn visible(root: &Path) -> Files {
    let mut files = Files::new();
    let Some(folder) = current_folder(root).unwrap() else {
        return files;
    };
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&folder).unwrap().to_string_lossy();
                files.insert(name.replace('\\', "/"), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

struct World {
    network: MemoryNetwork,
    _server: MockServer,
    agent: Agent,
}

impl World {
    fn new(files: &Files) -> Self {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, "game.example", 80);
        for (path, content) in files {
            let response = MockResponse::resource(content.clone())
                .etag("\"v\"")
                .drip(1500, Duration::from_millis(10));
            let _ = server.get(&format!("/{path}")).reply(response);
        }
        let agent = Agent::on_memory(&network);
        Self {
            network,
            _server: server,
            agent,
        }
    }

    fn run(&mut self, manifest: &Manifest, root: &Path) -> Result<PatchReport, crate::Error> {
        let mut patch = Patch::from_manifest(manifest.clone(), "http://game.example/", root)
            .remove_others(true);
        for _ in 0..5000 {
            self.agent.poll();
            patch.poll(&mut self.agent);
            if let Some(result) = patch.result() {
                return result.clone();
            }
            self.network.advance(Duration::from_millis(10));
        }
        panic!("not over: {patch:?}");
    }
}

#[test]
fn a_kill_at_any_step_leaves_all_old_or_all_new_files_and_the_next_patch_ends_well() {
    let folder = Folder::new("kills");
    let (old, new) = versions();
    let (old_manifest, new_manifest) = (manifest(&old, &folder.0), manifest(&new, &folder.0));
    let mut kills = 0;
    let (mut saw_old, mut saw_new) = (false, false);
    for steps in 0.. {
        let root = folder.0.join(format!("root-{steps}"));
        World::new(&old).run(&old_manifest, &root).unwrap();
        assert!(visible(&root) == old);
        let mut killed = World::new(&new);
        let disk = killed.agent.disk().unwrap();
        disk.allow_steps(Some(steps));
        let result = killed.run(&new_manifest, &root);
        let was_killed = disk.steps_left() == Some(0);
        drop(killed);
        let seen = visible(&root);
        assert!(
            seen == old || seen == new,
            "after {steps} steps: {:?}",
            seen.keys()
        );
        saw_old |= seen == old;
        saw_new |= was_killed && seen == new;
        // The next start brings the set up to date, and cleans up.
        World::new(&new).run(&new_manifest, &root).unwrap();
        assert!(visible(&root) == new, "after {steps} steps");
        World::new(&new).run(&new_manifest, &root).unwrap();
        let generations = std::fs::read_dir(root.join("generations")).unwrap().count();
        assert_eq!(generations, 1, "after {steps} steps");
        std::fs::remove_dir_all(&root).unwrap();
        if result.is_ok() && !was_killed {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 50, "{kills}");
    assert!(saw_old && saw_new);
}

#[test]
fn a_full_disk_fails_the_patch_and_keeps_the_set_from_before() {
    let folder = Folder::new("full");
    let (old, new) = versions();
    let (old_manifest, new_manifest) = (manifest(&old, &folder.0), manifest(&new, &folder.0));
    for step in [
        DiskStep::CreateFolder,
        DiskStep::Open,
        DiskStep::Write,
        DiskStep::WriteSidecar,
        DiskStep::Sync,
        DiskStep::Rename,
        DiskStep::Link,
    ] {
        let root = folder.0.join(format!("root-{step:?}"));
        World::new(&old).run(&old_manifest, &root).unwrap();
        let mut world = World::new(&new);
        let disk = world.agent.disk().unwrap();
        disk.fail_at(Some(step));
        let error = world.run(&new_manifest, &root).unwrap_err();
        let ErrorKind::File(DiskFault::Io { kind, .. }) = error.kind() else {
            panic!("{step:?}: {error}");
        };
        assert_eq!(*kind, std::io::ErrorKind::StorageFull, "{step:?}");
        assert!(error.path().is_some(), "{step:?}: {error}");
        assert!(visible(&root) == old, "{step:?}");
        // Space was made.
        disk.fail_at(None);
        world.run(&new_manifest, &root).unwrap();
        assert!(visible(&root) == new, "{step:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn links_and_pipes_in_place_of_the_patchs_own_files_are_not_followed_and_not_waited_for() {
    let folder = Folder::new("planted");
    let (old, new) = versions();
    let (old_manifest, new_manifest) = (manifest(&old, &folder.0), manifest(&new, &folder.0));
    let root = folder.0.join("root");
    World::new(&old).run(&old_manifest, &root).unwrap();
    let victim = folder.0.join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, root.join("current.json.new")).unwrap();
    World::new(&new).run(&new_manifest, &root).unwrap();
    assert!(visible(&root) == new);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    for name in ["patch.lock", "current.json"] {
        let path = root.join(name);
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let error = World::new(&new).run(&new_manifest, &root).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::File(DiskFault::NotAFile));
        assert_eq!(error.path(), Some(&*path));
        std::fs::remove_file(&path).unwrap();
    }
}

/// Programs on Windows must say that they take more than 260 characters, or ask for it in each call.
#[test]
fn sets_with_paths_longer_than_windows_likes_are_installed_patched_and_repaired() {
    let folder = Folder::new("long");
    let deep = |files: Files| -> Files {
        let deepen = |(path, content)| {
            let long = format!("{}/{}/{path}", "f".repeat(150), "g".repeat(150));
            (long, content)
        };
        files.into_iter().map(deepen).collect()
    };
    let (old, new) = versions();
    let (old, new) = (deep(old), deep(new));
    let (old_manifest, new_manifest) = (manifest(&old, &folder.0), manifest(&new, &folder.0));
    // The paths of the set are long, and then the path of its folder is, too.
    for root in ["root".to_owned(), format!("{}/root", "r".repeat(200))] {
        let root = folder.0.join(root);
        World::new(&old).run(&old_manifest, &root).unwrap();
        assert!(visible(&root) == old);
        let damaged = current_folder(&root).unwrap().unwrap();
        let damaged = damaged.join(old.keys().next().unwrap());
        assert!(damaged.as_os_str().len() > 300);
        std::fs::write(&damaged, "damaged").unwrap();
        let report = World::new(&old).run(&old_manifest, &root).unwrap();
        assert_eq!(report.downloaded + report.repaired, 1);
        assert!(visible(&root) == old);
        World::new(&new).run(&new_manifest, &root).unwrap();
        assert!(visible(&root) == new);
        World::new(&new).run(&new_manifest, &root).unwrap();
        let generations = std::fs::read_dir(root.join("generations")).unwrap().count();
        assert_eq!(generations, 1, "the older one is removed");
    }
}
