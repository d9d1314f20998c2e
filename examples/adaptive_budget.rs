//! A budget that follows the frame: light frames download more, heavy ones less.
//!
//! ```sh
//! cargo run --release --features server --example adaptive_budget
//! ```
//!
//! It runs offline. A server on a thread of this process sends a large file. The game has a menu with light
//! frames, a battle with heavy ones, and a loading screen. The example prints what each grants to HTTP.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use httpoll::budget::{FrameBudget, FramePace};
use httpoll::server::{Request as Incoming, Response, Server};
use httpoll::{Agent, Event, Request, RequestHandle};

#[macro_use]
mod offline;

const ABOUT: &str = "A budget that follows the frame: light frames download more, heavy ones less.";

/// How many frames each scene has.
const FRAMES: u32 = 30;

/// The size of the file that is downloaded again and again.
const FILE_BYTES: usize = 64 * 1024 * 1024;

fn main() -> ExitCode {
    offline::command_line("adaptive_budget", ABOUT, "");
    offline::exit_code("adaptive_budget", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?;
    let file = httpoll::Bytes::from(vec![7; FILE_BYTES]);
    server.route("GET", "/pack", move |_: &mut Incoming| {
        Response::content("application/octet-stream", file.clone())
    })?;
    let server = offline::Embedded::start(server);
    let url = format!("http://{}/pack", server.address);
    let mut agent = Agent::new();
    let mut frame = FrameBudget::new(FramePace::adaptive(60));
    let mut download = None;
    let mut granted = Vec::new();
    for (scene, load, pace) in [
        ("menu", 1, FramePace::adaptive(60)),
        ("battle", 15, FramePace::adaptive(60)),
        ("loading screen", 1, FramePace::loading()),
    ] {
        frame.set_pace(pace);
        let mut scene_granted = Duration::ZERO;
        let mut received = 0;
        for _ in 0..FRAMES {
            let began = Instant::now();
            frame.begin_frame();
            scene_granted += frame.granted().time.unwrap_or_default();
            if download.is_none() {
                download = Some(agent.send(Request::get(&*url).stream().max_body(0))?);
            }
            received += frame.poll(|budget| drive(&mut agent, budget, &mut download))?;
            // The game's own work.
            std::thread::sleep(Duration::from_millis(load));
            frame.end_frame();
            offline::end_frame(began);
        }
        let mean = scene_granted / FRAMES;
        println!(
            "{scene}: {load} ms of work per frame; {:.2} ms for HTTP on average; {:.1} MB received",
            mean.as_secs_f64() * 1000.0,
            received as f64 / 1e6
        );
        granted.push(mean);
    }
    match granted[..] {
        [menu, battle, loading] if battle < menu && menu < loading => Ok(()),
        _ => Err(format!("unexpected budgets: {granted:?}").into()),
    }
}

/// Polls and takes what arrived. Returns the number of bytes.
fn drive(
    agent: &mut Agent,
    budget: &httpoll::Budget,
    download: &mut Option<RequestHandle>,
) -> Result<usize, httpoll::Error> {
    let mut received = 0;
    agent.poll_with(budget);
    while let Some(event) = agent.next_event() {
        match event {
            Event::Chunk { bytes, .. } => received += bytes.len(),
            Event::Done { .. } => *download = None,
            Event::Failed { error, .. } => return Err(error),
            _ => {}
        }
    }
    Ok(received)
}
