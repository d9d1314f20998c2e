//! A headless Bevy app at 60 fps fetches a leaderboard and prints it as a table.
//!
//! ```text
//! cargo run -p bevy_httpoll --example get
//! cargo run -p bevy_httpoll --example get -- --url https://example.com/leaderboard.json
//! ```
//!
//! Without `--url` it serves `assets/leaderboard.json` to itself, on a free port of this machine.
//! `--cacert FILE` trusts a private authority.
//!
//! What to look for: the request is one entity, its response one event, and each change of phase an event. The
//! longest frame is short, because nothing in it waits.

#[macro_use]
mod offline;

use std::error::Error;
use std::time::{Duration, Instant};

use bevy_app::{AppExit, First, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use serde_json::Value;

fn main() -> Result<AppExit, Box<dyn Error>> {
    let mut plugin = HttpollPlugin::default();
    let mut options = offline::command_line(
        "get",
        "A headless Bevy app at 60 fps fetches a leaderboard and prints it as a table.",
        &[
            (
                "url",
                "URL",
                "JSON with `season` and a list `scores` of `rank`, `name`, `score`, `country`; \
                 without it, the example serves its own",
            ),
            ("cacert", "FILE", "trusts this authority (PEM), too"),
        ],
    );
    if let Some(file) = options.remove("cacert") {
        let pem = match std::fs::read(&file) {
            Ok(pem) => pem,
            Err(error) => {
                eprintln!("get: {file}: {error}");
                return Ok(AppExit::error());
            }
        };
        let tls = bevy_httpoll::httpoll::tls::TlsOptions::builder();
        plugin.tls = Some(tls.add_root_pem(&pem).build()?);
    }
    let url = match options.remove("url") {
        Some(url) => url,
        None => serve_leaderboard()?,
    };
    Ok(offline::app()
        .add_plugins(plugin)
        .insert_resource(Leaderboard { url })
        .init_resource::<Frames>()
        .add_systems(Startup, fetch)
        .add_systems(First, begin_frame)
        .add_systems(bevy_app::Last, end_frame)
        .run())
}

#[derive(Resource)]
struct Leaderboard {
    url: String,
}

/// Sends the request: one entity, and the observers of its end.
fn fetch(mut commands: Commands, leaderboard: Res<Leaderboard>) {
    println!("GET {}", leaderboard.url);
    commands
        .spawn(HttpRequest::get(leaderboard.url.as_str()).header("Accept", "application/json"))
        .observe(|changed: On<HttpPhaseChanged>, frames: Res<Frames>| {
            println!("frame {}: {} -> {}", frames.count, changed.from, changed.to);
        })
        .observe(show)
        .observe(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("no leaderboard: {}", failed.error);
            exit.write(AppExit::error());
        });
}

fn show(
    response: On<HttpResponse>,
    frames: Res<Frames>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    println!(
        "frame {}: {} with {} bytes, {:.1} ms after the app started",
        frames.count,
        response.status(),
        response.body.len(),
        frames.started.elapsed().as_secs_f64() * 1e3,
    );
    if !response.is_success() {
        eprintln!("the response has a status of failure");
        exit.write(AppExit::error());
        return Ok(());
    }
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(board) if board["scores"].is_array() => print_table(&board),
        Ok(_) => {
            eprintln!("the JSON is no leaderboard: it has no list `scores`; see get --help");
            exit.write(AppExit::error());
            return Ok(());
        }
        Err(error) => {
            eprintln!("the content is not JSON: {error}");
            exit.write(AppExit::error());
            return Ok(());
        }
    }
    exit.write(AppExit::Success);
    Ok(())
}

fn print_table(board: &Value) {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    println!("\n  Season: {}", text(&board["season"]));
    println!("  {:>4}  {:<14}{:>10}  Country", "Rank", "Name", "Score");
    for row in board["scores"].as_array().into_iter().flatten() {
        println!(
            "  {:>4}  {:<14}{:>10}  {}",
            text(&row["rank"]),
            text(&row["name"]),
            text(&row["score"]),
            text(&row["country"]),
        );
    }
    println!();
}

/// How long the work of each frame took, without the sleep between frames.
#[derive(Resource)]
struct Frames {
    started: Instant,
    began: Instant,
    count: u32,
    longest: Duration,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            began: Instant::now(),
            count: 0,
            longest: Duration::ZERO,
        }
    }
}

fn begin_frame(mut frames: ResMut<Frames>) {
    frames.began = Instant::now();
    frames.count += 1;
}

fn end_frame(mut frames: ResMut<Frames>, exit: MessageReader<AppExit>) {
    frames.longest = frames.longest.max(frames.began.elapsed());
    if !exit.is_empty() {
        println!(
            "longest frame: {:.3} ms of {:.1} ms, in {} frames",
            frames.longest.as_secs_f64() * 1e3,
            offline::FRAME.as_secs_f64() * 1e3,
            frames.count,
        );
    }
}

fn serve_leaderboard() -> Result<String, Box<dyn Error>> {
    const BOARD: &str = include_str!("../../assets/leaderboard.json");
    let server = offline::serve(|_, stream| {
        offline::reply(stream, 200, "application/json", BOARD.as_bytes())
    })?;
    Ok(format!("http://{server}/leaderboard.json"))
}
