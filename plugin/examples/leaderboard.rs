//! A headless Bevy app at 60 fps fetches a leaderboard and prints it as a table.
//!
//! ```text
//! cargo run -p bevy_httpoll --example leaderboard
//! cargo run -p bevy_httpoll --example leaderboard -- --url https://example.com/leaderboard.json
//! ```
//!
//! Without `--url` it serves `assets/leaderboard.json` to itself, on a free port of this machine.
//! `--cacert FILE` trusts a private authority.
//!
//! What to look for: the request is one entity and its answer one event; each change of phase is
//! an event, too; the longest frame is as long as the others, because nothing in it waited.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bevy_app::{App, AppExit, First, ScheduleRunnerPlugin, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use serde_json::Value;

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// After this the example gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<AppExit, Box<dyn Error>> {
    let mut plugin = HttpollPlugin::default();
    let mut url = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments
            .next()
            .ok_or(format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--url" => url = Some(value),
            "--cacert" => {
                let pem = std::fs::read(value)?;
                let options = bevy_httpoll::httpoll::TlsOptions::builder();
                plugin.tls = Some(options.add_root_pem(&pem).build()?);
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let url = match url {
        Some(url) => url,
        None => serve_leaderboard()?,
    };
    Ok(App::new()
        .add_plugins((ScheduleRunnerPlugin::run_loop(FRAME), plugin))
        .insert_resource(Leaderboard { url })
        .init_resource::<Frames>()
        .add_systems(Startup, fetch)
        .add_systems(First, begin_frame)
        .add_systems(Update, give_up)
        .add_systems(bevy_app::Last, end_frame)
        .run())
}

#[derive(Resource)]
struct Leaderboard {
    url: String,
}

/// Asks for the leaderboard: one entity, and what happens when it is answered.
fn fetch(mut commands: Commands, leaderboard: Res<Leaderboard>) {
    println!("GET {}", leaderboard.url);
    commands
        .spawn(HttpRequest::get(leaderboard.url.as_str()).header("Accept", "application/json"))
        .observe(|changed: On<HttpPhaseChanged>, frames: Res<Frames>| {
            println!("frame {}: {} -> {}", frames.count, changed.from, changed.to);
        })
        .observe(show)
        .observe(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("the leaderboard did not come: {}", failed.error);
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
        eprintln!("no leaderboard at this address");
        exit.write(AppExit::error());
        return Ok(());
    }
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(board) => print_table(&board),
        Err(error) => {
            eprintln!("the answer is no JSON: {error}");
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

/// How long each frame's work took, sleeping aside.
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
            FRAME.as_secs_f64() * 1e3,
            frames.count,
        );
    }
}

fn give_up(frames: Res<Frames>, mut exit: MessageWriter<AppExit>) {
    if frames.started.elapsed() > PATIENCE {
        eprintln!("no answer in {PATIENCE:?}");
        exit.write(AppExit::error());
    }
}

/// A few lines of a server, in a thread of its own.
fn serve_leaderboard() -> Result<String, Box<dyn Error>> {
    const BOARD: &str = include_str!("../../assets/leaderboard.json");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/leaderboard.json", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                request.extend_from_slice(&buffer[..count]);
                if request.ends_with(b"\r\n\r\n") {
                    break;
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                BOARD.len(),
            );
            // A client that went away is the next client's loss only if this thread minds.
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(BOARD.as_bytes());
        }
    });
    Ok(url)
}
