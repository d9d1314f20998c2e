//! Downloads a file in a macroquad game, on Linux, Windows, macOS and mobile systems. The game draws each frame
//! anyway, so the agent is polled in each frame; a poll takes at most a millisecond.
//!
//! ```text
//! cargo run -- http://127.0.0.1:8080/levels.pak levels.pak
//! ```

use std::time::Duration;

use httpoll::{Agent, Download, Event, Request};
use macroquad::input::{is_quit_requested, prevent_quit};
use macroquad::prelude::{BLACK, GREEN, WHITE, clear_background, draw_rectangle, draw_text};
use macroquad::window::{next_frame, screen_width};

#[macroquad::main("httpoll in macroquad")]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &args[..] else {
        eprintln!("usage: httpoll_in_macroquad URL FILE");
        return;
    };
    let mut agent = Agent::new();
    let request = Request::get(url)
        .error_for_status(true)
        .download_to(Download::to(path).resume(true));
    let mut text = match agent.send(request) {
        Ok(handle) => {
            handle.detach();
            format!("downloading {url}")
        }
        Err(error) => failed(&error),
    };
    let mut fraction = 0.0;
    prevent_quit();
    while !is_quit_requested() {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Progress { progress, .. } => fraction = progress.fraction().unwrap_or(0.0),
                Event::Done { response, .. } => {
                    let bytes = response.saved().map_or(0, |file| file.bytes);
                    text = format!("{path}: {bytes} bytes");
                }
                Event::Failed { error, .. } => text = failed(&error),
                _ => {}
            }
        }
        clear_background(BLACK);
        draw_text(&text, 20.0, 40.0, 24.0, WHITE);
        draw_rectangle(
            20.0,
            60.0,
            (screen_width() - 40.0) * fraction as f32,
            20.0,
            GREEN,
        );
        next_frame().await;
    }
    // What arrived of an unfinished download stays, and the next run continues there.
    agent.suspend(Duration::ZERO);
    agent.poll();
    agent.finish_files(Duration::from_millis(500));
}

/// The window has too little space for all that an error says.
fn failed(error: &httpoll::Error) -> String {
    eprintln!("{error}");
    "failed; the terminal says why".to_owned()
}
