//! `http://` and `https://` for Bevy's `AssetServer`, through the same agent, pool and budget as
//! requests.
//!
//! A reader asks by a channel; the systems that poll the agent answer by another, bounded one. The
//! reader is there as soon as the head is, and content follows while the loader reads it: so nothing
//! ever waits on Bevy's IO threads, and a load whose last handle is dropped is cancelled. A loader
//! that is slower than the network fills its channel, and the request is paused until it has room.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender, TryRecvError, TrySendError};
use bevy_app::{App, Plugin};
use bevy_asset::AssetApp;
use bevy_asset::io::{
    AssetReader, AssetReaderError, AssetSourceBuilder, AssetSourceId, PathStream, Reader,
    ReaderNotSeekableError, SeekableReader,
};
use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs};
use bevy_ecs::system::{Res, ResMut};
use futures_core::Stream;
use futures_io::AsyncRead;
use httpoll::{Agent, Bytes, Error, Event, Priority, Request, RequestId, RetryPolicy};

use crate::agent::HttpAgent;
use crate::plugin::HttpollSystems;
use crate::state::HttpProgress;

/// Lets the `AssetServer` load `http://…` and `https://…`. Add it before `AssetPlugin`, and
/// [`HttpollPlugin`](crate::HttpollPlugin) anywhere.
///
/// With [`HttpollPlugin::cache`](crate::HttpollPlugin) assets are kept, and asked for again by their
/// `ETag`. There is no request for a `.meta` file. A status of 404 or 410 is
/// [`AssetReaderError::NotFound`], any other failure by status is
/// [`AssetReaderError::HttpError`]. Header lines for a host, such as a token, are set by
/// [`HttpAgent::set_host_headers`].
///
/// ```no_run
/// # use bevy_app::prelude::*;
/// # use bevy_asset::AssetPlugin;
/// # use bevy_httpoll::prelude::*;
/// App::new().add_plugins((
///     TaskPoolPlugin::default(),
///     HttpollAssetPlugin::default(),
///     AssetPlugin::default(),
///     HttpollPlugin::default(),
/// ));
/// ```
#[derive(Clone, Debug)]
pub struct HttpollAssetPlugin {
    /// How loads are sent again when they fail in a way that may pass. Default
    /// [`RetryPolicy::standard`]: three retries. Never for 404.
    pub retries: RetryPolicy,
    /// Whose turn comes first. Default [`Priority::Streaming`]: after requests.
    pub priority: Priority,
}

impl Default for HttpollAssetPlugin {
    fn default() -> Self {
        Self {
            retries: RetryPolicy::standard(),
            priority: Priority::Streaming,
        }
    }
}

impl Plugin for HttpollAssetPlugin {
    fn build(&self, app: &mut App) {
        let (sender, receiver) = async_channel::unbounded();
        for scheme in ["http", "https"] {
            let (reader, processed) = (sender.clone(), sender.clone());
            let make = move |sender: &Sender<Load>| HttpReader {
                scheme,
                loads: sender.clone(),
            };
            app.register_asset_source(
                AssetSourceId::from(scheme),
                AssetSourceBuilder::new(move || Box::new(make(&reader)))
                    .with_processed_reader(move || Box::new(make(&processed))),
            );
        }
        app.insert_resource(Wanted {
            loads: receiver,
            settings: self.clone(),
        });
    }

    fn finish(&self, app: &mut App) {
        let Some(schedules) = app.world().get_resource::<HttpAgent>() else {
            log::warn!("HttpollAssetPlugin loads nothing without HttpollPlugin");
            return;
        };
        let (poll_in, flush_in) = schedules.assets.schedules;
        app.add_systems(poll_in, load.before(HttpollSystems::Poll))
            .add_systems(flush_in, load.before(HttpollSystems::Submit));
    }
}

/// What readers ask for.
#[derive(Resource)]
struct Wanted {
    loads: Receiver<Load>,
    settings: HttpollAssetPlugin,
}

/// One asset to be loaded.
struct Load {
    url: String,
    path: PathBuf,
    pieces: Sender<Piece>,
}

/// The first is about the head: empty bytes, or why there is no asset.
type Piece = Result<Bytes, AssetReaderError>;

/// So many pieces wait for a loader before its server has to.
const PIECES: usize = 8;

/// The loads under way, for the system that dispatches the agent's events.
pub(crate) struct Loads {
    under_way: HashMap<RequestId, UnderWay>,
    pub(crate) schedules: (InternedScheduleLabel, InternedScheduleLabel),
}

struct UnderWay {
    path: PathBuf,
    pieces: Sender<Piece>,
    /// What the channel had no room for.
    waiting: VecDeque<Piece>,
    progress: HttpProgress,
    /// Its head was told: failures are those of reading from now on.
    has_head: bool,
    is_paused: bool,
    is_over: bool,
}

impl Loads {
    pub(crate) fn new(poll_in: InternedScheduleLabel, flush_in: InternedScheduleLabel) -> Self {
        Self {
            under_way: HashMap::new(),
            schedules: (poll_in, flush_in),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.under_way.len()
    }

    pub(crate) fn progress(&self) -> impl Iterator<Item = (&Path, HttpProgress)> {
        self.under_way
            .values()
            .map(|load| (load.path.as_path(), load.progress))
    }

    /// Takes an event that is about a load; gives back any other.
    pub(crate) fn take(&mut self, agent: &mut Agent, event: Event) -> Option<Event> {
        let Some((id, load)) = event
            .id()
            .and_then(|id| Some((id, self.under_way.get_mut(&id)?)))
        else {
            return Some(event);
        };
        match event {
            Event::Head { head, .. } => {
                load.has_head = true;
                let status = head.status.as_u16();
                match status {
                    200..=299 => load.waiting.push_back(Ok(Bytes::new())),
                    _ => {
                        load.waiting.push_back(Err(refusal(status, &load.path)));
                        load.is_over = true;
                        agent.cancel(id);
                    }
                }
            }
            Event::Chunk { bytes, .. } if !bytes.is_empty() => load.waiting.push_back(Ok(bytes)),
            Event::Done { response, .. } => {
                if !load.has_head {
                    // From the cache, or without content.
                    let status = response.status().as_u16();
                    load.waiting.push_back(match status {
                        200..=299 => Ok(Bytes::new()),
                        _ => Err(refusal(status, &load.path)),
                    });
                }
                if !response.body().is_empty() {
                    load.waiting.push_back(Ok(response.body().clone()));
                }
                load.is_over = true;
            }
            Event::Failed { error, .. } => {
                load.waiting.push_back(Err(failure(error)));
                load.is_over = true;
            }
            Event::Progress { progress, .. } => load.progress = progress.into(),
            _ => {}
        }
        self.hand_over(agent, id);
        None
    }

    /// Gives a loader what it has room for, and ends what is over or wanted no more.
    fn hand_over(&mut self, agent: &mut Agent, id: RequestId) {
        let Some(load) = self.under_way.get_mut(&id) else {
            return;
        };
        let is_gone = loop {
            let Some(piece) = load.waiting.pop_front() else {
                break load.pieces.is_closed();
            };
            match load.pieces.try_send(piece) {
                Ok(()) => {}
                Err(TrySendError::Full(piece)) => {
                    load.waiting.push_front(piece);
                    break false;
                }
                Err(TrySendError::Closed(_)) => break true,
            }
        };
        if is_gone || (load.is_over && load.waiting.is_empty()) {
            // For one that is over this does nothing.
            agent.cancel(id);
            self.under_way.remove(&id);
        } else if load.is_paused == load.waiting.is_empty() {
            load.is_paused = !load.is_paused;
            if load.is_paused {
                agent.pause(id);
            } else {
                agent.resume(id);
            }
        }
    }
}

/// Begins what readers ask for, and hands over what loaders have room for.
fn load(http: Option<ResMut<HttpAgent>>, wanted: Option<Res<Wanted>>) {
    let (Some(mut http), Some(wanted)) = (http, wanted) else {
        return;
    };
    let http = &mut *http;
    while let Ok(load) = wanted.loads.try_recv() {
        if load.pieces.is_closed() {
            continue;
        }
        // What the cache is to keep must come whole.
        let request = Request::get(load.url.as_str());
        let request = match http.has_cache() {
            true => request.collect().max_body(0),
            false => request.stream(),
        };
        let request = request
            .retries(wanted.settings.retries.clone())
            .priority(wanted.settings.priority);
        let request = http.with_host_headers(&load.url, request);
        match http.agent.send(request) {
            Ok(handle) => {
                let under_way = UnderWay {
                    path: load.path,
                    pieces: load.pieces,
                    waiting: VecDeque::new(),
                    progress: HttpProgress::default(),
                    has_head: false,
                    is_paused: false,
                    is_over: false,
                };
                http.assets.under_way.insert(handle.detach(), under_way);
            }
            // A fresh channel has room; a reader that went away minds nothing.
            Err(error) => drop(load.pieces.try_send(Err(failure(error)))),
        }
    }
    let ids: Vec<RequestId> = http.assets.under_way.keys().copied().collect();
    for id in ids {
        http.assets.hand_over(&mut http.agent, id);
    }
}

fn refusal(status: u16, path: &Path) -> AssetReaderError {
    match status {
        404 | 410 => AssetReaderError::NotFound(path.to_path_buf()),
        status => AssetReaderError::HttpError(status),
    }
}

fn failure(error: Error) -> AssetReaderError {
    AssetReaderError::Io(Arc::new(io::Error::other(error)))
}

fn gone() -> AssetReaderError {
    AssetReaderError::Io(Arc::new(io::Error::other(
        "the app with HttpollPlugin is gone",
    )))
}

/// The source of one scheme.
struct HttpReader {
    scheme: &'static str,
    loads: Sender<Load>,
}

impl AssetReader for HttpReader {
    async fn read<'a>(&'a self, path: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        let (sender, pieces) = async_channel::bounded(PIECES);
        let Some(text) = path.to_str() else {
            return Err(AssetReaderError::NotFound(path.to_path_buf()));
        };
        let load = Load {
            url: format!("{}://{}", self.scheme, text.replace('\\', "/")),
            path: path.to_path_buf(),
            pieces: sender,
        };
        self.loads.send(load).await.map_err(|_| gone())?;
        let first = pieces.recv().await.map_err(|_| gone())??;
        Ok(PieceReader {
            pieces: Box::pin(pieces),
            current: first,
        })
    }

    async fn read_meta<'a>(&'a self, path: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        Err::<PieceReader, _>(AssetReaderError::NotFound(path.to_path_buf()))
    }

    async fn read_directory<'a>(
        &'a self,
        path: &'a Path,
    ) -> Result<Box<PathStream>, AssetReaderError> {
        Err(AssetReaderError::NotFound(path.to_path_buf()))
    }

    async fn is_directory<'a>(&'a self, _: &'a Path) -> Result<bool, AssetReaderError> {
        Ok(false)
    }
}

/// Content while it comes.
struct PieceReader {
    pieces: Pin<Box<Receiver<Piece>>>,
    current: Bytes,
}

impl AsyncRead for PieceReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while self.current.is_empty() {
            let next = match self.pieces.try_recv() {
                Ok(piece) => Some(piece),
                Err(TryRecvError::Closed) => None,
                Err(TryRecvError::Empty) => {
                    ready!(self.pieces.as_mut().poll_next(context))
                }
            };
            match next {
                None => return Poll::Ready(Ok(0)),
                Some(Ok(bytes)) => self.current = bytes,
                Some(Err(AssetReaderError::Io(error))) => {
                    return Poll::Ready(Err(io::Error::new(error.kind(), error)));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Poll::Ready(Ok(count))
    }
}

impl Reader for PieceReader {
    fn seekable(&mut self) -> Result<&mut dyn SeekableReader, ReaderNotSeekableError> {
        Err(ReaderNotSeekableError)
    }
}
