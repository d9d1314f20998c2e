//! The typical task: a leaderboard that refreshes while its screen is open, and a score that is submitted once.
//!
//! ```text
//! cargo run -p bevy_httpoll --features cache --example leaderboard
//! ```
//!
//! What to look for: `logic.rs` is all that the game needs. The submission is refused with `Retry-After: 1`
//! and then accepted. The list refreshes while the screen is open. When the server fails, the saved copy
//! stays on the screen. Leaving the screen cancels the request.

mod logic;
#[path = "../offline/mod.rs"]
mod offline;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_state::app::{AppExtStates, StatesPlugin};
use bevy_state::prelude::*;

use logic::{Leaderboard, Score, Screen};

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "leaderboard",
        "The typical task: a leaderboard that refreshes while its screen is open, and a score that is submitted once.",
        &[],
    );
    let fails = Arc::new(AtomicU32::new(0));
    let server = serve(Arc::clone(&fails))?;
    let folder = std::env::temp_dir().join(format!("httpoll-leaderboard-{}", std::process::id()));
    let exit = offline::app()
        .add_plugins(StatesPlugin)
        .add_plugins(HttpollPlugin {
            base_url: Some(format!("http://{server}/")),
            cache: Some(HttpCacheFile::new(folder.join("http.cache"))),
            ..HttpollPlugin::default()
        })
        .init_state::<Screen>()
        .init_resource::<Leaderboard>()
        .insert_resource(Server(fails))
        .add_systems(Startup, end_match)
        .add_systems(OnEnter(Screen::Leaderboard), logic::open)
        .add_systems(Update, (print, play))
        .run();
    std::fs::remove_dir_all(folder)?;
    Ok(exit)
}

/// Whether the server fails: a switch for this example.
#[derive(Resource)]
struct Server(Arc<AtomicU32>);

/// A match has ended.
fn end_match(mut http: Http, mut next: ResMut<NextState<Screen>>) {
    let score = Score {
        player: "Ada".to_owned(),
        points: 184_250,
    };
    println!("submitting {} points of {}", score.points, score.player);
    logic::submit(&mut http, "token-of-ada", "match-4711", &score);
    next.set(Screen::Leaderboard);
}

/// Prints the leaderboard when it has changed.
fn print(board: Res<Leaderboard>, mut shown: Local<String>) {
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
        println!("leaderboard: {text}");
        *shown = text;
    }
}

/// The player watches the leaderboard, the server fails, and the player leaves.
fn play(
    server: Res<Server>,
    board: Res<Leaderboard>,
    requests: Query<&HttpRequest>,
    mut next: ResMut<NextState<Screen>>,
    screen: Res<State<Screen>>,
    mut exit: MessageWriter<AppExit>,
) {
    let is_submitted = board.scores.iter().any(|score| score.player == "Ada");
    if is_submitted && !board.is_saved_copy && server.0.swap(1, Ordering::Relaxed) == 0 {
        println!("the server fails from now on");
    }
    if board.is_saved_copy && *screen.get() == Screen::Leaderboard {
        println!("the player leaves");
        next.set(Screen::Match);
    }
    if board.is_saved_copy && *screen.get() == Screen::Match && requests.is_empty() {
        println!("no request is left");
        exit.write(AppExit::Success);
    }
}

/// A service that is busy at first, and that fails on request.
fn serve(fails: Arc<AtomicU32>) -> std::io::Result<std::net::SocketAddr> {
    let scores = Mutex::new(vec![Score {
        player: "Bob".to_owned(),
        points: 171_900,
    }]);
    let posts = AtomicU32::new(0);
    offline::serve(move |request, stream| {
        use std::io::Write;
        if fails.load(Ordering::Relaxed) == 1 {
            return offline::reply(stream, 500, "text/plain", b"out of order");
        }
        let mut scores = scores.lock().map_err(|_| std::io::ErrorKind::Other)?;
        if request.method == "POST" {
            if posts.fetch_add(1, Ordering::Relaxed) == 0 {
                println!("the server is busy and asks to retry after one second");
                return stream.write_all(
                    b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                );
            }
            let is_ada = request.field("authorization") == Some("Bearer token-of-ada");
            println!("the server accepts the score: {is_ada}");
            scores.push(serde_json::from_slice(&request.body)?);
            scores.sort_by_key(|score| std::cmp::Reverse(score.points));
            return offline::reply(stream, 201, "text/plain", b"");
        }
        let list = serde_json::to_vec(&*scores)?;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=0\r\n\
             Content-Length: {}\r\n\r\n",
            list.len()
        )?;
        stream.write_all(&list)
    })
}
