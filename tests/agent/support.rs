//! What the tests of the agent share: mock servers on the in-memory network, and frames of virtual
//! time.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::time::Duration;

use httpoll::memory::{MemoryNetwork, MockServer};
use httpoll::{Agent, AgentBuilder, Error, Event, Request, RequestHandle, RequestId, Response};

/// The length of a frame of virtual time.
pub const FRAME: Duration = Duration::from_millis(10);

/// More frames than any test needs.
const MOST_FRAMES: usize = 50_000;

/// A network with one server, `game.example`, and an agent on it.
pub fn world() -> (MemoryNetwork, MockServer, Agent) {
    world_with(Agent::builder())
}

pub fn world_with(builder: AgentBuilder) -> (MemoryNetwork, MockServer, Agent) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let agent = builder.build_on_memory(&network);
    (network, server, agent)
}

/// How a request ended, and all that was told of it before.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Event>,
    pub result: Result<Response, (Error, Option<Box<Response>>)>,
}

impl Outcome {
    pub fn response(&self) -> &Response {
        match &self.result {
            Ok(response) => response,
            Err((error, _)) => panic!("failed: {error}"),
        }
    }

    pub fn error(&self) -> &Error {
        match &self.result {
            Ok(response) => panic!("succeeded: {response:?}"),
            Err((error, _)) => error,
        }
    }
}

/// Sends a request and runs frames until it is over.
pub fn run(network: &MemoryNetwork, agent: &mut Agent, request: Request) -> Outcome {
    let handle = agent.send(request).unwrap();
    finish(network, agent, &handle)
}

/// Runs frames until this request is over; events of others are dropped.
pub fn finish(network: &MemoryNetwork, agent: &mut Agent, handle: &RequestHandle) -> Outcome {
    let mut events = Vec::new();
    for _ in 0..MOST_FRAMES {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if event.id() != Some(handle.id()) {
                continue;
            }
            match event {
                Event::Done { response, .. } => {
                    return Outcome {
                        events,
                        result: Ok(*response),
                    };
                }
                Event::Failed {
                    error, response, ..
                } => {
                    return Outcome {
                        events,
                        result: Err((error, response)),
                    };
                }
                event => events.push(event),
            }
        }
        network.advance(FRAME);
    }
    panic!("not over after {MOST_FRAMES} frames: {events:?}");
}

/// Runs frames until all requests are over, and answers in which order they ended, and how.
pub fn finish_all(
    network: &MemoryNetwork,
    agent: &mut Agent,
    count: usize,
) -> Vec<(RequestId, Result<Response, Error>)> {
    let mut ended = Vec::new();
    for _ in 0..MOST_FRAMES {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { id, response } => ended.push((id, Ok(*response))),
                Event::Failed { id, error, .. } => ended.push((id, Err(error))),
                _ => {}
            }
        }
        if ended.len() >= count {
            return ended;
        }
        network.advance(FRAME);
    }
    panic!("{} of {count} over after {MOST_FRAMES} frames", ended.len());
}

/// Polls and advances so many frames, and answers the events.
pub fn frames(network: &MemoryNetwork, agent: &mut Agent, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..count {
        agent.poll();
        while let Some(event) = agent.next_event() {
            events.push(event);
        }
        network.advance(FRAME);
    }
    events
}
