//! One topic, three transports: an event stream, a WebSocket and long polling, each of which loses its connection
//! and misses nothing.
//!
//! ```sh
//! cargo run --features server,websocket --example topic
//! ```
//!
//! It runs offline. A server on a thread of this process publishes ten events. Three subscribers of the same
//! agent leave after some of them, come back with the id of their last event, and get what they missed.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use httpoll::agent::WebSocketOptions;
use httpoll::event_stream::ServerSentEvent;
use httpoll::server::topic::Topic;
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request as Incoming, Response, Server};
use httpoll::websocket::WebSocketMessage;
use httpoll::{Agent, Event, Request, RequestHandle, RequestId};
use serde_json::Value;

#[macro_use]
mod offline;

const ABOUT: &str =
    "One topic over an event stream, a WebSocket and long polling, with replay by id.";

/// How many events are published, and how many a subscriber gets before it leaves.
const EVENTS: usize = 10;
const LEAVES_AFTER: usize = 4;

/// A longer run is an error.
const TIME_LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    offline::command_line("topic", ABOUT, "");
    offline::exit_code("topic", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let topic = Topic::new();
    let server = offline::Embedded::start(server(&topic)?);
    let mut subscribers: Vec<Subscriber> = ["events", "socket", "poll"]
        .map(|transport| Subscriber {
            transport,
            base: format!("{}/{transport}", server.address),
            request: None,
            last_event_id: None,
            received: Vec::new(),
            has_left: false,
            returns_at: None,
        })
        .into();
    let mut agent = Agent::new();
    let (began, mut published) = (Instant::now(), 0);
    while subscribers.iter().any(|it| it.received.len() < EVENTS) {
        let frame = Instant::now();
        if began.elapsed() > TIME_LIMIT {
            return Err("not all events arrived".into());
        }
        let is_waited_for = subscribers
            .iter()
            .all(|it| it.last_event_id.is_some() || it.transport != "poll");
        // The first event after all have subscribed, then one every 100 ms.
        if published < EVENTS
            && is_waited_for
            && topic.subscribers() + published >= subscribers.len()
            && began.elapsed() > Duration::from_millis(100) * published as u32
        {
            published += 1;
            topic.publish(ServerSentEvent::new(format!("score {published}:0")))?;
        }
        for subscriber in &mut subscribers {
            subscriber.subscribe(&mut agent)?;
        }
        agent.poll();
        while let Some(event) = agent.next_event() {
            let Some(id) = event.id() else { continue };
            let mut of = subscribers.iter_mut();
            if let Some(subscriber) = of.find(|it| it.is(id)) {
                subscriber.take(&event)?;
            }
        }
        // A game draws its frame here.
        offline::end_frame(frame);
    }
    let expected: Vec<String> = (1..=EVENTS).map(|n| format!("score {n}:0")).collect();
    for subscriber in &subscribers {
        let Subscriber {
            transport,
            received,
            ..
        } = subscriber;
        if *received != expected {
            return Err(format!("{transport} missed something: {received:?}").into());
        }
        println!("{transport}: got all {EVENTS} events, in order");
    }
    Ok(())
}

/// A server with the topic over each transport.
fn server(topic: &Topic) -> Result<Server, Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?;
    let [events, socket, poll] = [(); 3].map(|()| topic.clone());
    server.route("GET", "/events", move |request: &mut Incoming| {
        events.subscribe(request);
    })?;
    server.route("GET", "/poll", move |request: &mut Incoming| {
        poll.long_poll(request);
    })?;
    // A socket is open as long as it is kept.
    let open: Arc<Mutex<Vec<WebSocket>>> = Arc::default();
    server.handle(
        "GET",
        "/socket",
        move |request: &mut Incoming, response: &mut Response| {
            let last = request.query().get("last_event_id").map(str::to_owned);
            match request.accept_websocket(Options::default()) {
                Ok(accepted) => {
                    socket.subscribe_socket_from(&accepted, last.as_deref());
                    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                    open.push(accepted);
                }
                Err(refused) => *response = refused.into(),
            }
        },
    )?;
    Ok(server)
}

struct Subscriber {
    transport: &'static str,
    base: String,
    request: Option<RequestHandle>,
    last_event_id: Option<String>,
    received: Vec<String>,
    has_left: bool,
    returns_at: Option<Instant>,
}

impl Subscriber {
    fn is(&self, id: RequestId) -> bool {
        self.request.as_ref().is_some_and(|it| it.id() == id)
    }

    /// Subscribes, from the last event on.
    fn subscribe(&mut self, agent: &mut Agent) -> Result<(), Box<dyn Error>> {
        if self.request.is_some() || self.returns_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let base = &self.base;
        let request = match self.transport {
            "events" => Request::get(format!("http://{base}")).event_stream(),
            "socket" => Request::get(format!("ws://{base}")).web_socket(WebSocketOptions::new()),
            _ => Request::get(format!("http://{base}")).long_lived(true),
        };
        let request = match &self.last_event_id {
            Some(id) if self.transport == "events" => request.header("Last-Event-ID", id),
            Some(id) => request.query("last_event_id", id),
            None => request,
        };
        self.request = Some(agent.send(request)?);
        Ok(())
    }

    fn take(&mut self, event: &Event) -> Result<(), Box<dyn Error>> {
        match event {
            Event::ServerSent { event, .. } => {
                self.note(event.data.clone(), event.id.clone());
            }
            Event::WebSocketMessage {
                message: WebSocketMessage::Text(text),
                ..
            } => self.note_object(&serde_json::from_str(text)?),
            Event::Done { response, .. } if self.transport == "poll" => {
                let page: BTreeMap<String, Value> = response.json()?;
                for event in page["events"].as_array().into_iter().flatten() {
                    self.note_object(event);
                }
                self.last_event_id = page["last_event_id"].as_str().map(str::to_owned);
                self.request = None;
            }
            Event::Failed { error, .. } => return Err(error.clone().into()),
            _ => {}
        }
        Ok(())
    }

    fn note_object(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        self.note(text("data").unwrap_or_default(), text("id"));
    }

    /// Takes an event. After some the subscriber leaves for half a second.
    fn note(&mut self, data: String, id: Option<String>) {
        println!("{}: {data}", self.transport);
        self.received.push(data);
        self.last_event_id = id;
        if self.received.len() >= LEAVES_AFTER && !self.has_left {
            self.has_left = true;
            println!(
                "{}: leaves, and comes back in half a second",
                self.transport
            );
            // Dropping the handle cancels the request.
            self.request = None;
            self.returns_at = Some(Instant::now() + Duration::from_millis(500));
        }
    }
}
