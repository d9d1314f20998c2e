//! The rules of ARCHITECTURE.md, read from the sources: which module may import which, and that no two
//! files of a module import each other, directly or around a corner.
//!
//! An import is a path that begins with `crate`, `self` or `super`, in a `use` or anywhere in the code.
//! It leads to the file that defines the name: a re-export is followed. Tests are not looked at.

#![allow(clippy::expect_used)]

#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Graph, cycles};

/// What each top-level module of `httpoll` may import, besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("phase", &["limits"]),
    ("exclusive", &[]),
    ("random", &[]),
    ("clock", &[]),
    ("address_class", &[]),
    ("error", &["address_class", "limits", "phase"]),
    ("budget", &["clock"]),
    ("proto", &["error", "limits", "phase"]),
    (
        "semantics",
        &[
            "address_class",
            "clock",
            "error",
            "exclusive",
            "limits",
            "phase",
            "proto",
        ],
    ),
    (
        "transport",
        &[
            "address_class",
            "budget",
            "clock",
            "error",
            "exclusive",
            "limits",
            "phase",
            "proto",
            "random",
            "semantics",
        ],
    ),
    (
        "connection",
        &[
            "address_class",
            "budget",
            "clock",
            "error",
            "exclusive",
            "limits",
            "phase",
            "proto",
            "semantics",
            "transport",
        ],
    ),
    (
        "recording",
        &[
            "clock",
            "error",
            "limits",
            "phase",
            "proto",
            "semantics",
            "transport",
        ],
    ),
    (
        "mock",
        &[
            "clock",
            "error",
            "limits",
            "phase",
            "proto",
            "random",
            "recording",
            "semantics",
            "transport",
        ],
    ),
    ("group", &["budget", "clock", "error", "transport"]),
    (
        "node",
        &[
            "address_class",
            "budget",
            "clock",
            "connection",
            "error",
            "exclusive",
            "group",
            "limits",
            "phase",
            "proto",
            "transport",
        ],
    ),
    (
        "agent",
        &[
            "address_class",
            "budget",
            "clock",
            "connection",
            "error",
            "exclusive",
            "group",
            "limits",
            "phase",
            "proto",
            "random",
            "recording",
            "semantics",
            "transport",
        ],
    ),
    ("guide", &[]),
    (
        "server",
        &[
            "address_class",
            "budget",
            "clock",
            "error",
            "exclusive",
            "group",
            "limits",
            "phase",
            "proto",
            "random",
            "semantics",
            "transport",
        ],
    ),
];

/// `lib.rs` names everything; fuzz targets reach everything.
const ABOVE_ALL: &[&str] = &["lib.rs", "fuzzing"];

fn core() -> Graph {
    Graph::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn plugin() -> Graph {
    Graph::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin/src"))
}

/// The top-level module of a file: `agent` for `agent/engine/poll.rs`, `budget` for `budget.rs`.
fn top_level(file: &str) -> &str {
    match file.split_once('/') {
        Some((module, _)) => module,
        None => file
            .strip_suffix(".rs")
            .filter(|name| *name != "lib")
            .unwrap_or(file),
    }
}

#[test]
fn imports_point_downwards() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut broken = BTreeSet::new();
    for (from, to, name) in core().imports() {
        let (above, below) = (top_level(from), top_level(to));
        if above == below || ABOVE_ALL.contains(&above) {
            continue;
        }
        let Some(allowed) = layers.get(above) else {
            broken.insert(format!("{above} has no row in LAYERS"));
            continue;
        };
        if !allowed.contains(&below) {
            broken.insert(format!("{from} imports {name} from {to}"));
        }
    }
    assert!(broken.is_empty(), "{}", lines(&broken));
}

#[test]
fn each_top_level_module_has_a_row_and_each_row_a_module() {
    let modules: BTreeSet<String> = core()
        .files()
        .map(|file| top_level(file).to_owned())
        .filter(|module| !ABOVE_ALL.contains(&module.as_str()))
        .collect();
    let rows: BTreeSet<String> = LAYERS.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(modules, rows);
}

#[test]
fn no_files_of_the_library_import_each_other_in_a_cycle() {
    let found: BTreeSet<String> = cycles(&core())
        .into_iter()
        // `lib.rs` re-exports; nothing below may import from it.
        .collect();
    assert!(found.is_empty(), "{}", lines(&found));
}

#[test]
fn no_files_of_the_plugin_import_each_other_in_a_cycle() {
    let found: BTreeSet<String> = cycles(&plugin()).into_iter().collect();
    assert!(found.is_empty(), "{}", lines(&found));
}

#[test]
fn each_layer_dependency_has_one_home() {
    // mio and sockets live in transport, rustls in transport/tls, httparse where heads are parsed.
    const HOMES: &[(&str, &[&str])] = &[
        ("mio", &["transport/"]),
        ("rustls", &["transport/tls"]),
        ("httparse", &["proto/", "server/multipart/part_head.rs"]),
    ];
    let mut broken = BTreeSet::new();
    for (file, path) in core().external() {
        for (package, homes) in HOMES {
            if path.split("::").next() == Some(*package)
                && !homes.iter().any(|home| file.starts_with(home))
            {
                broken.insert(format!("{file} uses {package}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", lines(&broken));
}

/// In a browser the standard library's `now` panics; see `clock`.
#[test]
fn the_clock_of_the_standard_library_is_read_in_one_file() {
    const CLOCK: [&str; 3] = [
        "std::time::Instant",
        "std::time::SystemTime::now",
        "SystemTime::now",
    ];
    let mut broken = BTreeSet::new();
    for graph in [core(), plugin()] {
        for (file, path) in graph.external() {
            if file != "clock.rs" && CLOCK.iter().any(|name| path.starts_with(name)) {
                broken.insert(format!("{file} names {path}: use `clock`"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", lines(&broken));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut long = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["src", "plugin/src"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let count = std::fs::read_to_string(&path)
                    .expect("a source file")
                    .lines()
                    .count();
                if count > 500 {
                    long.insert(format!("{} has {count} lines", path.display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "{}", lines(&long));
}

fn lines(found: &BTreeSet<String>) -> String {
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    format!("\n{}", found.join("\n"))
}
