//! [`HttpAssetLoads`]: which request of the agent loads which asset.
//!
//! Readers ask through a channel. The reader is ready as soon as the head has arrived, and content
//! follows through a bounded channel while the loader reads it: nothing ever waits on Bevy's IO threads,
//! and a load whose last handle is dropped is cancelled. A loader that is slower than the network fills
//! its channel; then the request is paused until the channel has room.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_channel::{Receiver, Sender, TrySendError};
use bevy_asset::io::AssetReaderError;
use bevy_ecs::resource::Resource;
use httpoll::{Agent, Bytes, Error, Event, Priority, Request, RequestId, RetryPolicy};

use crate::assets::reader::{Load, Piece};
use crate::components::progress::HttpProgress;
use crate::resources::agent::HttpAgent;
use crate::resources::others::{CountedLoad, LoadCount};

/// The assets that are loading over `http://` and `https://`. [`HttpollAssetPlugin`] inserts it.
///
/// [`HttpollAssetPlugin`]: crate::HttpollAssetPlugin
#[derive(Resource)]
pub struct HttpAssetLoads {
    under_way: HashMap<RequestId, UnderWay>,
    requested: Receiver<Load>,
    retries: RetryPolicy,
    priority: Priority,
    /// Counts the loads, with those that are not begun yet.
    pub(crate) loads: LoadCount,
}

struct UnderWay {
    path: PathBuf,
    pieces: Sender<Piece>,
    /// Pieces for which the channel had no space.
    waiting: VecDeque<Piece>,
    progress: HttpProgress,
    is_paused: bool,
    is_over: bool,
    _counted: CountedLoad,
}

impl HttpAssetLoads {
    pub(crate) fn new(
        requested: Receiver<Load>,
        retries: RetryPolicy,
        priority: Priority,
        loads: LoadCount,
    ) -> Self {
        Self {
            under_way: HashMap::new(),
            requested,
            retries,
            priority,
            loads,
        }
    }

    /// The number of assets that are loading.
    pub fn count(&self) -> usize {
        self.under_way.len()
    }

    /// How far each asset is, by its path without the scheme.
    pub fn progress(&self) -> impl Iterator<Item = (&Path, HttpProgress)> {
        self.under_way
            .values()
            .map(|load| (load.path.as_path(), load.progress))
    }

    /// Begins the loads that readers ask for, and delivers what their channels have space for. Returns whether
    /// something changed.
    pub(crate) fn advance(&mut self, http: &mut HttpAgent) -> bool {
        let mut is_changed = false;
        while let Ok(load) = self.requested.try_recv() {
            if load.pieces.is_closed() {
                continue;
            }
            is_changed = true;
            // The cache stores whole responses only.
            let request = Request::get(load.url.as_str());
            let request = match http.has_cache() {
                true => request.collect().max_body(0),
                false => request.stream(),
            };
            let request = request
                .retries(self.retries.clone())
                .priority(self.priority);
            let request = http.with_host_headers(&load.url, request);
            match http.agent.send(request) {
                Ok(handle) => {
                    let under_way = UnderWay {
                        path: load.path,
                        pieces: load.pieces,
                        waiting: VecDeque::new(),
                        progress: HttpProgress::default(),
                        is_paused: false,
                        is_over: false,
                        _counted: load.counted,
                    };
                    self.under_way.insert(handle.detach(), under_way);
                }
                // A new channel has space. If the reader is gone, the error has no receiver.
                Err(error) => drop(load.pieces.try_send(Err(failure(error)))),
            }
        }
        let ids: Vec<RequestId> = self.under_way.keys().copied().collect();
        for id in ids {
            is_changed |= self.hand_over(&mut http.agent, id);
        }
        is_changed
    }

    /// Ends all loads, because there is no agent any more: their readers report it. Returns whether there were any.
    pub(crate) fn abandon(&mut self) -> bool {
        let mut is_changed = !self.under_way.is_empty();
        self.under_way.clear();
        while self.requested.try_recv().is_ok() {
            is_changed = true;
        }
        is_changed
    }

    /// Consumes an event of a load; returns any other event.
    pub(crate) fn take(&mut self, agent: &mut Agent, event: Event) -> Option<Event> {
        let Some((id, load)) = event
            .id()
            .and_then(|id| Some((id, self.under_way.get_mut(&id)?)))
        else {
            return Some(event);
        };
        match event {
            Event::Head { head, .. } => {
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

    /// Delivers what a loader's channel has space for, and ends loads that are finished or whose reader
    /// is gone. Returns whether something changed.
    fn hand_over(&mut self, agent: &mut Agent, id: RequestId) -> bool {
        let Some(load) = self.under_way.get_mut(&id) else {
            return false;
        };
        let mut is_changed = false;
        let is_gone = loop {
            let Some(piece) = load.waiting.pop_front() else {
                break load.pieces.is_closed();
            };
            match load.pieces.try_send(piece) {
                Ok(()) => is_changed = true,
                Err(TrySendError::Full(piece)) => {
                    load.waiting.push_front(piece);
                    break false;
                }
                Err(TrySendError::Closed(_)) => break true,
            }
        };
        if is_gone || (load.is_over && load.waiting.is_empty()) {
            // Does nothing for a finished request.
            agent.cancel(id);
            self.under_way.remove(&id);
            return true;
        }
        if load.is_paused == load.waiting.is_empty() {
            load.is_paused = !load.is_paused;
            if load.is_paused {
                agent.pause(id);
            } else {
                agent.resume(id);
            }
        }
        is_changed
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

impl fmt::Debug for HttpAssetLoads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAssetLoads")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
