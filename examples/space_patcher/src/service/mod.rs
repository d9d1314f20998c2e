//! The server's side of the game: a pack of files, pictures, scores and a chat, and the faults that it obeys.
//!
//! The game runs it in its own frames, and `--serve` in a loop without a window. Both call [`Service::turn`].

mod chat_room;
mod pack;
mod pictures;
mod scores;
mod streams;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bevy_httpoll::httpoll;
use httpoll::server::websocket::Options;
use httpoll::server::{Request, Responder, Response, Server};
use httpoll::{Bytes, Error};

use crate::faults::Faults;
use chat_room::ChatRoom;
use pack::Pack;
use pictures::Pictures;
use scores::Scores;
use streams::Streams;

/// How fast a file of the pack is sent, in bytes per second: slow enough that there is something to see.
const PACK_RATE: f64 = 190_000.0;

/// The same for a picture.
const PICTURE_RATE: f64 = 60_000.0;

/// A slow server is slower by this factor, and its responses take this much longer.
const SLOWNESS: f64 = 8.0;
const DELAY: Duration = Duration::from_secs(1);

/// How long a connection lasts while connections drop.
const LIFE: Duration = Duration::from_millis(1500);

/// The service, shared by the handlers of its server.
#[derive(Clone)]
pub struct SharedService(Arc<Mutex<Service>>);

pub struct Service {
    faults: Faults,
    pack: Pack,
    pictures: Pictures,
    scores: Scores,
    chat: ChatRoom,
    streams: Streams,
    /// Responses that are kept back.
    late: Vec<(Instant, Responder, Response)>,
    requests: u32,
    last_drop: Instant,
}

/// What a handler wants to send.
enum Reply {
    /// All at once.
    Whole(Response),
    /// At a rate, in bytes per second.
    Paced(Response, Bytes, f64),
}

impl SharedService {
    /// Generates the pack and the pictures.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self(Arc::new(Mutex::new(Service {
            faults: Faults::default(),
            pack: Pack::generate()?,
            pictures: Pictures::generate()?,
            scores: Scores::default(),
            chat: ChatRoom::default(),
            streams: Streams::default(),
            late: Vec::new(),
            requests: 0,
            last_drop: Instant::now(),
        }))))
    }

    pub fn lock(&self) -> MutexGuard<'_, Service> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds its routes to a server.
    pub fn register(&self, server: &mut Server) -> Result<(), Error> {
        self.get(server, "/pack/:set/:file", |service, request| {
            service.pack.reply(request)
        })?;
        self.get(server, "/pictures/:name", |service, request| {
            service.pictures.reply(request)
        })?;
        self.get(server, "/scores", |service, _| {
            Reply::Whole(Response::json(&service.scores.table()))
        })?;
        self.route(server, "POST", "/scores", |service, request| {
            Reply::Whole(service.scores.submit(request))
        })?;
        let service = self.clone();
        server.handle(
            "GET",
            "/chat",
            move |request: &mut Request, response: &mut Response| {
                let mut service = service.lock();
                if service.refuses(request, response) {
                    return;
                }
                match request.accept_websocket(Options::default()) {
                    Ok(socket) => service.chat.join(socket),
                    Err(refused) => *response = refused.into(),
                }
            },
        )?;
        // The controls work whatever the faults are.
        let service = self.clone();
        server.route(
            "POST",
            "/faults",
            move |request: &mut Request| match serde_json::from_slice(request.body()) {
                Ok(faults) => {
                    service.lock().set_faults(faults);
                    Response::status(204)
                }
                Err(_) => Response::status(400),
            },
        )?;
        let service = self.clone();
        server.route("POST", "/publish", move |_: &mut Request| {
            service.lock().publish();
            Response::status(204)
        })?;
        Ok(())
    }

    fn get(
        &self,
        server: &mut Server,
        path: &str,
        reply: impl Fn(&mut Service, &mut Request) -> Reply + Send + 'static,
    ) -> Result<(), Error> {
        self.route(server, "GET", path, reply)
    }

    /// Adds a route whose replies are subject to the faults.
    fn route(
        &self,
        server: &mut Server,
        method: &str,
        path: &str,
        reply: impl Fn(&mut Service, &mut Request) -> Reply + Send + 'static,
    ) -> Result<(), Error> {
        let service = self.clone();
        server.handle(
            method,
            path,
            move |request: &mut Request, response: &mut Response| {
                let mut service = service.lock();
                if service.refuses(request, response) {
                    return;
                }
                match reply(&mut service, request) {
                    Reply::Whole(reply) if service.faults.slow => {
                        let due = Instant::now() + DELAY;
                        service.late.push((due, request.defer(), reply));
                    }
                    Reply::Whole(reply) => *response = reply,
                    Reply::Paced(head, content, rate) => {
                        let stream = request.defer().stream(head);
                        service.streams.send(stream, content, rate);
                    }
                }
            },
        )?;
        Ok(())
    }
}

impl Service {
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Makes the next version of the pack the current one.
    pub fn publish(&mut self) {
        self.pack.publish();
    }

    /// Whether a fault prevents a reply.
    fn refuses(&mut self, request: &mut Request, response: &mut Response) -> bool {
        self.requests += 1;
        let is_dropped =
            self.faults.offline || (self.faults.drops && self.requests.is_multiple_of(3));
        // A handshake has no content that could break off, so it is refused.
        if is_dropped && !request.wants_websocket() {
            // A stream that is dropped ends too early, and the connection with it.
            drop(request.defer().stream(Response::new()));
        } else if is_dropped || self.faults.unavailable {
            *response = Response::status(503);
        }
        is_dropped || self.faults.unavailable
    }

    /// Sends what is due. Call it once a frame.
    pub fn turn(&mut self, now: Instant) {
        let is_due = |(due, ..): &mut (Instant, Responder, Response)| *due <= now;
        for (_, responder, response) in self.late.extract_if(.., is_due) {
            responder.respond(response);
        }
        let drops = self.faults.drops && now - self.last_drop > LIFE;
        if drops || self.faults.offline {
            self.last_drop = now;
            self.streams.drop_all();
            self.chat.drop_all();
        }
        let slowness = if self.faults.slow { SLOWNESS } else { 1.0 };
        self.streams.turn(now, slowness);
        self.scores.turn(now);
        self.chat.turn(now);
    }
}
