//! Opens the file of an outbox and reads what an earlier run left in it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use super::{Record, Store};
use crate::error::{DiskFault, DiskStep};
use crate::outbox::lines::Line;
use crate::outbox::{Losses, OutboxLimits};
use crate::transport::disk::{Steps, check_file};

impl Store {
    /// Opens the file and reads what is in it, or makes one.
    pub(in crate::outbox) fn open(
        path: PathBuf,
        id: String,
        limits: OutboxLimits,
        steps: &Steps<'_>,
    ) -> Result<Self, DiskFault> {
        if let Some(parent) = path.parent() {
            steps.run(DiskStep::CreateFolder, || fs::create_dir_all(parent))?;
        }
        check_file(&path, steps)?;
        let file = steps.run(DiskStep::Open, || {
            let mut options = File::options();
            options.create(true).truncate(false).read(true).write(true);
            let file = options.open(&path)?;
            match file.try_lock() {
                Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
                // Some file systems have no locks.
                Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
            }
        });
        let file = match file {
            Err(DiskFault::Io {
                kind: io::ErrorKind::ResourceBusy,
                ..
            }) => return Err(DiskFault::AlreadyInUse),
            file => file?,
        };
        // A link of the caller stays: what it leads to is written anew.
        let is_link = fs::symlink_metadata(&path).is_ok_and(|it| it.is_symlink());
        let path = match is_link {
            true => steps.run(DiskStep::Locate, || fs::canonicalize(&path))?,
            false => path,
        };
        let mut store = Self {
            path,
            file,
            id,
            next: 1,
            records: VecDeque::new(),
            bytes: 0,
            batch: None,
            unwritten: None,
            length: 0,
            limits,
            losses: Losses::default(),
        };
        let has_header = steps.run(DiskStep::Read, || store.read())?;
        if !has_header {
            store.rewrite(steps)?;
        }
        let length = store.length;
        steps.run(DiskStep::Truncate, || store.file.set_len(length))?;
        Ok(store)
    }

    /// Reads the lines. Returns whether the file has a valid first line.
    fn read(&mut self) -> io::Result<bool> {
        let file = self.file.try_clone()?;
        let mut reader = BufReader::new(file);
        let mut has_header = false;
        let mut offset = 0;
        let mut line = Vec::new();
        // A longer line is damaged; nothing of it is kept in memory.
        let longest = (self.limits.event_bytes as u64).saturating_add(64);
        let mut damaged = 0;
        let mut unended = None;
        loop {
            line.clear();
            let read = reader.by_ref().take(longest).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                break;
            }
            let start = offset;
            offset += read;
            if line.pop() != Some(b'\n') {
                // Torn at the end of the file, or longer than any line.
                damaged += u64::from(unended.is_none());
                unended.get_or_insert(start);
                continue;
            }
            if unended.take().is_some() {
                // The end of a line that is too long.
                continue;
            }
            match Line::parse(&line) {
                Some(Line::Header { id, next }) if !has_header => {
                    has_header = true;
                    self.id = id.to_owned();
                    self.next = next;
                }
                Some(Line::Event { number, at, json }) if has_header && number >= self.next => {
                    let length = json.len() as u64;
                    self.records.push_back(Record {
                        number,
                        at,
                        offset: start + line.len() as u64 - length,
                        length,
                    });
                    self.bytes += length;
                    self.next = number.saturating_add(1);
                }
                Some(Line::Batch { first, last }) if has_header => self.batch = Some((first, last)),
                Some(Line::Settled { last }) if has_header => {
                    self.next = self.next.max(last.saturating_add(1));
                    Self::settle_in(&mut self.records, &mut self.bytes, &mut self.batch, last);
                }
                Some(Line::GivenUp { first, last }) if has_header => {
                    self.next = self.next.max(last.saturating_add(1));
                    let bytes = &mut self.bytes;
                    self.records.retain(|record| {
                        let stays = !(first..=last).contains(&record.number);
                        if !stays {
                            *bytes -= record.length;
                        }
                        stays
                    });
                }
                _ => damaged += 1,
            }
        }
        // The next event must not continue a torn line.
        self.length = unended.unwrap_or(offset);
        self.losses.damaged += damaged;
        Ok(has_header)
    }
}
