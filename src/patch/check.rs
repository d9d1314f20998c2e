//! Compares a manifest with the disk, on the worker: which files are there already, which are damaged and in
//! which blocks, which are missing, and whether the rest fits on the disk.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;

use super::digest::Digest;
use super::folder::{Locked, Root, broken, failed, plain_file};
use super::hasher::FileHasher;
use super::manifest::{Manifest, ManifestFile, ManifestLimits};
use super::paths::{self, Collisions};
use super::space;
use crate::error::{DiskFault, DiskStep, Error};
use crate::file_name::has_reserved_name;
use crate::transport::disk::{DiskWork, Steps};

/// Where the manifest comes from.
#[derive(Clone)]
pub(super) enum ManifestSource {
    Parsed(Arc<Manifest>),
    Json(Bytes),
}

/// What to compare.
pub(super) struct CheckPlan {
    pub(super) root: PathBuf,
    pub(super) manifest: ManifestSource,
    pub(super) limits: ManifestLimits,
    /// A folder with files that came with the game.
    pub(super) shipped: Option<PathBuf>,
    pub(super) remove_others: bool,
    pub(super) counters: Arc<Counters>,
}

/// What the worker tells while it compares.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) files: AtomicUsize,
    pub(super) files_checked: AtomicUsize,
    pub(super) bytes: AtomicU64,
    pub(super) bytes_checked: AtomicU64,
}

/// What is on the disk of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// The whole content is in this file.
    Held(PathBuf),
    /// This file has all blocks but these.
    Damaged { from: PathBuf, blocks: Vec<usize> },
    /// This many bytes of a download are there.
    Missing { partial: u64 },
}

/// The result.
pub(super) struct Checked {
    pub(super) root: Root,
    /// Held as long as the patch works on the folder.
    pub(super) _lock: File,
    pub(super) generation: Option<u64>,
    pub(super) manifest: Arc<Manifest>,
    /// One for each file of the manifest.
    pub(super) states: Vec<FileState>,
    /// Files of the visible generation that the manifest does not have and that are to stay.
    pub(super) others: Vec<PathBuf>,
    /// How many files of the visible generation are to go.
    pub(super) removed: usize,
    /// The visible generation is what the manifest asks for.
    pub(super) is_current: bool,
}

/// See the module's documentation.
pub(super) struct CheckWork {
    plan: CheckPlan,
    stage: Stage,
}

enum Stage {
    Begin,
    Files(Box<Comparison>),
    Over,
}

impl CheckWork {
    pub(super) fn new(plan: CheckPlan) -> Self {
        Self {
            plan,
            stage: Stage::Begin,
        }
    }

    fn begin(&mut self, steps: &Steps<'_>) -> Result<Comparison, Error> {
        let manifest = match &self.plan.manifest {
            ManifestSource::Parsed(manifest) => Arc::clone(manifest),
            ManifestSource::Json(json) => {
                Arc::new(Manifest::from_json_with_limits(json, &self.plan.limits)?)
            }
        };
        let counters = &self.plan.counters;
        counters
            .files
            .store(manifest.files().len(), Ordering::Relaxed);
        counters.bytes.store(manifest.bytes(), Ordering::Relaxed);
        // Before Windows makes such a name part of an absolute path, which hides it.
        if has_reserved_name(&self.plan.root) {
            return Err(failed(DiskFault::ReservedName, &self.plan.root));
        }
        let root = std::path::absolute(&self.plan.root)
            .map_err(|error| failed(DiskFault::io(DiskStep::Locate, &error), &self.plan.root))?;
        let locked = Root::new(root).lock(steps)?;
        let visible = locked.generation.map(|it| locked.root.generation(it));
        Ok(Comparison {
            visible,
            states: Vec::with_capacity(manifest.files().len()),
            outside_generation: 0,
            known: HashMap::new(),
            current: None,
            manifest,
            locked,
        })
    }
}

impl DiskWork for CheckWork {
    type Output = Result<Checked, Error>;

    fn turn(&mut self, steps: &Steps<'_>) -> Option<Self::Output> {
        match &mut self.stage {
            Stage::Begin => match self.begin(steps) {
                Ok(comparison) => {
                    self.stage = Stage::Files(Box::new(comparison));
                    None
                }
                Err(error) => Some(Err(error)),
            },
            Stage::Files(comparison) => {
                if comparison.advance(&self.plan) {
                    return None;
                }
                match std::mem::replace(&mut self.stage, Stage::Over) {
                    Stage::Files(comparison) => Some(comparison.finish(&self.plan, steps)),
                    _ => None,
                }
            }
            Stage::Over => Some(Err(Error::internal("a finished comparison had a turn"))),
        }
    }
}

/// The comparison of one file after the other.
struct Comparison {
    locked: Locked,
    manifest: Arc<Manifest>,
    visible: Option<PathBuf>,
    states: Vec<FileState>,
    /// How many files are held, but not at their place in the visible generation.
    outside_generation: usize,
    /// Contents that were found.
    known: HashMap<Digest, PathBuf>,
    current: Option<Candidates>,
}

/// The files that may have the content of one file of the manifest.
struct Candidates {
    /// Their paths and lengths.
    left: Vec<(PathBuf, u64)>,
    /// Those that have not the content, for a look at their blocks.
    wrong: Vec<(PathBuf, u64)>,
    hashing: Option<(PathBuf, u64, FileHasher)>,
    looks_at_blocks: bool,
    best: Option<(PathBuf, Vec<usize>)>,
    /// The bytes of a download that did not end.
    partial: u64,
}

impl Comparison {
    /// Compares a little more. `false`: all files are compared.
    fn advance(&mut self, plan: &CheckPlan) -> bool {
        let manifest = Arc::clone(&self.manifest);
        let Some(file) = manifest.files().get(self.states.len()) else {
            return false;
        };
        let mut candidates = match self.current.take() {
            Some(candidates) => candidates,
            None => self.candidates(file, plan),
        };
        match candidates.advance(file, &plan.counters.bytes_checked) {
            None => self.current = Some(candidates),
            Some(state) => {
                if let FileState::Held(path) = &state {
                    let home = self.visible.as_ref().map(|it| it.join(file.path()));
                    if home.as_ref() != Some(path) {
                        self.outside_generation += 1;
                    }
                    self.known.insert(*file.sha256(), path.clone());
                }
                self.states.push(state);
                plan.counters.files_checked.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    fn candidates(&self, file: &ManifestFile, plan: &CheckPlan) -> Candidates {
        let mut found = Vec::new();
        if let Some(visible) = &self.visible {
            found.extend(plain_file(visible, file.path()));
        }
        let root = &self.locked.root;
        for path in [root.content(file.sha256()), root.repair(file.sha256())] {
            let metadata = fs::symlink_metadata(&path).ok();
            let length = metadata.filter(|it| it.is_file()).map(|it| it.len());
            found.extend(length.map(|length| (path, length)));
        }
        if let Some(shipped) = &plan.shipped {
            found.extend(plain_file(shipped, file.path()));
        }
        found.reverse();
        let part = fs::symlink_metadata(root.part(file.sha256()));
        Candidates {
            left: found,
            wrong: Vec::new(),
            hashing: None,
            looks_at_blocks: false,
            best: None,
            partial: part.map_or(0, |it| it.len()),
        }
    }

    fn finish(mut self, plan: &CheckPlan, steps: &Steps<'_>) -> Result<Checked, Error> {
        let is_complete = self
            .states
            .iter()
            .all(|it| matches!(it, FileState::Held(_)));
        for (state, file) in self.states.iter_mut().zip(self.manifest.files()) {
            if let Some(path) = self.known.get(file.sha256())
                && !matches!(state, FileState::Held(_))
            {
                *state = FileState::Held(path.clone());
            }
        }
        let found = self.others();
        let is_current = is_complete
            && self.outside_generation == 0
            && self.visible.is_some()
            && (found.is_empty() || !plan.remove_others);
        let (others, removed) = match plan.remove_others {
            true => (Vec::new(), found.len()),
            false => (found, 0),
        };
        let checked = Checked {
            root: self.locked.root,
            _lock: self.locked.lock,
            generation: self.locked.generation,
            manifest: self.manifest,
            states: self.states,
            others,
            removed,
            is_current,
        };
        let needed = checked.needed_space(self.visible.as_deref(), steps);
        space::check(checked.root.path(), needed)
            .map_err(|fault| broken(fault, checked.root.path()))?;
        Ok(checked)
    }

    /// The files of the visible generation that the manifest does not have, relative to it. Links are not
    /// followed and not kept.
    fn others(&self) -> Vec<PathBuf> {
        let Some(visible) = &self.visible else {
            return Vec::new();
        };
        let mut collisions = Collisions::default();
        for file in self.manifest.files() {
            let _ = collisions.add(file.path());
        }
        let mut others = Vec::new();
        let mut folders = vec![(visible.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                let name = entry.file_name();
                let path = format!("{prefix}{}", name.to_string_lossy());
                if kind.is_dir() {
                    folders.push((entry.path(), format!("{path}/")));
                } else if kind.is_file()
                    && let Ok(relative) = entry.path().strip_prefix(visible)
                    // Also not one that a file of the manifest replaces on some systems.
                    && (paths::check(&path).is_err() || collisions.add(&path).is_ok())
                {
                    others.push(relative.to_path_buf());
                }
            }
        }
        others.sort();
        others
    }
}

impl Candidates {
    /// Looks at some bytes. Returns what is on the disk when that is known.
    fn advance(&mut self, file: &ManifestFile, checked: &AtomicU64) -> Option<FileState> {
        let Some((_, _, hasher)) = &mut self.hashing else {
            return self.begin_next(file);
        };
        let hashed = hasher.advance();
        if let Ok(hashed @ 1..) = hashed {
            checked.fetch_add(hashed, Ordering::Relaxed);
            return None;
        }
        let (path, length, hasher) = self.hashing.take()?;
        let digests = hasher.finish();
        if hashed.is_err() {
            // A file that cannot be read is as good as missing.
            return None;
        }
        match file.blocks().filter(|_| self.looks_at_blocks) {
            None if digests == [*file.sha256()] => return Some(FileState::Held(path)),
            None => self.wrong.push((path, length)),
            Some(blocks) => {
                let expected = blocks.sha256().iter().enumerate();
                let bad: Vec<usize> = expected
                    .filter(|(index, digest)| digests.get(*index) != Some(digest))
                    .map(|(index, _)| index)
                    .collect();
                let least = self.best.as_ref().map_or(usize::MAX, |(_, bad)| bad.len());
                if bad.len() < least {
                    self.best = Some((path, bad));
                }
            }
        }
        None
    }

    fn begin_next(&mut self, file: &ManifestFile) -> Option<FileState> {
        if let Some((path, length)) = self.left.pop() {
            let hasher = match file.blocks().filter(|_| self.looks_at_blocks) {
                Some(blocks) => FileHasher::blocks(&path, length.min(file.size()), blocks.size()),
                None if length == file.size() => FileHasher::whole(&path, length),
                None => {
                    self.wrong.push((path, length));
                    return None;
                }
            };
            self.hashing = hasher.ok().map(|hasher| (path, length, hasher));
            return None;
        }
        if file.blocks().is_some() && !self.looks_at_blocks && !self.wrong.is_empty() {
            self.looks_at_blocks = true;
            self.left = std::mem::take(&mut self.wrong);
            self.left.reverse();
            return None;
        }
        let worth = |bad: &[usize]| {
            let all = file.blocks().map_or(0, |blocks| blocks.sha256().len());
            bad.len() * 4 <= all * 3
        };
        Some(match self.best.take() {
            Some((from, blocks)) if worth(&blocks) => FileState::Damaged { from, blocks },
            _ => FileState::Missing {
                partial: self.partial,
            },
        })
    }
}

impl Checked {
    /// How many bytes the patch adds to the disk at most.
    fn needed_space(&self, visible: Option<&Path>, steps: &Steps<'_>) -> u64 {
        if self.is_current {
            return 0;
        }
        let length = |path: &Path| fs::symlink_metadata(path).map_or(0, |it| it.len());
        let mut counted = HashMap::new();
        let mut needed = 0_u64;
        for (file, state) in self.manifest.files().iter().zip(&self.states) {
            let there = match state {
                FileState::Held(_) => continue,
                FileState::Damaged { .. } => length(&self.root.repair(file.sha256())),
                FileState::Missing { partial } => *partial,
            };
            if counted.insert(*file.sha256(), ()).is_none() {
                needed = needed.saturating_add(file.size().saturating_sub(there));
            }
        }
        if !self.has_links(steps) {
            needed = needed.saturating_add(self.manifest.bytes());
            for other in &self.others {
                let path = visible.map(|visible| visible.join(other));
                needed = needed.saturating_add(path.map_or(0, |path| length(&path)));
            }
        }
        needed
    }

    /// Whether the file system has hard links. Without them each new generation is a copy.
    fn has_links(&self, steps: &Steps<'_>) -> bool {
        let probe = self.root.path().join("link.tmp");
        let linked = steps.run(DiskStep::Link, || {
            fs::hard_link(self.root.path().join("patch.lock"), &probe)
        });
        let _ = steps.run(DiskStep::Remove, || fs::remove_file(&probe));
        linked.is_ok()
    }
}
