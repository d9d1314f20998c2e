//! Downloads a file in a plain winit window. No frame is drawn while the download waits: the agent wakes the event
//! loop through an `EventLoopProxy` when a poll is worthwhile.
//!
//! ```text
//! cargo run -- http://127.0.0.1:8080/levels.pak levels.pak
//! ```
//!
//! The title shows the progress. The window closes at the end, and the program prints how often it was woken.
//! Closing the window earlier keeps what arrived, and the next run continues there.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use httpoll::{Agent, Download, Event, Request};
use winit::application::ApplicationHandler;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::window::{Window, WindowId};

/// A poll is worthwhile.
#[derive(Debug)]
struct Wake;

struct Game {
    agent: Agent,
    window: Option<Window>,
    wakes: u32,
    /// The bytes of the file, once the download is over.
    outcome: Option<Result<u64, Box<dyn Error>>>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &args[..] else {
        eprintln!("usage: httpoll_in_winit URL FILE");
        return ExitCode::from(2);
    };
    match run(url, path) {
        Ok(text) => {
            println!("{path}: {text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, path: &str) -> Result<String, Box<dyn Error>> {
    let event_loop = EventLoop::<Wake>::with_user_event().build()?;
    // Sleeps until the window or the agent has something.
    event_loop.set_control_flow(ControlFlow::Wait);
    let proxy = event_loop.create_proxy();
    let mut agent = Agent::builder()
        .on_event(move || {
            // It fails only when the event loop has ended.
            let _ = proxy.send_event(Wake);
        })
        .build();
    let download = Download::to(path).resume(true);
    let request = Request::get(url)
        .error_for_status(true)
        .download_to(download);
    agent.send(request)?.detach();
    let mut game = Game {
        agent,
        window: None,
        wakes: 0,
        outcome: None,
    };
    event_loop.run_app(&mut game)?;
    game.put_away();
    let wakes = game.wakes;
    match game.outcome {
        Some(outcome) => Ok(format!("{} bytes, {wakes} wakes", outcome?)),
        None => Ok(format!("the window was closed, {wakes} wakes")),
    }
}

impl Game {
    /// Closes all connections. What arrived of an unfinished download is on the disk after this.
    fn put_away(&mut self) {
        self.agent.suspend(Duration::ZERO);
        self.agent.poll();
        // A thread writes, renames and removes files.
        self.agent.finish_files(Duration::from_millis(500));
    }
}

impl ApplicationHandler<Wake> for Game {
    /// The start, and on phones each return from the background.
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        self.agent.resume_all();
        let attributes = Window::default_attributes().with_title("waiting");
        match event_loop.create_window(attributes) {
            Ok(window) => self.window = Some(window),
            Err(error) => {
                self.outcome = Some(Err(error.into()));
                event_loop.exit();
            }
        }
    }

    /// Phones only: the game goes to the background, where sockets die and nothing is called any more.
    fn suspended(&mut self, _: &ActiveEventLoop) {
        self.put_away();
        self.window = None;
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, _: Wake) {
        self.wakes += 1;
        self.agent.poll();
        while let Some(event) = self.agent.next_event() {
            match event {
                Event::Progress { progress, .. } => {
                    let percent = progress.fraction().map_or(0.0, |part| part * 100.0);
                    if let Some(window) = &self.window {
                        window.set_title(&format!("{percent:.0} %"));
                    }
                }
                Event::Done { response, .. } => {
                    let bytes = response.saved().map_or(0, |file| file.bytes);
                    self.outcome = Some(Ok(bytes));
                    event_loop.exit();
                }
                Event::Failed { error, .. } => {
                    self.outcome = Some(Err(error.into()));
                    event_loop.exit();
                }
                _ => {}
            }
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        if matches!(event, WindowEvent::CloseRequested) {
            event_loop.exit();
        }
    }
}
