//! A WebSocket client that sends back each message that it receives, until the server closes.
//!
//! ```text
//! cargo run --release --example websocket_echo --features websocket -- ws://127.0.0.1:8080/ws
//! ```
//!
//! With `--autobahn` it is the client that Autobahn's test suite wants: see tests/conformance/README.md.

use std::process::ExitCode;

use httpoll::agent::WebSocketOptions;
use httpoll::websocket::{WebSocketConfig, WebSocketMessage};
use httpoll::{Agent, Error, Event, Request};

#[macro_use]
mod offline;

const HELP: &str = "\
Opens a WebSocket and sends back each message that it receives, until the server closes.

usage: websocket_echo [--autobahn] URL

  --autobahn   runs all cases of Autobahn's fuzzing server at URL, such as ws://127.0.0.1:9001
  --help       prints this text
  --version    prints the version";

/// The largest message of Autobahn's cases has 16 MiB.
const MESSAGE_BYTES: usize = 20 * 1024 * 1024;

fn main() -> ExitCode {
    let (url, is_autobahn) = match parse() {
        Ok(Some(parsed)) => parsed,
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("websocket_echo: {wrong}; see websocket_echo --help");
            return ExitCode::from(2);
        }
    };
    let mut agent = Agent::new();
    let result = if is_autobahn {
        run_all_cases(&mut agent, &url)
    } else {
        echo(&mut agent, &url).map(|last| println!("{}", last.unwrap_or_default()))
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("websocket_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The URL, and whether it is Autobahn's server. `None` when only help is wanted.
fn parse() -> Result<Option<(String, bool)>, lexopt::Error> {
    use lexopt::prelude::*;

    let (mut url, mut is_autobahn) = (None, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(None);
            }
            Long("version") | Short('V') => {
                println!("websocket_echo {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Long("autobahn") => is_autobahn = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    match url {
        Some(url) => Ok(Some((url, is_autobahn))),
        None => Err("no URL".into()),
    }
}

fn run_all_cases(agent: &mut Agent, server: &str) -> Result<(), Error> {
    let count = echo(agent, &format!("{server}/getCaseCount"))?.unwrap_or_default();
    for case in 1..=count.parse().unwrap_or(0) {
        // The cases break the protocol on purpose, and an error is the right end of most of them.
        let end = echo(
            agent,
            &format!("{server}/runCase?case={case}&agent=httpoll"),
        );
        let end = end.map_or_else(|error| error.to_string(), |_| "closed".to_owned());
        println!("case {case} of {count}: {end}");
    }
    echo(agent, &format!("{server}/updateReports?agent=httpoll")).map(|_| ())
}

/// Sends back each message of the server until it closes. Returns the last text.
fn echo(agent: &mut Agent, url: &str) -> Result<Option<String>, Error> {
    let mut config = WebSocketConfig::default();
    config.message_bytes = MESSAGE_BYTES;
    config.frame_bytes = MESSAGE_BYTES;
    config.send_queue_bytes = 2 * MESSAGE_BYTES;
    let options = WebSocketOptions::new().config(config);
    let socket = agent.send(Request::get(url).web_socket(options))?;
    let mut last = None;
    loop {
        agent.wait(None);
        while let Some(event) = agent.next_event() {
            if event.id() != Some(socket.id()) {
                continue;
            }
            match event {
                Event::WebSocketMessage { id, message } => {
                    if let WebSocketMessage::Text(text) = &message {
                        last = Some(text.clone());
                    }
                    // The server may have closed in the same poll.
                    let _ = agent.send_message(id, message);
                }
                Event::WebSocketClosed { .. } => return Ok(last),
                Event::Failed { error, .. } => return Err(error),
                _ => {}
            }
        }
    }
}
