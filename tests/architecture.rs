//! The rules of ARCHITECTURE.md, read from the sources: which module may import which, and that no two
//! files of a module import each other, directly or around a corner.
//!
//! An import is a path that begins with `crate`, `self` or `super`, in a `use` or anywhere in the code.
//! It leads to the file that defines the name: a re-export is followed. Tests are not looked at.

#![allow(clippy::expect_used)]

#[path = "architecture/closed_enums.rs"]
mod closed_enums;
#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/items.rs"]
mod items;
#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use closed_enums::CLOSED;
use imports::{Graph, cycles};
use items::public_types;

/// What each top-level module of `httpoll` may import, besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("phase", &["limits"]),
    ("exclusive", &[]),
    ("random", &[]),
    ("read_once", &[]),
    ("clock", &[]),
    ("address_class", &[]),
    ("file_name", &[]),
    ("page_file", &[]),
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
            "page_file",
            "phase",
            "proto",
            "read_once",
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
            "file_name",
            "limits",
            "page_file",
            "phase",
            "proto",
            "random",
            "read_once",
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
            "page_file",
            "phase",
            "proto",
            "read_once",
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
            "page_file",
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
        "outbox",
        &[
            "agent",
            "clock",
            "error",
            "file_name",
            "limits",
            "random",
            "semantics",
            "transport",
        ],
    ),
    (
        "patch",
        &[
            "agent",
            "clock",
            "error",
            "file_name",
            "semantics",
            "transport",
        ],
    ),
    (
        "server",
        &[
            "address_class",
            "budget",
            "clock",
            "error",
            "exclusive",
            "file_name",
            "group",
            "limits",
            "phase",
            "proto",
            "random",
            "read_once",
            "semantics",
            "transport",
        ],
    ),
];

/// Names that more than one file defines.
const SAME_NAME: &[&str] = &[
    // The agent's and the server's, each in its module: RFC 9110 §3.4 has one word for both sides.
    "Request",
    "Response",
    // The builds with TLS, without it, and for a browser.
    "ServerTlsOptions",
    "TlsInfo",
    "TlsOptions",
    "TlsOptionsBuilder",
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

/// mio sets it where that is safe. On Windows it would let two programs share a port.
#[test]
fn nothing_sets_the_option_to_share_an_address() {
    for (file, text) in library() {
        for option in ["set_reuse_address", "set_reuse_port", "SO_REUSEPORT"] {
            assert!(!text.contains(option), "{option} in {file}");
        }
    }
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut long = BTreeSet::new();
    for folder in [
        "src",
        "tests",
        "examples",
        "benches",
        "fuzz",
        "plugin/src",
        "plugin/tests",
        "plugin/examples",
        "plugin/benches",
    ] {
        for (file, text) in sources(folder) {
            let count = text.lines().count();
            if count > 500 {
                long.insert(format!("{file} has {count} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{}", lines(&long));
}

#[test]
fn a_public_enum_is_non_exhaustive_or_closed_for_a_reason() {
    let mut open = BTreeSet::new();
    let mut closed = BTreeSet::new();
    for (file, text) in library() {
        for item in public_types(&text) {
            if item.keyword != "enum" || item.is_non_exhaustive {
                continue;
            }
            let row = CLOSED
                .iter()
                .find(|(home, name, _)| *home == file && *name == item.name);
            if row.is_none() {
                open.insert(format!("{file}: {} is not #[non_exhaustive]", item.name));
            }
            closed.insert((file.clone(), item.name));
        }
    }
    for (file, name, reason) in CLOSED {
        assert!(!reason.is_empty());
        if !closed.contains(&((*file).to_owned(), (*name).to_owned())) {
            open.insert(format!("{file} has no closed enum {name}"));
        }
    }
    assert!(open.is_empty(), "{}", lines(&open));
}

#[test]
fn no_two_public_types_have_the_same_name() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in library() {
        for item in public_types(&text) {
            homes.entry(item.name).or_default().insert(file.clone());
        }
    }
    let twice: BTreeSet<String> = homes
        .into_iter()
        .filter(|(name, files)| files.len() > 1 && !SAME_NAME.contains(&name.as_str()))
        .map(|(name, files)| format!("{name}: {files:?}"))
        .collect();
    assert!(twice.is_empty(), "{}", lines(&twice));
}

#[test]
fn the_end_of_a_response_leads_through_at_most_12_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("The end of a response\n"))
        .expect("a section about the end of a response");
    let files: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with(|it: char| it.is_ascii_digit()))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert!((1..=12).contains(&files.len()), "{files:?}");
    for file in files {
        assert!(root.join("src").join(file).is_file(), "{file}");
    }
}

/// The files of both crates that are part of a library: neither tests nor the entry points of the fuzzer.
fn library() -> impl Iterator<Item = (String, String)> {
    ["src", "plugin/src"]
        .into_iter()
        .flat_map(sources)
        .filter(|(file, _)| {
            !file.ends_with("tests.rs") && !file.contains("/tests/") && file != "src/fuzzing.rs"
        })
}

/// The Rust files below a folder, by their path from the root, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let file = path.strip_prefix(root).expect("below the root");
                found.push((file.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found
}

fn lines(found: &BTreeSet<String>) -> String {
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    format!("\n{}", found.join("\n"))
}
