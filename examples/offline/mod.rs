//! What the examples share that run offline: `--help` and `--version`, and a server on a thread of this process.

#![allow(dead_code, unreachable_pub)]

#[macro_use]
mod print;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A frame at 60 fps.
pub const FRAME: Duration = Duration::from_millis(16);

/// Answers `--help` and `--version`, and ends the program then. Returns the other arguments. `usage` are the
/// lines about them; if it is empty, there are none.
pub fn command_line(name: &str, about: &str, usage: &str) -> Vec<String> {
    match parse(name, about, usage) {
        Ok(Some(arguments)) if usage.is_empty() && !arguments.is_empty() => wrong_arguments(name),
        Ok(Some(arguments)) => arguments,
        Ok(None) => std::process::exit(0),
        Err(wrong) => {
            eprintln!("{name}: {wrong}; see {name} --help");
            std::process::exit(2)
        }
    }
}

/// Ends the program because its arguments mean nothing.
pub fn wrong_arguments(name: &str) -> ! {
    eprintln!("{name}: these arguments mean nothing; see {name} --help");
    std::process::exit(2)
}

/// Prints the error of a program, if there is one, in words.
pub fn exit_code(name: &str, outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(name: &str, about: &str, usage: &str) -> Result<Option<Vec<String>>, lexopt::Error> {
    use lexopt::prelude::*;

    let mut values = Vec::new();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => {
                println!(
                    "{about}\n\nusage: {}\n",
                    format!("{name} {usage}").trim_end()
                );
                println!("  --help      prints this text");
                println!("  --version   prints the version");
                return Ok(None);
            }
            Long("version") | Short('V') => {
                println!("{name} {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Value(value) => values.push(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(values))
}

/// Waits for the rest of a frame that began then.
pub fn end_frame(began: Instant) {
    std::thread::sleep(FRAME.saturating_sub(began.elapsed()));
}

/// A server on a thread of its own, until it is dropped.
pub struct Embedded {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    #[cfg(feature = "server")]
    pub fn start(mut server: httpoll::server::Server) -> Self {
        let address = server.local_addr();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = server.wait(Some(Duration::from_millis(50))) {
                    eprintln!("the server of the example failed: {error}");
                    return;
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
