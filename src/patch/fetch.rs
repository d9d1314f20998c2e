//! Fetches what is missing: several contents at once, each as a download or as a repair. The comparison before
//! and the switch after do not belong here.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::check::{Checked, FileState};
use super::install::InstallPlan;
use super::manifest::{Manifest, ManifestFile};
use super::missing::{Content, MissingContents, url_of};
use super::repair::{RepairStep, RepairWork};
use crate::agent::{Agent, Download, Event, Request, RequestHandle, RequestId, RequestOptions};
use crate::error::{DiskFault, Error, ErrorKind};
use crate::semantics::retry::RetryPolicy;
use crate::transport::disk::{Disk, DiskJob};

/// How often a content may fail in a way that another try can mend.
const MAX_FAILURES: u32 = 2;

mod repairing;

/// How to fetch.
pub(super) struct FetchSettings {
    pub(super) base: Option<Url>,
    pub(super) connections: usize,
    pub(super) rate_limit: Option<u64>,
    pub(super) options: RequestOptions,
    pub(super) is_paused: bool,
}

/// See the module's documentation.
pub(super) struct Fetching {
    checked: Checked,
    settings: FetchSettings,
    disk: Disk,
    contents: Vec<Content>,
    /// Contents that were not begun, the most urgent first.
    waiting: VecDeque<usize>,
    active: Vec<Active>,
    /// The server sends one range at a time.
    one_range: bool,
    /// The number of requests among which the rate is shared.
    sharing: usize,
    held_bytes: u64,
    held_files: usize,
}

struct Active {
    content: usize,
    work: Work,
}

enum Work {
    Download(RequestHandle),
    Ranges(RequestHandle),
    Disk(DiskJob<RepairWork>),
}

/// Numbers of the whole set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FetchProgress {
    pub(super) files_done: usize,
    pub(super) bytes_done: u64,
    pub(super) received: u64,
    pub(super) downloaded: usize,
    pub(super) repaired: usize,
}

impl Fetching {
    pub(super) fn new(checked: Checked, settings: FetchSettings, disk: Disk) -> Self {
        let missing = MissingContents::of(&checked);
        let waiting = missing.by_priority(&checked);
        Self {
            disk,
            waiting,
            contents: missing.contents,
            active: Vec::new(),
            one_range: false,
            sharing: 0,
            held_bytes: missing.held_bytes,
            held_files: missing.held_files,
            checked,
            settings,
        }
    }

    /// Does what can be done now. `true`: everything is there.
    pub(super) fn advance(&mut self, agent: &mut Agent) -> Result<bool, Error> {
        loop {
            let mine = |id: RequestId| self.active.iter().any(|it| it.work.id() == Some(id));
            let Some(event) = agent.claimed_event(mine) else {
                break;
            };
            self.on_event(event, agent)?;
        }
        let mut index = 0;
        while let Some(active) = self.active.get_mut(index) {
            let result = match &mut active.work {
                Work::Disk(job) => job.poll(),
                _ => None,
            };
            let Some(result) = result else {
                index += 1;
                continue;
            };
            let content = active.content;
            self.on_repaired(content, result?, agent)?;
        }
        while !self.settings.is_paused
            && self.active.len() < self.settings.connections
            && let Some(content) = self.waiting.pop_front()
        {
            self.begin(content, agent)?;
        }
        self.share_rate(agent, false);
        Ok(self.active.is_empty() && self.waiting.is_empty())
    }

    fn file<'m>(&self, manifest: &'m Manifest, content: usize) -> Result<&'m ManifestFile, Error> {
        let file = self.contents.get(content).map(|content| content.file);
        file.and_then(|file| manifest.files().get(file))
            .ok_or_else(|| Error::internal("a content without a file"))
    }

    fn begin(&mut self, content: usize, agent: &mut Agent) -> Result<(), Error> {
        let manifest = Arc::clone(&self.checked.manifest);
        let file = self.file(&manifest, content)?;
        let from = self.contents[content]
            .repair
            .as_ref()
            .map(|it| it.from.clone());
        match from {
            Some(from) => {
                let size = file.size();
                self.start_step(content, file, RepairStep::Copy { from, size })
            }
            None => {
                let download = Download::to(self.checked.root.content(file.sha256()))
                    .resume(true)
                    .expected_size(file.size())
                    .max_size(file.size().max(1))
                    .sha256(*file.sha256());
                let request = self.request(file)?.download_to(download);
                let handle = self.send(request, agent)?;
                self.replace(content, Some(Work::Download(handle)));
                Ok(())
            }
        }
    }

    fn request(&self, file: &ManifestFile) -> Result<Request, Error> {
        Ok(Request::get(url_of(self.settings.base.as_ref(), file)?)
            .retries(RetryPolicy::standard())
            .priority(file.priority())
            .error_for_status(true)
            .with_options(self.settings.options.clone()))
    }

    fn send(&self, request: Request, agent: &mut Agent) -> Result<RequestHandle, Error> {
        let handle = agent.send_claimed(request)?;
        if self.settings.is_paused {
            agent.pause(handle.id());
        }
        Ok(handle)
    }

    /// Sets what a content is doing; `None`: nothing.
    fn replace(&mut self, content: usize, work: Option<Work>) {
        let place = self.active.iter().position(|it| it.content == content);
        match (place, work) {
            (Some(place), Some(work)) => self.active[place].work = work,
            (Some(place), None) => {
                self.active.swap_remove(place);
            }
            (None, Some(work)) => self.active.push(Active { content, work }),
            (None, None) => {}
        }
        // The rate is shared anew.
        self.sharing = 0;
    }

    fn on_event(&mut self, event: Event, agent: &mut Agent) -> Result<(), Error> {
        let id = event.id();
        let found = self.active.iter().find(|it| it.work.id() == id);
        let Some(Active { content, work }) = found else {
            return Ok(());
        };
        let content = *content;
        let is_repair = matches!(work, Work::Ranges(_));
        let manifest = Arc::clone(&self.checked.manifest);
        let file = self.file(&manifest, content)?;
        let state = &mut self.contents[content];
        match event {
            Event::Progress { progress, .. } if is_repair => state.received = progress.received,
            Event::Progress { progress, .. } => {
                state.partial = state.partial.min(progress.received);
                state.received = progress.received - state.partial;
                state.done = progress.received.min(file.size());
            }
            // The server sends the whole file instead of the ranges.
            Event::Head { head, .. } if is_repair && head.status.as_u16() == 200 => {
                self.download_instead(content);
            }
            Event::Done { response, .. } if is_repair => {
                state.received = response.body().len() as u64;
                state.note_request_end();
                self.on_ranges(content, file, &response, agent)?;
            }
            Event::Done { response, .. } => {
                if let Some(saved) = response.saved() {
                    state.received = saved.bytes.saturating_sub(saved.resumed_from);
                }
                state.note_request_end();
                self.finish(content, file);
            }
            Event::Failed { error, .. } => {
                state.note_request_end();
                state.failures += 1;
                let can_mend = state.failures < MAX_FAILURES;
                match error.kind() {
                    // What an earlier run kept was of another version.
                    ErrorKind::File(
                        DiskFault::HashMismatch { .. } | DiskFault::SizeMismatch { .. },
                    ) if can_mend => {
                        (state.done, state.partial) = (0, 0);
                        self.replace(content, None);
                        self.waiting.push_front(content);
                    }
                    ErrorKind::Limit(_) | ErrorKind::Status(200 | 416) if is_repair => {
                        self.download_instead(content);
                    }
                    _ => return Err(error),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, content: usize, file: &ManifestFile) {
        let state = &mut self.contents[content];
        state.is_done = true;
        state.done = file.size();
        self.replace(content, None);
    }

    /// Gives up a repair.
    fn download_instead(&mut self, content: usize) {
        let state = &mut self.contents[content];
        state.note_request_end();
        state.repair = None;
        (state.done, state.partial) = (0, 0);
        self.replace(content, None);
        self.waiting.push_front(content);
    }

    pub(super) fn set_paused(&mut self, paused: bool, agent: &mut Agent) -> Result<(), Error> {
        self.settings.is_paused = paused;
        let root = &self.checked.root;
        for active in &mut self.active {
            match &mut active.work {
                Work::Download(handle) | Work::Ranges(handle) if paused => agent.pause(handle.id()),
                Work::Download(handle) | Work::Ranges(handle) => agent.resume(handle.id()),
                Work::Disk(job) => job
                    .set_paused(paused)
                    .map_err(|fault| super::folder::failed(fault, root.path()))?,
            }
        }
        Ok(())
    }

    pub(super) fn set_rate_limit(&mut self, bytes_per_second: Option<u64>, agent: &mut Agent) {
        self.settings.rate_limit = bytes_per_second;
        self.share_rate(agent, true);
    }

    /// Gives each request its share of the rate.
    fn share_rate(&mut self, agent: &mut Agent, is_new: bool) {
        let rate = self.settings.rate_limit.filter(|rate| *rate > 0);
        let requests = self.active.iter().filter_map(|it| it.work.id());
        let count = requests.clone().count();
        if count == 0 || (!is_new && (rate.is_none() || count == self.sharing)) {
            return;
        }
        let share = rate.map(|rate| (rate / count as u64).max(1));
        for id in requests {
            agent.set_rate_limit(id, share);
        }
        self.sharing = count;
    }

    /// Ends all requests. What arrived stays for the next patch.
    pub(super) fn cancel(&mut self, agent: &mut Agent) {
        for active in self.active.drain(..) {
            if let Some(id) = active.work.id() {
                agent.cancel(id);
            }
        }
    }

    pub(super) fn progress(&self) -> FetchProgress {
        let mut progress = FetchProgress {
            files_done: self.held_files,
            bytes_done: self.held_bytes,
            ..FetchProgress::default()
        };
        for content in &self.contents {
            progress.bytes_done += content.done * content.files as u64;
            progress.received += content.received_before + content.received;
            if content.is_done {
                progress.files_done += content.files;
                match content.repair {
                    Some(_) => progress.repaired += content.files,
                    None => progress.downloaded += content.files,
                }
            }
        }
        progress
    }

    pub(super) fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What is to be built, now that everything is there.
    pub(super) fn install_plan(&self) -> InstallPlan {
        let checked = &self.checked;
        let manifest = checked.manifest.files().iter().zip(&checked.states);
        let mut files: Vec<(PathBuf, PathBuf)> = manifest
            .map(|(file, state)| {
                let from = match state {
                    FileState::Held(path) => path.clone(),
                    _ => checked.root.content(file.sha256()),
                };
                (from, PathBuf::from(file.path()))
            })
            .collect();
        if let Some(visible) = checked.generation.map(|it| checked.root.generation(it)) {
            let others = checked.others.iter();
            files.extend(others.map(|other| (visible.join(other), other.clone())));
        }
        InstallPlan {
            root: checked.root.clone(),
            visible: checked.generation,
            files,
        }
    }
}

impl Work {
    fn id(&self) -> Option<RequestId> {
        match self {
            Self::Download(handle) | Self::Ranges(handle) => Some(handle.id()),
            Self::Disk(_) => None,
        }
    }
}
