//! The samples of README.md, which are the samples of the crate's documentation, too: each is a file here, word
//! for word, and runs against servers in memory, with its output checked.
//!
//! `bevy` is a stand-in with the names that the samples use, because the plugin does not depend on the facade.
//! Its plugin groups add a runner, as Bevy's do; it ends the app when the sample has printed enough.

#![cfg(all(feature = "assets", feature = "server", feature = "tls"))]
#![allow(clippy::unwrap_used, clippy::panic)]
// The stand-in of `HttpollPlugin` has no fields; the plugin has, so the samples call `default`.
#![allow(clippy::default_constructed_unit_structs)]

mod servers;
mod stand_in;

use stand_in::bevy;

/// Defines `println` for the module that it is used in: it appends to the module's `OUTPUT`.
macro_rules! capture_output {
    () => {
        pub(super) static OUTPUT: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    };
}

mod first {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();

    macro_rules! println {
        ($($argument:tt)*) => {
            OUTPUT.lock().unwrap().push(format!($($argument)*))
        };
    }

    include!("first.rs");

    pub(super) fn run() {
        main();
    }
}

mod requests {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();

    macro_rules! println {
        ($($argument:tt)*) => {
            OUTPUT.lock().unwrap().push(format!($($argument)*))
        };
    }

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
    use super::stand_in::HttpollPlugin;

    capture_output!();

    macro_rules! println {
        ($($argument:tt)*) => {
            OUTPUT.lock().unwrap().push(format!($($argument)*))
        };
    }

    include!("assets.rs");

    use super::stand_in::LevelText;

    pub(super) fn run() {
        main();
    }
}

mod server {
    use super::bevy;
    use super::stand_in::HttpollPlugin;

    capture_output!();

    macro_rules! println {
        ($($argument:tt)*) => {
            OUTPUT.lock().unwrap().push(format!($($argument)*))
        };
    }

    include!("server.rs");

    pub(super) fn run() {
        main();
    }
}

/// Runs a sample until it has printed this many lines, and returns them.
fn output_of(
    run: impl FnOnce(),
    output: &'static std::sync::Mutex<Vec<String>>,
    lines: usize,
) -> Vec<String> {
    stand_in::prepare(output, lines);
    run();
    output.lock().unwrap().clone()
}

#[test]
fn the_first_sample_prints_the_response() {
    let output = output_of(first::run, &first::OUTPUT, 1);
    assert_eq!(output, [r#"200: {"leader":"Ada"}"#]);
}

#[test]
fn the_samples_of_requests_print_their_results() {
    // A sample writes to a relative path.
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let mut output = output_of(requests::run, &requests::OUTPUT, 5);
    output.sort();
    output.dedup();
    assert_eq!(
        output,
        [
            "Ada leads with 7",
            "Some(1.0) of the levels",
            "news: all is well",
            "submitted: 201",
            "the owner got spring",
        ]
    );
    assert_eq!(
        std::fs::read(folder.join("assets/levels.pak")).unwrap(),
        b"pack"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_sample_of_assets_prints_the_level() {
    let output = output_of(assets::run, &assets::OUTPUT, 1);
    assert_eq!(output, ["the level: #..#"]);
}

#[test]
fn the_sample_of_servers_responds() {
    let output = output_of(server::run, &server::OUTPUT, 3);
    assert_eq!(
        output,
        ["listening at 127.0.0.1:8080", "GET /hello", "GET /hello"],
        "the stand-in sends requests"
    );
}

#[test]
fn the_files_are_the_samples_of_the_readme() {
    let readme = include_str!("../../README.md");
    let files = [
        ("first", include_str!("first.rs")),
        ("requests", include_str!("requests.rs")),
        ("assets", include_str!("assets.rs")),
        ("server", include_str!("server.rs")),
    ];
    for (name, file) in files {
        let sample = readme
            .split(&format!("<!-- sample: {name} -->\n```rust,ignore\n"))
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        assert_eq!(sample, Some(file), "{name}");
    }
    let samples = readme.matches("```rust").count();
    assert_eq!(
        samples,
        files.len() + 1,
        "all but the two lines of reactive apps"
    );
}
