//! The samples of both READMEs, of the crates' documentation and of the guide's chapters whose samples need names of
//! Bevy's facade: each is here word for word, and runs against servers in memory, with its output checked. A sample
//! that is in a document and not here fails the test.
//!
//! `bevy` and `httpoll` are stand-ins with the names that the samples use: the plugin does not depend on the
//! facade, and the hosts of the samples exist only here. The plugin groups add a runner, as Bevy's do; it ends
//! the app when the sample has printed enough.

#![cfg(all(
    feature = "assets",
    feature = "server",
    feature = "sha256",
    feature = "tls"
))]
#![allow(clippy::unwrap_used, clippy::panic)]
// The stand-in of `HttpollPlugin` has no fields; the plugin has, so the samples call `default`.
#![allow(clippy::default_constructed_unit_structs)]

/// Defines the module's `OUTPUT`, and macros that print to it.
macro_rules! capture_output {
    () => {
        pub(crate) static OUTPUT: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    };
}

macro_rules! print {
    ($($argument:tt)*) => {
        OUTPUT.lock().unwrap().push(format!($($argument)*))
    };
}

macro_rules! println {
    ($($argument:tt)*) => {
        OUTPUT.lock().unwrap().push(format!($($argument)*))
    };
}

macro_rules! eprintln {
    ($($argument:tt)*) => {
        OUTPUT.lock().unwrap().push(format!($($argument)*))
    };
}

mod root;
mod servers;
mod stand_in;

use stand_in::bevy;

mod first {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();
    include!("first.rs");

    pub(super) fn run() {
        main();
    }
}

mod requests {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();
    include!("requests.rs");

    pub(super) fn run() {
        App::new()
            .add_plugins((DefaultPlugins, HttpollPlugin::default()))
            .add_systems(Startup, send)
            .run();
    }
}

mod assets {
    use super::bevy;
    use super::stand_in::{HttpollPlugin, LevelText};

    capture_output!();
    include!("assets.rs");

    pub(super) fn run() {
        main();
    }
}

mod server {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();
    include!("server.rs");

    pub(super) fn run() {
        main();
    }
}

mod entity {
    use super::stand_in::HttpollPlugin;

    capture_output!();
    include!("entity.rs");

    pub(super) fn run() {
        main();
    }
}

mod node {
    use super::stand_in::httpoll;

    capture_output!();
    include!("node.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

mod agent {
    use super::stand_in::httpoll;

    capture_output!();
    include!("agent.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

mod reactive {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();
    include!("reactive.rs");

    /// Runs frames as a reactive runner does: while somebody asks for them.
    pub(super) fn run() {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, HttpollPlugin::default()))
            .add_message::<RequestRedraw>()
            .add_systems(Startup, |mut http: Http| {
                http.get("https://game.example/news")
                    .on_response(|on: On<HttpResponse>| println!("news: {}", on.text()));
            });
        stay_awake_for_http(&mut app);
        loop {
            app.update();
            let mut asked = app.world_mut().resource_mut::<Messages<RequestRedraw>>();
            if asked.drain().count() == 0 {
                break;
            }
        }
        println!("the app sleeps");
    }
}

/// A sample of the documents.
struct Sample {
    name: &'static str,
    code: String,
    run: fn(),
    output: &'static std::sync::Mutex<Vec<String>>,
    /// The app ends when the sample has printed this many lines.
    lines: usize,
    /// What it prints, sorted and each once: some samples send several requests at once.
    expected: &'static [&'static str],
}

macro_rules! file {
    ($name:ident, $lines:expr, $expected:expr) => {
        Sample {
            name: stringify!($name),
            code: include_str!(concat!(stringify!($name), ".rs")).to_owned(),
            run: $name::run,
            output: &$name::OUTPUT,
            lines: $lines,
            expected: $expected,
        }
    };
}

macro_rules! function {
    ($name:ident, $expected:expr) => {
        Sample {
            name: stringify!($name),
            code: between_marks(stringify!($name)),
            run: || root::$name::run().unwrap(),
            output: &root::$name::OUTPUT,
            lines: 0,
            expected: $expected,
        }
    };
}

/// A chapter of the guide.
macro_rules! guide {
    ($name:literal) => {
        (
            concat!("plugin/src/guide/", $name, ".md"),
            include_str!(concat!("../../src/guide/", $name, ".md")).to_owned(),
        )
    };
}

fn all_samples() -> Vec<Sample> {
    vec![
        file!(first, 1, &[r#"200: {"leader":"Ada"}"#]),
        file!(
            requests,
            5,
            &[
                "Ada: 7",
                "Some(1.0) of the levels",
                "news: all is well",
                "submitted: 201",
                "the owner got spring",
            ]
        ),
        file!(assets, 1, &["the level: #..#"]),
        // The stand-in sends requests to a server that listens.
        file!(server, 3, &["GET /hello", "listening at 127.0.0.1:8080"]),
        file!(
            reactive,
            usize::MAX,
            &["news: all is well", "the app sleeps"]
        ),
        file!(entity, 1, &["200 with 16 bytes"]),
        file!(node, 1, &[r#"{"leader":"Ada"}"#]),
        file!(agent, 2, &["Some(1.0)", r#"{"leader":"Ada"}"#]),
        function!(crate_docs, &[r#"{"leader":"Ada"}"#]),
        function!(serve, &["hello, Ada"]),
    ]
}

/// A sample of `root.rs`, as it is in its document.
fn between_marks(name: &str) -> String {
    let source = include_str!("root.rs");
    let begin = format!("// sample: {name}\n");
    let code = source.split(&begin).nth(1).unwrap();
    let code = code.split("        // end of the sample").next().unwrap();
    let lines = code
        .lines()
        .map(|line| line.strip_prefix("        ").unwrap_or(line));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The samples in a document, without their hidden lines.
fn samples_in(document: &str) -> Vec<String> {
    let mut samples = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => {
                let (is_rust, code) = block.take().unwrap();
                if is_rust {
                    samples.push(code);
                }
            }
            (Some(kind), None) => {
                let is_rust = ["", "no_run", "rust"].contains(&kind) || kind.starts_with("rust,");
                block = Some((is_rust, String::new()));
            }
            (None, Some((_, code))) if line != "#" && !line.starts_with("# ") => {
                *code += line;
                *code += "\n";
            }
            (None, _) => {}
        }
    }
    samples
}

/// The documentation of a crate, from its source.
fn crate_documentation(source: &str) -> String {
    let lines = source.lines().filter_map(|line| line.strip_prefix("//!"));
    lines
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

#[test]
fn every_sample_runs_and_prints_what_it_should() {
    // Samples write to a relative path.
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let all = all_samples();
    let mut unused: Vec<&str> = all.iter().map(|sample| sample.name).collect();
    let documents = [
        ("README.md", include_str!("../../../README.md").to_owned()),
        (
            "plugin/README.md",
            include_str!("../../README.md").to_owned(),
        ),
        (
            "src/lib.rs",
            crate_documentation(include_str!("../../../src/lib.rs")),
        ),
        (
            "plugin/src/lib.rs",
            crate_documentation(include_str!("../../src/lib.rs")),
        ),
        guide!("assets"),
        guide!("servers"),
        guide!("reactive_apps"),
    ];
    for (name, document) in documents {
        for code in samples_in(&document) {
            let Some(sample) = all.iter().find(|sample| sample.code == code) else {
                panic!("no file of plugin/tests/readme is this sample of {name}:\n{code}");
            };
            unused.retain(|other| *other != sample.name);
            stand_in::prepare(sample.output, sample.lines);
            (sample.run)();
            let mut output = std::mem::take(&mut *sample.output.lock().unwrap());
            output.sort();
            output.dedup();
            assert_eq!(output, sample.expected, "{}", sample.name);
            if sample
                .expected
                .iter()
                .any(|line| line.starts_with("Some(1.0)"))
            {
                let file = folder.join("assets/levels.pak");
                assert_eq!(std::fs::read(&file).unwrap(), b"pack", "{}", sample.name);
                std::fs::remove_file(file).unwrap();
            }
        }
    }
    assert!(unused.is_empty(), "in no document: {unused:?}");
    // Windows does not remove the current folder.
    std::env::set_current_dir(std::env::temp_dir()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_sample_that_is_not_here_would_be_found() {
    let document = "text\n```rust,ignore\nfirst();\n# hidden\n```\n```sh\nnot rust\n```\n```no_run\nsecond();\n```\n";
    assert_eq!(samples_in(document), ["first();\n", "second();\n"]);
    assert_eq!(crate_documentation("//! a\n//!\nuse b;\n"), "a\n\n");
}
