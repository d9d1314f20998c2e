//! Shared by the plugin's tests: apps on a network in memory, frames of virtual time, and a log of events.

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

/// The length of a frame in virtual time.
pub const FRAME: Duration = Duration::from_millis(16);

/// No test needs this many frames.
const FRAME_LIMIT: usize = 20_000;

/// No test on loopback needs this long. A test that hangs fails with a message.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The events of requests and nodes, each once.
#[derive(Resource, Default, Debug)]
pub struct EventLog {
    pub responses: Vec<(Entity, u16, String)>,
    pub errors: Vec<(Entity, ErrorKind)>,
    pub phases: Vec<(Entity, HttpPhase, HttpPhase)>,
    pub statuses: Vec<(Entity, Status, Status)>,
}

/// The default plugin with a budget that no frame exhausts, however slow the machine is.
pub fn unhurried() -> HttpollPlugin {
    HttpollPlugin {
        budget: Budget::frame(TIME_LIMIT),
        ..HttpollPlugin::default()
    }
}

/// An app on a network in memory with one mock server, `game.example`.
pub struct Game {
    pub app: App,
    pub network: MemoryNetwork,
    pub server: MockServer,
}

impl Game {
    pub fn new() -> Self {
        Self::with(unhurried())
    }

    pub fn with(plugin: HttpollPlugin) -> Self {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, "game.example", 80);
        let mut app = App::new();
        app.add_plugins(HttpollPlugin {
            network: Some(network.clone()),
            ..plugin
        });
        log_events(&mut app);
        Self {
            app,
            network,
            server,
        }
    }

    /// Spawns an entity.
    pub fn spawn(&mut self, bundle: impl Bundle) -> Entity {
        self.app.world_mut().spawn(bundle).id()
    }

    /// Runs one frame.
    pub fn frame(&mut self) {
        self.app.update();
        self.network.advance(FRAME);
    }

    pub fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.frame();
        }
    }

    /// Runs frames until `done`, and returns how many it took.
    pub fn until(&mut self, done: impl Fn(&World) -> bool) -> usize {
        for frame in 0..FRAME_LIMIT {
            if done(self.app.world()) {
                return frame;
            }
            self.frame();
        }
        panic!("{:?}", self.log());
    }

    /// Runs frames until this many requests have finished.
    pub fn until_finished(&mut self, count: usize) {
        self.until(|world| {
            let seen = world.resource::<EventLog>();
            seen.responses.len() + seen.errors.len() >= count
        });
    }

    pub fn log(&self) -> &EventLog {
        self.app.world().resource::<EventLog>()
    }

    pub fn agent(&self) -> &HttpAgent {
        self.app.world().resource::<HttpAgent>()
    }

    pub fn exists(&self, entity: Entity) -> bool {
        self.app.world().get_entity(entity).is_ok()
    }

    /// The number of open connections. The servers get a poll to notice a close, the game does not.
    pub fn connections(&self) -> usize {
        Agent::on_memory(&self.network).poll();
        self.network.open_connections()
    }

    pub fn entities(&self) -> u32 {
        self.app.world().entities().count_spawned()
    }
}

pub fn log_events(app: &mut App) {
    app.init_resource::<EventLog>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<EventLog>| {
            if on.entity == on.request {
                seen.responses.push((on.request, on.status(), on.text()));
            }
        })
        .add_observer(|on: On<HttpError>, mut seen: ResMut<EventLog>| {
            if on.entity == on.request {
                seen.errors.push((on.request, on.error.kind().clone()));
            }
        })
        .add_observer(|on: On<HttpPhaseChanged>, mut seen: ResMut<EventLog>| {
            if on.entity == on.request {
                seen.phases.push((on.request, on.from, on.to));
            }
        })
        .add_observer(|on: On<HttpStatusChanged>, mut seen: ResMut<EventLog>| {
            seen.statuses.push((on.entity, on.from, on.to));
        });
}

pub fn url(path: &str) -> String {
    format!("http://game.example{path}")
}

/// Runs frames in real time until `done`.
pub fn until(app: &mut App, done: impl Fn(&World) -> bool) {
    let start = Instant::now();
    while !done(app.world()) {
        app.update();
        std::thread::yield_now();
        assert!(
            start.elapsed() < TIME_LIMIT,
            "{:?}",
            app.world().resource::<EventLog>()
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

/// A server on loopback that responds to each request with what `respond` returns for its head.
pub fn serve(respond: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let respond = respond.clone();
            std::thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    if stream.write_all(respond(&head).as_bytes()).is_err() {
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

/// A server that echoes the request target.
pub fn echo() -> SocketAddr {
    serve(|head| with_length(200, head.split(' ').nth(1).unwrap()))
}

/// A folder for one test, removed when dropped.
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
