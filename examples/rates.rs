//! Bandwidth for each priority, beside the limit of all, changed while downloads run.
//!
//! ```sh
//! cargo run --features server --example rates
//! ```
//!
//! It runs offline. A server on a thread of this process sends two packs of assets. During the match they may use
//! little, in the menu as much as is left of the limit of all.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use httpoll::server::{Request as Incoming, Response, Server};
use httpoll::{Agent, Event, Priority, Request, RequestHandle};

#[macro_use]
mod offline;

const ABOUT: &str =
    "Bandwidth for each priority, beside the limit of all, changed while downloads run.";

/// How long each scene lasts.
const SCENE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    offline::command_line("rates", ABOUT, "");
    offline::exit_code("rates", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?;
    let pack = httpoll::Bytes::from(vec![7; 64 * 1024 * 1024]);
    server.route("GET", "/pack", move |_: &mut Incoming| {
        Response::content("application/octet-stream", pack.clone())
    })?;
    let server = offline::Embedded::start(server);
    let mut agent = Agent::builder().global_rate_limit(Some(4_000_000)).build();
    let url = format!("http://{}/pack", server.address);
    let start = |agent: &mut Agent, priority| -> Result<RequestHandle, httpoll::Error> {
        let request = Request::get(&*url).stream().max_body(0);
        agent.send(request.priority(priority))
    };
    let streaming = start(&mut agent, Priority::Streaming)?;
    let background = start(&mut agent, Priority::Background)?;
    let mut rates = Vec::new();
    for (scene, limits) in [
        ("match", [Some(1_000_000), Some(100_000)]),
        ("menu", [None, None]),
        ("menu, background first", [Some(1_000_000), None]),
    ] {
        agent.set_priority_rate_limit(Priority::Streaming, limits[0]);
        agent.set_priority_rate_limit(Priority::Background, limits[1]);
        let began = Instant::now();
        let mut received = [0_usize; 2];
        while began.elapsed() < SCENE {
            let frame = Instant::now();
            agent.poll();
            while let Some(event) = agent.next_event() {
                match event {
                    Event::Chunk { id, bytes } if id == streaming.id() => {
                        received[0] += bytes.len()
                    }
                    Event::Chunk { id, bytes } if id == background.id() => {
                        received[1] += bytes.len()
                    }
                    Event::Failed { error, .. } => return Err(error.into()),
                    _ => {}
                }
            }
            // A game draws its frame here.
            offline::end_frame(frame);
        }
        let per_second = received.map(|bytes| bytes as f64 / began.elapsed().as_secs_f64() / 1e6);
        println!(
            "{scene}: streaming {:.2} MB/s, background {:.2} MB/s",
            per_second[0], per_second[1]
        );
        rates.push(per_second);
    }
    // A busy machine may be slower, never faster: a quarter of a second's worth lies ready at the start.
    let is_kept = rates[0][0] < 1.3 && rates[0][1] < 0.13 && rates[2][0] < 1.3;
    if is_kept && rates.iter().all(|[one, other]| one + other < 5.2) {
        Ok(())
    } else {
        Err(format!("a limit was not kept: {rates:?}").into())
    }
}
