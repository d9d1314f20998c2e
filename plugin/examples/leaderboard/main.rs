//! The typical task: a leaderboard that refreshes while its screen is open, and a score that is submitted once.
//!
//! ```text
//! cargo run -p bevy_httpoll --features cache --example leaderboard
//! plugin/web/run    # the same program as a web page
//! ```
//!
//! What to look for: `logic.rs` is all that the game needs. The submission is refused with `Retry-After: 1`
//! and then accepted. The list refreshes while the screen is open. When the server fails, the saved copy
//! stays on the screen. Leaving the screen cancels the request.
//!
//! In a terminal, `terminal.rs` starts the service inside this program and prints. In a page, `page.rs` uses the
//! server that the page came from, and draws a table.

#[macro_use]
#[path = "../offline/mod.rs"]
mod offline;
mod logic;
#[cfg_attr(target_family = "wasm", path = "page.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "terminal.rs")]
mod platform;

use std::error::Error;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_state::app::{AppExtStates, StatesPlugin};
use bevy_state::prelude::*;

use logic::{Leaderboard, Score, Screen};
use platform::Service;

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "leaderboard",
        "The typical task: a leaderboard that refreshes while its screen is open, and a score that is submitted once.",
        &[],
    );
    let service = Service::start()?;
    let exit = offline::app()
        .add_plugins(StatesPlugin)
        .add_plugins(HttpollPlugin {
            base_url: Some(service.base_url()),
            cache: Some(HttpCacheFile::new(service.cache_file())),
            ..HttpollPlugin::default()
        })
        .init_state::<Screen>()
        .init_resource::<Leaderboard>()
        .add_systems(Startup, end_match)
        .add_systems(OnEnter(Screen::Leaderboard), logic::open)
        .add_systems(Update, (draw, play))
        .run();
    service.end()?;
    Ok(exit)
}

/// A match has ended.
fn end_match(mut http: Http, mut next: ResMut<NextState<Screen>>) {
    let score = Score {
        player: "Ada".to_owned(),
        points: 184_250,
    };
    platform::print(&format!(
        "submitting {} points of {}",
        score.points, score.player
    ));
    logic::submit(&mut http, "token-of-ada", "match-4711", &score);
    next.set(Screen::Leaderboard);
}

/// Draws the leaderboard when it has changed.
fn draw(board: Res<Leaderboard>, mut shown: Local<String>) {
    let names: Vec<String> = board
        .scores
        .iter()
        .map(|score| format!("{} {}", score.player, score.points))
        .collect();
    let mut text = names.join(", ");
    if board.is_saved_copy {
        text += " (saved copy)";
    }
    if let Some(problem) = &board.problem {
        text += problem;
    }
    if board.is_changed() && text != *shown {
        platform::print(&format!("leaderboard: {text}"));
        platform::draw(&board);
        *shown = text;
    }
}

/// The player watches the leaderboard, the server fails, and the player leaves.
fn play(
    mut http: Http,
    board: Res<Leaderboard>,
    requests: Query<&HttpRequest>,
    mut next: ResMut<NextState<Screen>>,
    screen: Res<State<Screen>>,
    mut exit: MessageWriter<AppExit>,
    mut is_failing: Local<bool>,
) {
    let is_submitted = board.scores.iter().any(|score| score.player == "Ada");
    if is_submitted && !board.is_saved_copy && !*is_failing {
        platform::print("the server fails from now on");
        // A switch for this example.
        http.post("fail");
        *is_failing = true;
    }
    if board.is_saved_copy && *screen.get() == Screen::Leaderboard {
        platform::print("the player leaves");
        next.set(Screen::Match);
    }
    if board.is_saved_copy && *screen.get() == Screen::Match && requests.is_empty() {
        platform::print("no request is left");
        exit.write(AppExit::Success);
    }
}
