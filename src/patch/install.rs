//! Builds a new generation out of files that are on the disk, and makes it visible. Unchanged files are hard
//! links to those of the generation before, or copies where the file system has no links.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::folder::{Root, failed, sync_folder};
use crate::error::{DiskFault, DiskStep, Error};
use crate::transport::disk::{DiskWork, Steps};

/// How many files are linked in one turn of the worker.
const LINKS: usize = 32;

/// How many bytes are copied in one turn.
const SLICE: u64 = 1024 * 1024;

/// What to build.
pub(super) struct InstallPlan {
    pub(super) root: Root,
    pub(super) visible: Option<u64>,
    /// Each file: where its content is, and its path in the new generation.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
}

/// The generation that is visible now.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) folder: PathBuf,
    pub(super) generation: u64,
}

/// See the module's documentation.
pub(super) struct InstallWork {
    plan: InstallPlan,
    generation: u64,
    folder: PathBuf,
    done: usize,
    has_begun: bool,
    copying: Option<Copying>,
    folders: BTreeSet<PathBuf>,
}

struct Copying {
    from: File,
    to: File,
}

impl InstallWork {
    pub(super) fn new(plan: InstallPlan) -> Self {
        Self {
            plan,
            generation: 0,
            folder: PathBuf::new(),
            done: 0,
            has_begun: false,
            copying: None,
            folders: BTreeSet::new(),
        }
    }

    /// Does one piece. `true`: the generation is visible.
    fn advance(&mut self, steps: &Steps<'_>) -> Result<bool, Error> {
        if !self.has_begun {
            self.begin(steps)?;
            self.has_begun = true;
            return Ok(false);
        }
        for _ in 0..LINKS {
            let Some((from, path)) = self.plan.files.get(self.done).cloned() else {
                self.publish(steps)?;
                return Ok(true);
            };
            let to = self.folder.join(&path);
            let done = self
                .add(&from, &to, steps)
                .map_err(|fault| failed(fault, &to))?;
            if !done {
                return Ok(false);
            }
            self.done += 1;
        }
        Ok(false)
    }

    fn begin(&mut self, steps: &Steps<'_>) -> Result<(), Error> {
        let root = &self.plan.root;
        self.generation = root.next_generation(self.plan.visible);
        self.folder = root.generation(self.generation);
        // It must be a new folder, so that nobody can plant a link in it.
        steps
            .run(DiskStep::CreateFolder, || fs::create_dir(&self.folder))
            .map_err(|fault| failed(fault, &self.folder))?;
        self.folders.insert(self.folder.clone());
        Ok(())
    }

    /// Adds a file. `false`: more of it is to be copied.
    fn add(&mut self, from: &Path, to: &Path, steps: &Steps<'_>) -> Result<bool, DiskFault> {
        if let Some(copying) = &mut self.copying {
            let is_copied = copying.advance(steps)?;
            if is_copied {
                self.copying = None;
            }
            return Ok(is_copied);
        }
        if let Some(parent) = to.parent()
            && !self.folders.contains(parent)
        {
            steps.run(DiskStep::CreateFolder, || fs::create_dir_all(parent))?;
            let inside = |it: &&Path| it.starts_with(&self.folder);
            let new: Vec<PathBuf> = parent
                .ancestors()
                .take_while(inside)
                .map(Path::to_owned)
                .collect();
            self.folders.extend(new);
        }
        let linked = steps.run(DiskStep::Link, || fs::hard_link(from, to));
        match linked {
            Ok(()) => Ok(true),
            Err(DiskFault::Io {
                kind:
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound | io::ErrorKind::StorageFull,
                ..
            }) => linked.map(|()| true),
            // No links here, or not to there.
            Err(_) => {
                let copying = steps.run(DiskStep::Open, || {
                    Ok(Copying {
                        from: File::open(from)?,
                        to: File::create_new(to)?,
                    })
                })?;
                self.copying = Some(copying);
                Ok(false)
            }
        }
    }

    fn publish(&mut self, steps: &Steps<'_>) -> Result<(), Error> {
        for folder in &self.folders {
            sync_folder(folder);
        }
        if let Some(parent) = self.folder.parent() {
            sync_folder(parent);
        }
        self.plan.root.publish(self.generation, steps)?;
        // The generation has its own names for these files. What stays is removed by the next patch.
        let _ = steps.run(DiskStep::Remove, || {
            fs::remove_dir_all(self.plan.root.downloads())
        });
        Ok(())
    }
}

impl DiskWork for InstallWork {
    type Output = Result<Installed, Error>;

    fn turn(&mut self, steps: &Steps<'_>) -> Option<Self::Output> {
        match self.advance(steps) {
            Ok(false) => None,
            Ok(true) => Some(Ok(Installed {
                folder: self.folder.clone(),
                generation: self.generation,
            })),
            Err(error) => {
                if self.has_begun {
                    let _ = steps.run(DiskStep::Remove, || fs::remove_dir_all(&self.folder));
                }
                Some(Err(error))
            }
        }
    }
}

impl Copying {
    /// Copies some bytes. `true`: all are copied and flushed.
    fn advance(&mut self, steps: &Steps<'_>) -> Result<bool, DiskFault> {
        let copied = steps.run(DiskStep::Write, || {
            io::copy(&mut (&mut self.from).take(SLICE), &mut self.to)
        })?;
        if copied > 0 {
            return Ok(false);
        }
        steps.run(DiskStep::Sync, || {
            self.to.flush()?;
            self.to.sync_all()
        })?;
        Ok(true)
    }
}
