//! Downloads a file in a plain winit window. No frame is drawn while the download waits: the agent wakes the event
//! loop through an `EventLoopProxy` when a poll is worthwhile.
//!
//! ```text
//! cargo run -- http://127.0.0.1:8080/levels.pak levels.pak
//! ```
//!
//! The title shows the progress. The window closes at the end, and the program prints how often it was woken.
//! Closing the window earlier keeps what arrived, and the next run continues there.

use std::process::ExitCode;

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
    outcome: Option<Result<String, httpoll::Error>>,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(path)) = (args.next(), args.next()) else {
        eprintln!("usage: httpoll_in_winit URL FILE");
        return ExitCode::FAILURE;
    };
    match run(&url, &path) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, path: &str) -> Result<String, Box<dyn std::error::Error>> {
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
    let request = Request::get(url).download_to(Download::to(path).resume(true));
    agent.send(request)?.detach();
    let mut game = Game {
        agent,
        window: None,
        wakes: 0,
        outcome: None,
    };
    event_loop.run_app(&mut game)?;
    let wakes = game.wakes;
    match game.outcome {
        Some(outcome) => Ok(format!("{path}: {}, {wakes} wakes", outcome?)),
        None => Ok(format!("{path}: the window was closed, {wakes} wakes")),
    }
}

impl ApplicationHandler<Wake> for Game {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        // On mobile systems this is also the return from the background.
        self.agent.resume_all();
        let attributes = Window::default_attributes().with_title("waiting");
        match event_loop.create_window(attributes) {
            Ok(window) => self.window = Some(window),
            Err(error) => {
                eprintln!("{error}");
                event_loop.exit();
            }
        }
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
                    self.outcome = Some(Ok(response.status().to_string()));
                    event_loop.exit();
                }
                Event::Failed { error, .. } => {
                    self.outcome = Some(Err(error));
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
