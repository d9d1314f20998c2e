//! What the tests of the plugin share: apps on a network in memory, frames of virtual time, and what
//! their observers saw.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::MockServer;
use bevy_httpoll::httpoll::{Agent, ErrorKind};
use bevy_httpoll::prelude::*;

/// The length of a frame of virtual time.
pub const FRAME: Duration = Duration::from_millis(16);

/// More frames than any test needs.
const MOST_FRAMES: usize = 20_000;

/// Far more than any test on loopback needs; one that hangs ends with a message.
pub const SAFETY_NET: Duration = Duration::from_secs(60);

/// What global observers saw of requests, each once.
#[derive(Resource, Default, Debug)]
pub struct Seen {
    pub responses: Vec<(Entity, u16, String)>,
    pub errors: Vec<(Entity, ErrorKind)>,
    pub phases: Vec<(Entity, HttpPhase, HttpPhase)>,
    pub statuses: Vec<(Entity, Status, Status)>,
}

/// The defaults, but however slow this machine is no frame ends for want of time.
pub fn patient() -> HttpollPlugin {
    HttpollPlugin {
        budget: Budget::frame(SAFETY_NET),
        ..HttpollPlugin::default()
    }
}

/// An app on a network with one server, `game.example`.
pub struct Game {
    pub app: App,
    pub network: MemoryNetwork,
    pub server: MockServer,
}

impl Game {
    pub fn new() -> Self {
        Self::with(patient())
    }

    pub fn with(plugin: HttpollPlugin) -> Self {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, "game.example", 80);
        let mut app = App::new();
        app.add_plugins(HttpollPlugin {
            network: Some(network.clone()),
            ..plugin
        });
        watch(&mut app);
        Self {
            app,
            network,
            server,
        }
    }

    /// Spawns this.
    pub fn spawn(&mut self, bundle: impl Bundle) -> Entity {
        self.app.world_mut().spawn(bundle).id()
    }

    /// One frame.
    pub fn frame(&mut self) {
        self.app.update();
        self.network.advance(FRAME);
    }

    pub fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.frame();
        }
    }

    /// Runs frames until `done`, and answers how many it took.
    pub fn until(&mut self, done: impl Fn(&World) -> bool) -> usize {
        for frame in 0..MOST_FRAMES {
            if done(self.app.world()) {
                return frame;
            }
            self.frame();
        }
        panic!("{:?}", self.seen());
    }

    /// Runs frames until so many responses and errors came.
    pub fn until_ended(&mut self, count: usize) {
        self.until(|world| {
            let seen = world.resource::<Seen>();
            seen.responses.len() + seen.errors.len() >= count
        });
    }

    pub fn seen(&self) -> &Seen {
        self.app.world().resource::<Seen>()
    }

    pub fn agent(&self) -> &HttpAgent {
        self.app.world().resource::<HttpAgent>()
    }

    pub fn exists(&self, entity: Entity) -> bool {
        self.app.world().get_entity(entity).is_ok()
    }

    /// Open connections, once the servers have had a look; the game has not.
    pub fn connections(&self) -> usize {
        Agent::on_memory(&self.network).poll();
        self.network.open_connections()
    }

    pub fn entities(&self) -> u32 {
        self.app.world().entities().count_spawned()
    }
}

pub fn watch(app: &mut App) {
    app.init_resource::<Seen>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<Seen>| {
            if on.entity == on.request {
                seen.responses.push((on.request, on.status(), on.text()));
            }
        })
        .add_observer(|on: On<HttpError>, mut seen: ResMut<Seen>| {
            if on.entity == on.request {
                seen.errors.push((on.request, on.error.kind().clone()));
            }
        })
        .add_observer(|on: On<HttpPhaseChanged>, mut seen: ResMut<Seen>| {
            if on.entity == on.request {
                seen.phases.push((on.request, on.from, on.to));
            }
        })
        .add_observer(|on: On<HttpStatusChanged>, mut seen: ResMut<Seen>| {
            seen.statuses.push((on.entity, on.from, on.to));
        });
}

pub fn url(path: &str) -> String {
    format!("http://game.example{path}")
}

/// Runs frames of real time until `done`.
pub fn until(app: &mut App, done: impl Fn(&World) -> bool) {
    let start = Instant::now();
    while !done(app.world()) {
        app.update();
        std::thread::yield_now();
        assert!(
            start.elapsed() < SAFETY_NET,
            "{:?}",
            app.world().resource::<Seen>()
        );
    }
}

pub fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Answers each request on each connection with what `answer` makes of its head.
pub fn serve(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = answer.clone();
            std::thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    if stream.write_all(answer(&head).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

pub fn with_length(code: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {code} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Answers with the target that was asked for.
pub fn echo() -> SocketAddr {
    serve(|head| with_length(200, head.split(' ').nth(1).unwrap()))
}

/// A folder for one test, removed with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bevy-httpoll-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
