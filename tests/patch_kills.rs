//! Processes that are killed while they patch, over real sockets and with the real worker for files. At any
//! moment all files of one set are visible, and the next start ends well.
//!
//! The test starts itself as the process to be killed. That process writes a line for each frame, and the kill
//! comes after a number of lines that a seed chooses.

#![allow(clippy::unwrap_used, clippy::panic)]

mod killed;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use httpoll::Agent;
use httpoll::patch::{Patch, PatchReport, current_folder, manifest_of};
use httpoll::server::Server;
use httpoll::server::files::{FolderRoot, StaticFiles};
use killed::ServerThread;

/// Under Wine each process takes seconds.
const KILLS: u64 = if cfg!(windows) { 6 } else { 60 };

/// What the process to be killed is to do: the URL of the manifest, and the folder.
const JOB: &str = "HTTPOLL_PATCH_JOB";

type Files = BTreeMap<String, Vec<u8>>;

fn version(number: u8) -> Files {
    let mut files = Files::new();
    for file in 0..12_u8 {
        // Some files stay, some change in one place, some change whole.
        let (seed, flipped) = match file % 3 {
            0 => (1, None),
            1 => (1, Some(usize::from(number) * 1000)),
            _ => (number * 16, None),
        };
        let mut content: Vec<u8> = (0..30_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed ^ file)
            .collect();
        if let Some(at) = flipped {
            content[at] ^= 0xff;
        }
        files.insert(format!("dir{}/{file}.pak", file % 2), content);
    }
    files.insert(format!("only-in-{number}.txt"), vec![number; 10]);
    files
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
    let folder = current_folder(root).unwrap().unwrap();
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

/// Runs a patch to its end; `each_frame` is called once a frame.
fn run(url: &str, root: &Path, mut each_frame: impl FnMut()) -> PatchReport {
    let mut agent = Agent::new();
    let mut patch = Patch::from_url(url, root).remove_others(true);
    loop {
        agent.poll();
        patch.poll(&mut agent);
        if let Some(result) = patch.result() {
            return result.clone().unwrap();
        }
        each_frame();
        agent.wait(Some(Duration::from_millis(1)));
    }
}

/// A folder with two versions of a set, and a server for them on a thread.
struct Origin {
    address: SocketAddr,
    server: ServerThread,
}

impl Origin {
    fn start(name: &str) -> Self {
        let folder = killed::empty_folder(name);
        for number in [1, 2] {
            let set = folder.join(format!("site/{number}"));
            write(&set, &version(number));
            let manifest = manifest_of(&set, Some(2048)).unwrap().to_json();
            std::fs::write(set.join("manifest.json"), manifest).unwrap();
        }
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        let root = FolderRoot::new(folder.join("site")).unwrap();
        server.files(StaticFiles::new("/", root));
        let address = server.local_addr();
        Self {
            address,
            server: ServerThread::start(server, folder),
        }
    }

    fn url(&self, number: u8) -> String {
        format!("http://{}/{number}/manifest.json", self.address)
    }
}

#[test]
fn a_patch_over_real_sockets_ends_well() {
    if let Ok(job) = std::env::var(JOB) {
        let (url, root) = job.split_once(' ').unwrap();
        let mut output = std::io::stdout();
        run(url, Path::new(root), || {
            writeln!(output, "frame")
                .and_then(|()| output.flush())
                .unwrap();
        });
        return;
    }
    let origin = Origin::start("patch-real");
    let root = origin.server.folder().join("root");
    for number in [1, 2] {
        let report = run(&origin.url(number), &root, || {});
        assert!(visible(&root) == version(number));
        if number == 2 {
            assert_eq!(
                (report.downloaded, report.repaired, report.removed),
                (5, 4, 1)
            );
        }
    }
}

/// Runs a patch in a process that is killed after this many frames. Returns the frames, if it ended before.
fn run_and_kill(url: &str, root: &Path, frames: u64) -> Option<u64> {
    let mut seen = 0;
    let was_killed = killed::run_and_kill(
        "a_patch_over_real_sockets_ends_well",
        (JOB, format!("{url} {}", root.display())),
        frames,
        |line| {
            let is_frame = line == "frame";
            seen += u64::from(is_frame);
            is_frame
        },
    );
    (!was_killed).then_some(seen)
}

#[test]
fn processes_killed_at_random_moments_leave_one_whole_set() {
    let origin = Origin::start("patch-kills");
    let root = origin.server.folder().join("root");
    let (old, new) = (version(1), version(2));
    run(&origin.url(1), &root, || {});
    let length = run_and_kill(&origin.url(2), &root, u64::MAX).unwrap();
    assert!(visible(&root) == new);
    let (mut kills, mut resumed) = (0, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rounds = 0;
    while kills < KILLS {
        rounds += 1;
        assert!(
            rounds < KILLS * 10,
            "only {kills} processes were killed before they ended"
        );
        // Sometimes from where the last kill left it, sometimes from the other version.
        let number = 1 + (rounds % 2) as u8;
        let frames = killed::random_below(&mut random, length + 1);
        let before = visible(&root);
        let was_killed = run_and_kill(&origin.url(number), &root, frames).is_none();
        kills += u64::from(was_killed);
        let seen = visible(&root);
        let wanted = if number == 1 { &old } else { &new };
        assert!(
            seen == before || seen == *wanted,
            "round {rounds}: {:?}",
            seen.keys()
        );
        if !was_killed {
            assert!(seen == *wanted, "round {rounds}");
        }
        if rounds % 4 == 0 {
            // A start that nobody kills.
            let report = run(&origin.url(number), &root, || {});
            assert!(visible(&root) == *wanted, "round {rounds}");
            resumed += u64::from(report.is_new);
        }
    }
    // After few kills, chance decides.
    assert!(resumed > 0 || cfg!(windows));
}
