//! Downloads a file and shows its progress in the terminal. Between two events the program sleeps.
//!
//! ```text
//! cargo run -- http://127.0.0.1:8080/levels.pak levels.pak
//! ```
//!
//! Two things wake the loop through one channel: the agent, when a poll is worthwhile, and the keyboard. Typing `q`
//! and Enter cancels; what arrived is kept, and the next run continues there.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use httpoll::{Agent, Download, Event, Request, RequestId};

enum Wake {
    Http,
    Typed(String),
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &args[..] else {
        eprintln!("usage: httpoll_in_terminal URL FILE");
        return ExitCode::from(2);
    };
    match download(url, path) {
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

fn download(url: &str, path: &str) -> Result<String, httpoll::Error> {
    let (wake, woken) = channel();
    read_keyboard(wake.clone());
    let mut agent = Agent::builder()
        .on_event(move || {
            // It fails only when the loop has ended.
            let _ = wake.send(Wake::Http);
        })
        .build();
    let download = Download::to(path).resume(true);
    let request = Request::get(url)
        .error_for_status(true)
        .download_to(download);
    let id = agent.send(request)?.detach();
    let outcome = until_over(&mut agent, id, &woken);
    // Clears the line of the progress.
    eprint!("\r     \r");
    // A thread writes, renames and removes files.
    agent.finish_files(Duration::from_secs(5));
    outcome
}

fn until_over(
    agent: &mut Agent,
    id: RequestId,
    woken: &Receiver<Wake>,
) -> Result<String, httpoll::Error> {
    let mut wakes = 0;
    for wake in woken {
        wakes += 1;
        if matches!(&wake, Wake::Typed(line) if line.trim() == "q") {
            // A cancelled request causes no more events.
            agent.cancel(id);
            return Ok("cancelled".to_owned());
        }
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Progress { progress, .. } => {
                    let percent = progress.fraction().map_or(0.0, |part| part * 100.0);
                    eprint!("\r{percent:3.0} %");
                    let _ = stderr().flush();
                }
                Event::Done { response, .. } => {
                    let bytes = response.saved().map_or(0, |file| file.bytes);
                    return Ok(format!("{bytes} bytes, {wakes} wakes"));
                }
                Event::Failed { error, .. } => return Err(error),
                _ => {}
            }
        }
    }
    Ok("nothing can wake the loop any more".to_owned())
}

/// Reading a line blocks, so it has a thread of its own.
fn read_keyboard(wake: Sender<Wake>) {
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if wake.send(Wake::Typed(line)).is_err() {
                return;
            }
        }
    });
}
