//! [`Patch`]: the stages of a patch, one after the other.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use url::Url;

use super::check::{CheckPlan, CheckWork, Checked, Counters, ManifestSource};
use super::fetch::{FetchProgress, FetchSettings, Fetching};
use super::folder::{broken, failed};
use super::install::{InstallWork, Installed};
use super::manifest::{Manifest, ManifestLimits};
use super::progress::{PatchPhase, PatchProgress, RateMeter};
use super::report::PatchReport;
use crate::agent::{Agent, Event, Request, RequestHandle, RequestOptions};
use crate::error::{Error, Misuse, PatchFault};
use crate::semantics::retry::RetryPolicy;
use crate::transport::disk::DiskJob;

/// A patch under way: brings a set of files up to date. See the [module](crate::patch).
///
/// Make one, [`poll`](Self::poll) it once a frame after the agent, until its phase [is
/// over](PatchPhase::is_over). The events of its requests do not reach
/// [`Agent::next_event`](crate::Agent::next_event). Dropping it stops it; what was downloaded stays for the
/// next patch of the same folder.
#[must_use = "a patch does nothing unless it is polled"]
pub struct Patch {
    root: PathBuf,
    source: Source,
    pub(super) base_url: Option<String>,
    pub(super) limits: ManifestLimits,
    pub(super) shipped: Option<PathBuf>,
    pub(super) remove_others: bool,
    pub(super) connections: usize,
    pub(super) rate_limit: Option<u64>,
    pub(super) options: RequestOptions,
    is_paused: bool,
    stage: Stage,
    counters: Arc<Counters>,
    fetched: FetchProgress,
    progress: PatchProgress,
    meter: RateMeter,
    result: Option<Result<PatchReport, Error>>,
}

enum Source {
    Url(String),
    Manifest(Arc<Manifest>),
}

enum Stage {
    Begin,
    Manifest(RequestHandle),
    Check(DiskJob<CheckWork>, Option<Url>),
    Fetch(Box<Fetching>),
    Install(DiskJob<InstallWork>, Box<Fetching>),
    Over,
}

impl Patch {
    /// A patch of the folder `root` by the manifest at this absolute URL. Files are next to the manifest, unless
    /// [`base_url`](Self::base_url) or the manifest says otherwise.
    pub fn from_url(manifest: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        Self::new(Source::Url(manifest.into()), root.into(), None)
    }

    /// A patch of the folder `root` by this manifest. `base_url` is where its files are.
    pub fn from_manifest(
        manifest: impl Into<Arc<Manifest>>,
        base_url: impl Into<String>,
        root: impl Into<PathBuf>,
    ) -> Self {
        let source = Source::Manifest(manifest.into());
        Self::new(source, root.into(), Some(base_url.into()))
    }

    fn new(source: Source, root: PathBuf, base_url: Option<String>) -> Self {
        Self {
            root,
            source,
            base_url,
            limits: ManifestLimits::default(),
            shipped: None,
            remove_others: false,
            connections: 4,
            rate_limit: None,
            options: RequestOptions::new(),
            is_paused: false,
            stage: Stage::Begin,
            counters: Arc::default(),
            fetched: FetchProgress::default(),
            progress: PatchProgress::default(),
            meter: RateMeter::default(),
            result: None,
        }
    }

    /// Goes on as far as possible without waiting, and returns what the patch is doing. Call it once a frame,
    /// after [`Agent::poll`](crate::Agent::poll), always with the same agent. Files are read, hashed and
    /// written on the agent's worker thread.
    pub fn poll(&mut self, agent: &mut Agent) -> PatchPhase {
        if self.result.is_some() {
            return self.progress.phase;
        }
        agent.gather_claimed();
        loop {
            match self.step(agent) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.fail(error, agent);
                    return self.progress.phase;
                }
            }
        }
        self.measure(agent);
        self.progress.phase
    }

    /// Does what can be done in this stage. `true`: the next one has begun.
    fn step(&mut self, agent: &mut Agent) -> Result<bool, Error> {
        match &mut self.stage {
            Stage::Over => Ok(false),
            Stage::Begin => self.begin(agent),
            Stage::Manifest(handle) => {
                let id = handle.id();
                while let Some(event) = agent.claimed_event(|it| it == id) {
                    match event {
                        Event::Failed { error, .. } => return Err(error),
                        Event::Done { response, .. } => {
                            let url = response.url().and_then(|url| url.join(".").ok());
                            let body = ManifestSource::Json(response.body().clone());
                            return self.check(body, url, agent);
                        }
                        _ => {}
                    }
                }
                Ok(false)
            }
            Stage::Check(job, base) => {
                let base = base.take_if(|_| true);
                match job.poll() {
                    Some(checked) => self.fetch(checked?, base, agent),
                    None => {
                        if let Stage::Check(_, slot) = &mut self.stage {
                            *slot = base;
                        }
                        Ok(false)
                    }
                }
            }
            Stage::Fetch(fetching) => {
                if !fetching.advance(agent)? || self.is_paused {
                    return Ok(false);
                }
                self.install(agent)
            }
            Stage::Install(job, _) => match job.poll() {
                Some(installed) => {
                    self.finish(Some(installed?));
                    Ok(false)
                }
                None => Ok(false),
            },
        }
    }

    fn begin(&mut self, agent: &mut Agent) -> Result<bool, Error> {
        if self.is_paused {
            return Ok(false);
        }
        match &self.source {
            Source::Manifest(manifest) => {
                self.check(ManifestSource::Parsed(Arc::clone(manifest)), None, agent)
            }
            Source::Url(url) => {
                let request = Request::get(url.as_str())
                    .retries(RetryPolicy::standard())
                    .with_options(self.options.clone())
                    .error_for_status(true)
                    .max_body(self.limits.json_bytes as u64);
                self.stage = Stage::Manifest(agent.send_claimed(request)?);
                Ok(false)
            }
        }
    }

    fn check(
        &mut self,
        manifest: ManifestSource,
        base: Option<Url>,
        agent: &mut Agent,
    ) -> Result<bool, Error> {
        let base = match &self.base_url {
            Some(url) => {
                Some(Url::parse(url).map_err(|_| Error::from(Misuse::InvalidUrl).for_text(url))?)
            }
            None => base,
        };
        let work = CheckWork::new(CheckPlan {
            root: self.root.clone(),
            manifest,
            limits: self.limits.clone(),
            shipped: self.shipped.clone(),
            remove_others: self.remove_others,
            counters: Arc::clone(&self.counters),
        });
        let mut job =
            DiskJob::start(&agent.disk()?, work).map_err(|fault| failed(fault, &self.root))?;
        if self.is_paused {
            job.set_paused(true)
                .map_err(|fault| failed(fault, &self.root))?;
        }
        self.progress.phase = PatchPhase::Check;
        self.stage = Stage::Check(job, base);
        Ok(true)
    }

    fn fetch(
        &mut self,
        checked: Checked,
        base: Option<Url>,
        agent: &mut Agent,
    ) -> Result<bool, Error> {
        self.progress.files = checked.manifest.files().len();
        self.progress.bytes = checked.manifest.bytes();
        let is_current = checked.is_current;
        let settings = FetchSettings {
            base,
            connections: self.connections,
            rate_limit: self.rate_limit,
            options: self.options.clone(),
            is_paused: self.is_paused,
        };
        let fetching = Box::new(Fetching::new(checked, settings, agent.disk()?));
        self.progress.phase = PatchPhase::Download;
        self.stage = Stage::Fetch(fetching);
        if is_current {
            self.finish(None);
            return Ok(false);
        }
        Ok(true)
    }

    fn install(&mut self, agent: &mut Agent) -> Result<bool, Error> {
        let Stage::Fetch(fetching) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(false);
        };
        self.fetched = fetching.progress();
        let work = InstallWork::new(fetching.install_plan());
        let job =
            DiskJob::start(&agent.disk()?, work).map_err(|fault| failed(fault, &self.root))?;
        self.progress.phase = PatchPhase::Install;
        self.stage = Stage::Install(job, fetching);
        Ok(true)
    }

    fn finish(&mut self, installed: Option<Installed>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let (Stage::Fetch(fetching) | Stage::Install(_, fetching)) = stage else {
            return;
        };
        let checked = fetching.checked();
        let generation = checked.generation.unwrap_or_default();
        self.fetched = fetching.progress();
        let report = PatchReport {
            folder: match &installed {
                Some(installed) => installed.folder.clone(),
                None => checked.root.generation(generation),
            },
            generation: installed.as_ref().map_or(generation, |it| it.generation),
            is_new: installed.is_some(),
            files: checked.manifest.files().len(),
            downloaded: self.fetched.downloaded,
            repaired: self.fetched.repaired,
            removed: installed.as_ref().map_or(0, |_| checked.removed),
            received: self.fetched.received,
        };
        self.progress.phase = PatchPhase::Finished;
        self.result = Some(Ok(report));
    }

    fn fail(&mut self, error: Error, agent: &mut Agent) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Manifest(handle) => agent.cancel(handle.id()),
            Stage::Fetch(mut fetching) => {
                self.fetched = fetching.progress();
                fetching.cancel(agent);
            }
            _ => {}
        }
        self.progress.phase = PatchPhase::Failed;
        self.progress.rate = 0.0;
        self.progress.time_left = None;
        self.result = Some(Err(error));
    }

    fn measure(&mut self, agent: &Agent) {
        let progress = &mut self.progress;
        match &self.stage {
            Stage::Check(..) => {
                let counters = &self.counters;
                progress.files = counters.files.load(Ordering::Relaxed);
                progress.files_done = counters.files_checked.load(Ordering::Relaxed);
                progress.bytes = counters.bytes.load(Ordering::Relaxed);
                let checked = counters.bytes_checked.load(Ordering::Relaxed);
                progress.bytes_done = checked.min(progress.bytes);
                return;
            }
            Stage::Fetch(fetching) => {
                self.fetched = fetching.progress();
                if !self.is_paused {
                    self.meter.update(agent.now(), self.fetched.received);
                }
            }
            _ => {}
        }
        progress.files_done = self.fetched.files_done;
        progress.bytes_done = self.fetched.bytes_done.min(progress.bytes);
        progress.received = self.fetched.received;
        match progress.phase {
            PatchPhase::Download => {
                progress.rate = self.meter.rate();
                let left = progress.bytes - progress.bytes_done;
                progress.time_left = self.meter.time_for(left);
            }
            _ => (progress.rate, progress.time_left) = (0.0, None),
        }
    }

    /// Stops all work until [`resume`](Self::resume): no byte is fetched, read or written after the present
    /// piece. The new set does not become visible meanwhile, unless the patch was about to make it so.
    pub fn pause(&mut self, agent: &mut Agent) {
        self.set_paused(true, agent);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&mut self, agent: &mut Agent) {
        self.set_paused(false, agent);
    }

    fn set_paused(&mut self, paused: bool, agent: &mut Agent) {
        if self.result.is_some() || self.is_paused == paused {
            return;
        }
        self.is_paused = paused;
        self.progress.is_paused = paused;
        self.meter.reset();
        let result = match &mut self.stage {
            Stage::Manifest(handle) if paused => {
                agent.pause(handle.id());
                Ok(())
            }
            Stage::Manifest(handle) => {
                agent.resume(handle.id());
                Ok(())
            }
            Stage::Check(job, _) => job
                .set_paused(paused)
                .map_err(|fault| failed(fault, &self.root)),
            Stage::Fetch(fetching) => fetching.set_paused(paused, agent),
            Stage::Install(job, _) => job
                .set_paused(paused)
                .map_err(|fault| failed(fault, &self.root)),
            Stage::Begin | Stage::Over => Ok(()),
        };
        if let Err(error) = result {
            self.fail(error, agent);
        }
    }

    /// Changes the [rate limit](Self::rate_limit) of a patch that runs.
    pub fn set_rate_limit(&mut self, agent: &mut Agent, bytes_per_second: Option<u64>) {
        self.rate_limit = bytes_per_second;
        if let Stage::Fetch(fetching) = &mut self.stage {
            fetching.set_rate_limit(bytes_per_second, agent);
        }
    }

    /// The rate limit of all files together.
    pub fn current_rate_limit(&self) -> Option<u64> {
        self.rate_limit
    }

    /// Ends the patch with [`PatchFault::Cancelled`]. The set from before stays visible, unless the new one is
    /// visible already; what was downloaded stays for the next patch. Does nothing if the patch has ended.
    pub fn cancel(&mut self, agent: &mut Agent) {
        if self.result.is_none() {
            let error = broken(PatchFault::Cancelled, &self.root);
            self.fail(error, agent);
        }
    }

    /// What the patch is doing, as of the last poll.
    pub fn phase(&self) -> PatchPhase {
        self.progress.phase
    }

    /// How far the patch is, as of the last poll.
    pub fn progress(&self) -> PatchProgress {
        self.progress
    }

    /// What the patch did, or why it failed. `None` until it has ended.
    pub fn result(&self) -> Option<&Result<PatchReport, Error>> {
        self.result.as_ref()
    }

    /// The folder that the patch works on.
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch")
            .field("root", &self.root)
            .field("progress", &self.progress)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}
