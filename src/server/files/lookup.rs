//! [`FileLookup`]: what the worker does for a response that comes from a disk: it finds the file among the roots,
//! or opens the file of a path, and reads it ahead of the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::Method;

use super::body::AssetBody;
use super::file_plan::{FileBody, FilePlan};
use super::site::FileRoots;
use crate::error::{DiskFault, Error, ErrorKind};
use crate::proto::FieldLines;
use crate::server::fault::{ServerFault, panic_text};
use crate::server::target::path_of;
use crate::transport::disk::{
    Disk, FileSource, FirstBlock, Opening, ReadAhead, ReadSource, Rest, Steps,
};
use crate::transport::wake::Wake;

/// A file on its way from a disk to a client.
pub(in crate::server) type FileReader = ReadAhead<FileLookup>;

/// See the module's documentation.
pub(in crate::server) struct FileLookup {
    /// What errors are about.
    path: PathBuf,
    source: Source,
}

enum Source {
    Roots(Box<Wanted>),
    Path(FileSource),
    Asset(AssetBody),
    Nothing,
}

/// A request, as far as it decides which file is sent.
struct Wanted {
    roots: Arc<FileRoots>,
    method: Method,
    target: String,
    fields: FieldLines,
    now: SystemTime,
}

/// What was found.
pub(in crate::server) enum FileFound {
    Nothing,
    /// The planned response. Its content is [`FileBody::Empty`] where the reader has it.
    Plan(Box<FilePlan>, PlanContent),
    /// The file of a path, with its length.
    File(u64),
}

/// Where the content of a planned response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum PlanContent {
    InPlan,
    InReader,
}

/// Why a file was not found or not sent.
#[derive(Clone, Debug)]
pub(in crate::server) enum FileFault {
    /// A root of the caller's panicked.
    Panicked(String),
    Failed(Error),
}

impl FileFault {
    pub(in crate::server) fn into_fault(self) -> ServerFault {
        match self {
            Self::Panicked(text) => ServerFault::Panicked(text),
            Self::Failed(error) => ServerFault::Response(Box::new(error)),
        }
    }
}

impl From<DiskFault> for FileFault {
    fn from(fault: DiskFault) -> Self {
        Self::Failed(ErrorKind::File(fault).into())
    }
}

impl FileLookup {
    /// Lets the worker find the file that a request means.
    pub(in crate::server) fn among(
        roots: &Arc<FileRoots>,
        (method, target, fields): (&Method, &str, &FieldLines),
        now: SystemTime,
        disk: &Disk,
        notify: Wake,
    ) -> FileReader {
        let lookup = Self {
            path: path_of(target).into(),
            source: Source::Roots(Box::new(Wanted {
                roots: Arc::clone(roots),
                method: method.clone(),
                target: target.to_owned(),
                fields: fields.clone(),
                now,
            })),
        };
        ReadAhead::start(disk, lookup, FirstBlock::WithOpening, Some(notify))
    }

    /// Lets the worker open the file at a path.
    pub(in crate::server) fn at(path: PathBuf, disk: &Disk, notify: Wake) -> FileReader {
        match FileSource::named(&path) {
            Ok(file) => {
                let lookup = Self {
                    path,
                    source: Source::Path(file),
                };
                ReadAhead::start(disk, lookup, FirstBlock::WithOpening, Some(notify))
            }
            Err(fault) => ReadAhead::failed(disk, failed(&path, fault)),
        }
    }

    fn find(&mut self, wanted: &Wanted) -> Result<Opening<FileFound>, FileFault> {
        let Wanted {
            roots,
            method,
            target,
            fields,
            now,
        } = wanted;
        let plan = guarded(|| roots.plan(method, target, fields, *now))?;
        let Some(mut plan) = plan else {
            return Ok(Opening {
                opened: FileFound::Nothing,
                rest: Rest::End,
            });
        };
        let (content, rest) = match std::mem::replace(&mut plan.body, FileBody::Empty) {
            FileBody::Asset(body) => {
                plan.body = FileBody::Bytes(Bytes::new());
                self.source = Source::Asset(body);
                let is_empty = plan.length == Some(0);
                let rest = if is_empty { Rest::End } else { Rest::More };
                (PlanContent::InReader, rest)
            }
            body => {
                plan.body = body;
                (PlanContent::InPlan, Rest::End)
            }
        };
        Ok(Opening {
            opened: FileFound::Plan(Box::new(plan), content),
            rest,
        })
    }
}

impl ReadSource for FileLookup {
    type Opened = FileFound;
    type Fault = FileFault;

    fn open(&mut self, steps: &Steps<'_>) -> Result<Opening<FileFound>, FileFault> {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Roots(wanted) => self.find(&wanted),
            Source::Path(mut file) => {
                let opening = file.open(steps);
                let opening = opening.map_err(|fault| failed(&self.path, fault))?;
                self.source = Source::Path(file);
                Ok(Opening {
                    opened: FileFound::File(opening.opened),
                    rest: opening.rest,
                })
            }
            Source::Asset(_) | Source::Nothing => Ok(Opening {
                opened: FileFound::Nothing,
                rest: Rest::End,
            }),
        }
    }

    fn read(
        &mut self,
        most: usize,
        block: &mut Vec<u8>,
        steps: &Steps<'_>,
    ) -> Result<Rest, FileFault> {
        match &mut self.source {
            Source::Path(file) => file
                .read(most, block, steps)
                .map_err(|fault| failed(&self.path, fault)),
            Source::Asset(body) => {
                let read = guarded(|| body.read_block(most, &mut *block))
                    // The block may hold bytes that were never read.
                    .inspect_err(|_| block.clear())?;
                read.map_err(|error| {
                    let (fault, source) = error.into_parts();
                    let error = Error::new(ErrorKind::File(fault)).about_file(&self.path);
                    FileFault::Failed(error.with_source(source))
                })
            }
            Source::Roots(_) | Source::Nothing => Ok(Rest::End),
        }
    }
}

/// Runs code of the caller's root on the worker, which must survive its panic.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, FileFault> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|payload| FileFault::Panicked(panic_text(&*payload)))
}

fn failed(path: &Path, fault: DiskFault) -> FileFault {
    FileFault::Failed(Error::new(ErrorKind::File(fault)).about_file(path))
}
