//! Downloads a file in a macroquad game, on Linux, Windows, macOS and mobile systems. The game draws each frame
//! anyway, so the agent is polled in each frame; a poll takes at most a millisecond.
//!
//! ```text
//! cargo run -- http://127.0.0.1:8080/levels.pak levels.pak
//! ```

use httpoll::{Agent, Download, Event, Request};
use macroquad::prelude::{BLACK, GREEN, WHITE, clear_background, draw_rectangle, draw_text};
use macroquad::window::{next_frame, screen_width};

#[macroquad::main("httpoll in macroquad")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(path)) = (args.next(), args.next()) else {
        eprintln!("usage: httpoll_in_macroquad URL FILE");
        return;
    };
    let mut agent = Agent::new();
    let request = Request::get(&url).download_to(Download::to(&path).resume(true));
    let mut text = match agent.send(request) {
        Ok(handle) => {
            handle.detach();
            format!("downloading {url}")
        }
        Err(error) => error.to_string(),
    };
    let mut fraction = 0.0;
    loop {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Progress { progress, .. } => fraction = progress.fraction().unwrap_or(0.0),
                Event::Done { response, .. } => text = format!("{path}: {}", response.status()),
                Event::Failed { error, .. } => text = error.to_string(),
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
}
