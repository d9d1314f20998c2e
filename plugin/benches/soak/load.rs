//! The app: everything that it asks for, at once, and what it counts.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;

use bevy_app::{App, First, Last, Main, PreUpdate, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;
use bevy_httpoll::prelude::*;
use httpoll::server::topic::Topic;
use httpoll::{
    agent::PoolLimits, event_stream::ServerSentEvent, tls::TlsOptions, websocket::WebSocketMessage,
};

use crate::frames::{Marks, mark};
use crate::nginx::Nginx;
use crate::peers::Peers;
use crate::{Outcome, Settings};

/// Small questions a second.
const SMALL: u64 = 200;
/// WebSockets.
const TALKERS: u32 = 50;
/// Messages a second over each of them; as many come back.
const TALK: u32 = 10;
/// Broadcasts a second.
const BROADCASTS: u32 = 20;

/// What the app asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A download, by its place.
    Download(usize),
    Small,
    Sockets,
    Events,
}

impl Part {
    pub(crate) const ALL: [(&str, Self); 7] = [
        ("plain", Self::Download(0)),
        ("gzip", Self::Download(1)),
        ("tls-file", Self::Download(2)),
        ("tls", Self::Download(3)),
        ("small", Self::Small),
        ("sockets", Self::Sockets),
        ("events", Self::Events),
    ];

    pub(crate) fn named(name: &str) -> Outcome<Self> {
        let found = Self::ALL.iter().find(|(other, _)| *other == name);
        Ok(found.ok_or(format!("there is no load {name}"))?.1)
    }
}

/// The app with its loop taken out.
pub(crate) struct Game {
    app: App,
    is_listened_to: bool,
}

/// What has become of what was asked.
#[derive(Resource, Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    pub(crate) downloads: [u64; 4],
    pub(crate) said: u64,
    pub(crate) heard: u64,
    pub(crate) broadcast: u64,
    /// Bytes of content, as on the wire.
    pub(crate) received: u64,
    pub(crate) failures: u64,
    /// The first of them.
    pub(crate) faults: VecDeque<String>,
}

impl Tally {
    fn fail(&mut self, fault: String) {
        self.failures += 1;
        if self.faults.len() < 5 {
            self.faults.push_back(fault);
        }
    }
}

#[derive(Resource)]
struct Places {
    downloads: [Place; 4],
    bytes: u64,
    small: String,
    echo: String,
    fps: u32,
    load: Vec<Part>,
}

impl Places {
    fn asks_for(&self, part: Part) -> bool {
        self.load.contains(&part)
    }
}

#[derive(Clone)]
struct Place {
    url: String,
    /// The file to write; otherwise it is a stream.
    file: Option<PathBuf>,
}

#[derive(Resource)]
struct Frame(u32);

#[derive(Resource, Default)]
struct Listening(Option<SocketAddr>);

#[derive(Resource, Default)]
struct News(Topic);

/// An open WebSocket, by its number.
#[derive(Component)]
struct Talker(u32);

#[derive(Component)]
struct Open;

/// What has come of a download's stream.
#[derive(Component, Default)]
struct Streamed(u64);

impl Game {
    pub(crate) fn new(
        settings: &Settings,
        fps: u32,
        nginx: &Nginx,
        peers: &Peers,
    ) -> Outcome<Self> {
        let place = |url: String, file: Option<&str>| Place {
            url,
            file: file.map(|name| nginx.saved(name)),
        };
        let places = Places {
            downloads: [
                place(nginx.plain_url(), Some("plain")),
                place(nginx.gzip_url(), None),
                place(nginx.tls_url(), Some("tls")),
                place(nginx.tls_url(), None),
            ],
            bytes: nginx.bytes(),
            small: format!("http://{}/small", peers.address()),
            echo: format!("ws://{}/echo", peers.address()),
            fps,
            load: settings.load.clone(),
        };
        let tls = TlsOptions::builder()
            .trusted_chain_pem(nginx.certificate().as_bytes())
            .build()?;
        let mut pool = PoolLimits::default();
        (pool.total, pool.per_host) = (128, 96);
        (pool.streams, pool.streams_per_host) = (128, 96);
        let mut app = App::new();
        app.add_plugins(HttpollPlugin {
            budget: Budget::frame(settings.budget),
            pool,
            tls: Some(tls),
            on_thread: settings.is_on_thread,
            slow_observer: None,
            ..HttpollPlugin::default()
        })
        .insert_resource(places)
        .insert_resource(Frame(0))
        .init_resource::<Tally>()
        .init_resource::<Marks>()
        .init_resource::<Listening>()
        .init_resource::<News>()
        .add_systems(Startup, begin)
        .add_systems(Update, (ask, talk, broadcast))
        .add_systems(
            PreUpdate,
            (
                mark::<0>.before(HttpollSystems::Poll),
                mark::<1>
                    .after(HttpollSystems::Poll)
                    .before(HttpollSystems::Dispatch),
                mark::<2>.after(HttpollSystems::Dispatch),
            ),
        )
        .add_systems(
            Last,
            (
                mark::<3>.before(HttpollSystems::Submit),
                mark::<4>
                    .after(HttpollSystems::Submit)
                    .before(HttpollSystems::Flush),
                mark::<5>.after(HttpollSystems::Flush),
            ),
        );
        // One thread, so that what it waits for a processor is what the frame waits.
        app.edit_schedule(Main, single_threaded)
            .edit_schedule(First, single_threaded)
            .edit_schedule(PreUpdate, single_threaded)
            .edit_schedule(Update, single_threaded)
            .edit_schedule(Last, single_threaded);
        app.finish();
        app.cleanup();
        Ok(Self {
            app,
            is_listened_to: false,
        })
    }

    pub(crate) fn frame(&mut self) {
        self.app.update();
    }

    pub(crate) fn marks(&self) -> Marks {
        *self.app.world().resource::<Marks>()
    }

    /// The address of the app's server, once.
    pub(crate) fn listens_now(&mut self) -> Option<SocketAddr> {
        let address = self.app.world().resource::<Listening>().0?;
        (!std::mem::replace(&mut self.is_listened_to, true)).then_some(address)
    }

    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.app.world().resource::<Tally>().clone();
        tally.received = self.app.world().resource::<HttpAgent>().transferred().1;
        tally
    }
}

fn single_threaded(schedule: &mut Schedule) {
    schedule.set_executor(SingleThreadedExecutor::new());
}

fn begin(places: Res<Places>, mut commands: Commands) {
    for slot in 0..places.downloads.len() {
        if places.asks_for(Part::Download(slot)) {
            download(slot, &places, &mut commands);
        }
    }
    let talkers = if places.asks_for(Part::Sockets) {
        TALKERS
    } else {
        0
    };
    for number in 0..talkers {
        commands
            .spawn((
                HttpRequest::get(places.echo.as_str()),
                HttpStream::WebSocket(HttpWebSocket::default()),
                Talker(number),
            ))
            .observe(|open: On<HttpWebSocketOpened>, mut commands: Commands| {
                commands.entity(open.request).insert(Open);
            })
            .observe(|_: On<HttpWebSocketMessage>, mut tally: ResMut<Tally>| tally.heard += 1)
            .observe(|_: On<HttpResponse>, mut tally: ResMut<Tally>| {
                tally.fail("a WebSocket was closed".to_owned());
            })
            .observe(failed);
    }
    commands
        .spawn(HttpServer::bind("127.0.0.1:0"))
        .observe(
            |started: On<HttpServerStarted>, mut listening: ResMut<Listening>| {
                listening.0 = Some(started.address);
            },
        )
        .observe(
            |asked: On<HttpRequestReceived>, news: Res<News>, mut commands: Commands| {
                commands.subscribe(asked.request, &news.0);
            },
        )
        .observe(|failed: On<HttpServerFailed>, mut tally: ResMut<Tally>| {
            tally.fail(failed.error.to_string());
        });
}

/// Begins a download, which begins the next one when it is whole.
fn download(slot: usize, places: &Places, commands: &mut Commands) {
    let Place { url, file } = places.downloads[slot].clone();
    let request = HttpRequest::get(url);
    let mut entity = match file {
        Some(file) => commands.spawn((request, HttpDownload::to(file))),
        None => commands.spawn((request, HttpStream::Chunks, Streamed::default())),
    };
    entity
        .observe(|chunk: On<HttpChunk>, mut streamed: Query<&mut Streamed>| {
            if let Ok(mut streamed) = streamed.get_mut(chunk.request) {
                streamed.0 += chunk.bytes.len() as u64;
            }
        })
        .observe(
            move |whole: On<HttpResponse>,
                  streamed: Query<&Streamed>,
                  places: Res<Places>,
                  mut tally: ResMut<Tally>,
                  mut commands: Commands| {
                let bytes = match (whole.saved(), streamed.get(whole.request)) {
                    (Some(saved), _) => saved.bytes,
                    (None, Ok(streamed)) => streamed.0,
                    (None, Err(_)) => 0,
                };
                if bytes == places.bytes {
                    tally.downloads[slot] += 1;
                } else {
                    tally.fail(format!("download {slot} ended with {bytes} bytes"));
                }
                download(slot, &places, &mut commands);
            },
        )
        .observe(
            move |failed: On<HttpError>,
                  places: Res<Places>,
                  mut tally: ResMut<Tally>,
                  mut commands: Commands| {
                tally.fail(format!("download {slot}: {}", failed.error));
                download(slot, &places, &mut commands);
            },
        );
}

fn failed(failed: On<HttpError>, mut tally: ResMut<Tally>) {
    tally.fail(failed.error.to_string());
}

/// The small questions, spread over the frames.
fn ask(mut http: Http, mut frame: ResMut<Frame>, places: Res<Places>, mut tally: ResMut<Tally>) {
    frame.0 += 1;
    if !places.asks_for(Part::Small) {
        return;
    }
    let due = u64::from(frame.0) * SMALL / u64::from(places.fps);
    while tally.asked < due {
        tally.asked += 1;
        http.get(places.small.as_str())
            .observe(
                |answer: On<HttpResponse>, mut tally: ResMut<Tally>| match answer.status() {
                    200 => tally.answered += 1,
                    status => tally.fail(format!("a small question: {status}")),
                },
            )
            .observe(failed);
    }
}

/// The talkers take turns.
fn talk(
    frame: Res<Frame>,
    places: Res<Places>,
    talkers: Query<(Entity, &Talker), With<Open>>,
    mut tally: ResMut<Tally>,
    mut commands: Commands,
) {
    let every = (places.fps / TALK).max(1);
    for (request, talker) in &talkers {
        if (frame.0 + talker.0).is_multiple_of(every) {
            tally.said += 1;
            let text = format!("talker {} moves in frame {}", talker.0, frame.0);
            commands.trigger(SendWebSocketMessage {
                request,
                message: WebSocketMessage::Text(text),
            });
        }
    }
}

fn broadcast(frame: Res<Frame>, places: Res<Places>, news: Res<News>, mut tally: ResMut<Tally>) {
    let is_asked = places.asks_for(Part::Events);
    if !is_asked || !frame.0.is_multiple_of((places.fps / BROADCASTS).max(1)) {
        return;
    }
    let event = ServerSentEvent::new(format!("frame {}: {}", frame.0, "x".repeat(200)));
    match news.0.publish(event) {
        Ok(listeners) => tally.broadcast += listeners as u64,
        Err(fault) => tally.fail(fault.to_string()),
    }
}
