//! What the examples do when nobody reads what they print.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

#[macro_use]
#[path = "../examples/offline/print.rs"]
mod print;

/// Each file of the examples in this folder that is a program.
fn programs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder of examples");
    let mut programs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            if path.is_dir() {
                path.join("main.rs")
            } else {
                path
            }
        })
        .filter(|path| path.exists())
        .collect();
    programs.sort();
    programs
}

#[test]
fn each_example_prints_by_macros_that_do_not_panic() {
    let mut checked = 0;
    for path in ["examples", "plugin/examples", "examples/space_patcher/src"]
        .iter()
        .flat_map(|it| programs(it))
    {
        let text = std::fs::read_to_string(&path).expect("an example");
        // Modules are declared before the first function.
        let (declarations, code) = text.split_once("\nfn ").unwrap_or(("", &text));
        let module = ["\nmod offline;", "\nmod print;"]
            .iter()
            .find_map(|it| declarations.split_once(it));
        let has_macros = module.is_some_and(|(before, _)| {
            let mut lines = before.lines().rev();
            lines.find(|line| !line.starts_with("#[path")) == Some("#[macro_use]")
        });
        // `fetch` writes by itself, as curl does: it ends with status 23 where it cannot.
        let prints = code.contains("print!(") || code.contains("println!(");
        let is_program = text.contains("fn main()");
        assert!(
            has_macros || !is_program || !prints,
            "{} needs `#[macro_use]` and `mod offline;` or `mod print;`",
            path.display()
        );
        checked += usize::from(has_macros);
    }
    assert!(checked > 25, "{checked} examples");
}

/// The child is this test alone, which finds in its environment that it is the child. Its standard output is closed
/// after the first line.
#[cfg(unix)]
#[test]
fn a_program_whose_reader_has_ended_ends_without_a_word() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    const IS_CHILD: &str = "HTTPOLL_PRINTS_WITHOUT_END";

    if std::env::var_os(IS_CHILD).is_some() {
        loop {
            println!("a line");
        }
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_program_whose_reader_has_ended_ends_without_a_word")
        .env(IS_CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "a line"));
    drop(lines);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(128 + 13));
}
