//! Fetches the news every 200 ms, and slows down while the server has trouble.
//!
//! ```text
//! cargo run -p bevy_httpoll --example polling_loop
//! ```
//!
//! What to look for: the loop is one component, `HttpRepeat`. Rounds are 200 ms apart; the two
//! failures in the middle double that time twice; the first success restores it. All rounds go over one
//! connection.

#[macro_use]
mod offline;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

const ROUNDS: u32 = 8;

#[derive(Resource)]
struct Server(String);

#[derive(Resource)]
struct Loop {
    latest: Instant,
    rounds: u32,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "polling_loop",
        "Fetches the news every 200 ms, and slows down while the server has trouble.",
        &[],
    );
    let requests = AtomicU32::new(0);
    let server = offline::serve(
        move |_, stream| match requests.fetch_add(1, Ordering::Relaxed) {
            3 | 4 => offline::reply(stream, 503, "text/plain", b"too much to do"),
            round => offline::text(stream, &format!("news number {round}")),
        },
    )?;
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Server(format!("http://{server}/news")))
        .insert_resource(Loop {
            latest: Instant::now(),
            rounds: 0,
        })
        .add_systems(Startup, begin)
        .run())
}

fn begin(mut http: Http, server: Res<Server>) {
    http.get(server.0.as_str())
        .insert(HttpRepeat {
            jitter: 0.0,
            longest: Duration::from_secs(2),
            ..HttpRepeat::every(Duration::from_millis(200))
        })
        .on_response(
            |news: On<HttpResponse>, mut state: ResMut<Loop>, mut exit: MessageWriter<AppExit>| {
                let pause = state.latest.elapsed().as_millis();
                println!("{pause:>4} ms later: {} {}", news.status(), news.text());
                state.latest = Instant::now();
                state.rounds += 1;
                if state.rounds == ROUNDS {
                    exit.write(AppExit::Success);
                }
            },
        )
        .on_error(|failed: On<HttpError>| eprintln!("{}", failed.error));
}
