//! Messages that are used while their response still arrives.
//!
//! ```sh
//! cargo run --features server --example messages
//! ```
//!
//! It runs offline. A server on a thread of this process sends a replay move by move, once in each of three forms:
//! JSON lines, frames with a length in front, and server-sent events. The fourth time it breaks off inside of a
//! move.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use httpoll::event_stream::ServerSentEvent;
use httpoll::frames::{Framing, LengthPrefix};
use httpoll::server::{Request as Incoming, Response, ResponseStream, Server};
use httpoll::{Agent, Event, Request};
use serde::{Deserialize, Serialize};

#[macro_use]
mod offline;

const ABOUT: &str = "Messages that are used while their response still arrives, in three forms.";

/// How many moves a replay has.
const MOVES: u32 = 5;

#[derive(Debug, Deserialize, Serialize)]
struct Move {
    turn: u32,
    to: String,
}

fn main() -> ExitCode {
    offline::command_line("messages", ABOUT, "");
    offline::exit_code("messages", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?;
    for form in ["lines", "frames", "events", "cut"] {
        let path = format!("/{form}");
        server.route("GET", &path, move |request: &mut Incoming| {
            let stream = request.defer().stream(Response::new());
            std::thread::spawn(move || send_replay(form, stream));
        })?;
    }
    let server = offline::Embedded::start(server);
    let mut agent = Agent::new();
    for (form, framing) in [
        ("lines", Framing::json_lines()),
        (
            "frames",
            Framing::length_prefixed(LengthPrefix::U32BigEndian),
        ),
        ("events", Framing::server_sent_events()),
        ("cut", Framing::json_lines()),
    ] {
        println!("{form}:");
        let url = format!("http://{}/{form}", server.address);
        let request = Request::get(url).messages(framing.max_message_bytes(16 * 1024));
        let received = watch(&mut agent, request)?;
        if received != MOVES {
            return Err(format!("{received} of {MOVES} moves arrived").into());
        }
    }
    Ok(())
}

/// Runs frames until the replay has ended. Returns how many moves arrived.
fn watch(agent: &mut Agent, request: Request) -> Result<u32, Box<dyn Error>> {
    let _replay = agent.send(request)?;
    let began = Instant::now();
    let mut received = 0;
    loop {
        let frame = Instant::now();
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Message { message, .. } => {
                    let Move { turn, to } = message.json()?;
                    println!(
                        "  {:4} ms: move {turn} to {to}",
                        began.elapsed().as_millis()
                    );
                    received += 1;
                }
                Event::Done { .. } => {
                    println!("  {:4} ms: the end", began.elapsed().as_millis());
                    return Ok(received);
                }
                Event::Failed { error, .. } => {
                    println!("  {:4} ms: {error}", began.elapsed().as_millis());
                    return Ok(received);
                }
                _ => {}
            }
        }
        // A game draws its frame here.
        offline::end_frame(frame);
    }
}

/// Sends the moves with a pause between them.
fn send_replay(form: &str, mut stream: ResponseStream) {
    for turn in 1..=MOVES {
        let to = format!("{}{turn}", char::from(b'a' + (turn * 3 % 8) as u8));
        let Ok(text) = serde_json::to_string(&Move { turn, to }) else {
            return;
        };
        let mut piece = Vec::new();
        let encoded = match form {
            "frames" => LengthPrefix::U32BigEndian
                .encode(text.as_bytes(), &mut piece)
                .is_ok(),
            "events" => ServerSentEvent::new(text).encode(&mut piece).is_ok(),
            _ => {
                piece.extend_from_slice(text.as_bytes());
                piece.push(b'\n');
                true
            }
        };
        if !encoded || stream.write(piece).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    if form == "cut" {
        let _ = stream.write("{\"turn\":6,\"to");
    }
    stream.finish();
}
