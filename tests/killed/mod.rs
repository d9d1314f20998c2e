//! What the tests of killed processes share: a server on a thread, and a process that is killed after a number of
//! frames. The process is the test program itself, which finds in a variable of its environment what to do.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use httpoll::server::Server;

/// An empty folder, and a server on a thread. Both are gone when this is dropped.
pub(crate) struct ServerThread {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// An empty folder for the test of this name.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("httpoll-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

impl ServerThread {
    pub(crate) fn start(mut server: Server, folder: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                server.wait(Some(Duration::from_millis(20))).unwrap();
            }
        });
        Self {
            folder,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        let _ = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Runs `test` of this program in a process with `variable` set, and kills it after this many frames. `is_frame`
/// gets each line that it writes, and says whether a frame ended there. Returns whether the process was killed.
pub(crate) fn run_and_kill(
    test: &str,
    variable: (&str, String),
    frames: u64,
    mut is_frame: impl FnMut(&str) -> bool,
) -> bool {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable.0, variable.1)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut seen = 0;
    for line in lines {
        seen += u64::from(is_frame(&line.unwrap()));
        if seen > frames {
            process.kill().unwrap();
            process.wait().unwrap();
            return true;
        }
    }
    assert!(process.wait().unwrap().success());
    false
}

/// The next of a sequence of random numbers below `end`.
pub(crate) fn random_below(state: &mut u64, end: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}
