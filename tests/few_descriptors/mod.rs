//! A process that may open few files. It is the test program itself under `ulimit`; a variable of its environment says so.

use std::process::Command;

const INSIDE: &str = "HTTPOLL_FEW_DESCRIPTORS";

/// Runs `test` in a process of its own that may have 64 file descriptors. It has to be called by a test, which runs
/// again there.
pub(crate) fn with_few_descriptors(test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        test();
        return;
    }
    let program = std::env::current_exe().unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let ran = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --exact \"$1\""])
        .args([program.as_os_str(), name.as_ref()])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && printed.contains("1 passed"),
        "{printed}"
    );
}
