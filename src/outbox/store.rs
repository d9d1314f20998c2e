//! The file of an outbox, on the worker: events are appended, batches are taken from the front, and what is
//! settled is forgotten. When and where batches are sent does not belong here.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::lines::Line;
use super::{BatchFormat, Losses, OutboxLimits};
use crate::clock::system_time;
use crate::error::{DiskFault, DiskStep};
#[cfg(not(target_family = "wasm"))]
use crate::transport::disk::is_at;
use crate::transport::disk::{Steps, check_file, replace};

mod opening;

/// A file is rewritten when this much of it, and most of it, is not needed any more.
const COMPACT_BYTES: u64 = if cfg!(test) { 512 } else { 64 * 1024 };

/// An event that is not settled.
#[derive(Clone, Copy, Debug)]
struct Record {
    number: u64,
    at: u64,
    /// Where its JSON is in the file.
    offset: u64,
    length: u64,
}

/// See the module's documentation.
pub(super) struct Store {
    path: PathBuf,
    file: File,
    id: String,
    next: u64,
    records: VecDeque<Record>,
    /// The bytes of the records' JSON.
    bytes: u64,
    /// The batch that may have been sent.
    batch: Option<(u64, u64)>,
    /// Events up to this one are settled, and the file does not say so yet.
    unwritten: Option<u64>,
    length: u64,
    limits: OutboxLimits,
    losses: Losses,
}

/// A batch to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The same for the same events, also after a kill.
    pub(super) key: String,
    pub(super) last: u64,
    pub(super) count: usize,
    pub(super) body: Bytes,
}

/// Numbers for the owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StoreState {
    pub(super) waiting: usize,
    pub(super) bytes: u64,
    /// Seconds since 1970.
    pub(super) oldest: Option<u64>,
    pub(super) has_batch: bool,
    pub(super) losses: Losses,
}

fn seconds() -> u64 {
    let since = system_time().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Store {
    fn settle_in(
        records: &mut VecDeque<Record>,
        bytes: &mut u64,
        batch: &mut Option<(u64, u64)>,
        last: u64,
    ) {
        while let Some(record) = records.front()
            && record.number <= last
        {
            *bytes -= record.length;
            records.pop_front();
        }
        *batch = batch.filter(|(_, end)| *end > last);
    }

    /// Appends an event. [`shrink`](Self::shrink) follows.
    pub(super) fn append(&mut self, json: &[u8], steps: &Steps<'_>) -> Result<(), DiskFault> {
        // If this fails, the event itself says so.
        let _ = self.write_settled(steps);
        let (number, at) = (self.next, seconds());
        let mut line = Vec::with_capacity(json.len() + 48);
        Line::Event { number, at, json }.write(&mut line);
        let start = self.length;
        self.write(&line, steps)?;
        let length = json.len() as u64;
        self.records.push_back(Record {
            number,
            at,
            offset: start + line.len() as u64 - 1 - length,
            length,
        });
        self.bytes += length;
        self.next = number.saturating_add(1);
        Ok(())
    }

    /// Writes whole lines. What a failed write left is cut off, or else begins a damaged line.
    fn write(&mut self, lines: &[u8], steps: &Steps<'_>) -> Result<(), DiskFault> {
        let length = self.length;
        let file = &mut self.file;
        let written = steps.run(DiskStep::Write, || {
            file.seek(SeekFrom::Start(length))?;
            file.write_all(lines)
        });
        match written {
            Ok(()) => self.length += lines.len() as u64,
            Err(_) => {
                let _ = steps.run(DiskStep::Truncate, || file.set_len(length));
            }
        }
        written
    }

    /// Flushes what was written, for a power failure.
    pub(super) fn sync(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        self.keep_name(steps)?;
        steps.run(DiskStep::Sync, || self.file.sync_data())
    }

    /// Writes the file anew if another program removed it or put another in its place: what is written to a file
    /// without a name is found by no later run.
    fn keep_name(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        if steps.run(DiskStep::Locate, || self.has_its_name())? {
            return Ok(());
        }
        if let Some(parent) = self.path.parent() {
            steps.run(DiskStep::CreateFolder, || fs::create_dir_all(parent))?;
        }
        check_file(&self.path, steps)?;
        if let Ok(other) = File::open(&self.path)
            && matches!(other.try_lock(), Err(TryLockError::WouldBlock))
        {
            return Err(DiskFault::AlreadyInUse);
        }
        self.rewrite(steps)
    }

    #[cfg(not(target_family = "wasm"))]
    fn has_its_name(&self) -> io::Result<bool> {
        is_at(&self.file, &self.path)
    }

    #[cfg(target_family = "wasm")]
    fn has_its_name(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Gives up the oldest events that are too old, or over the limit of bytes. Events of a batch that may
    /// have been sent stay.
    pub(super) fn shrink(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        let now = seconds();
        let max_age = self.limits.age.as_secs();
        let skipped = match self.batch {
            Some((_, last)) => self.records.partition_point(|record| record.number <= last),
            None => 0,
        };
        let mut bytes = self.bytes;
        let (mut too_old, mut too_many) = (0_u64, 0_u64);
        let mut first = None;
        let mut last = 0;
        for record in self.records.iter().skip(skipped) {
            if now.saturating_sub(record.at) > max_age {
                too_old += 1;
            } else if bytes > self.limits.bytes {
                too_many += 1;
            } else {
                break;
            }
            bytes -= record.length;
            first.get_or_insert(record.number);
            last = record.number;
        }
        let Some(first) = first else {
            return Ok(());
        };
        let mut line = Vec::new();
        Line::GivenUp { first, last }.write(&mut line);
        self.write(&line, steps)?;
        let count = usize::try_from(too_old + too_many).unwrap_or(usize::MAX);
        let end = skipped.saturating_add(count).min(self.records.len());
        self.records.drain(skipped..end);
        self.bytes = bytes;
        self.losses.too_old += too_old;
        self.losses.over_limit += too_many;
        self.compact(steps)
    }

    /// The batch that may have been sent, or a new one.
    pub(super) fn batch(
        &mut self,
        format: BatchFormat,
        gzip: bool,
        steps: &Steps<'_>,
    ) -> Result<Option<Batch>, DiskFault> {
        self.shrink(steps)?;
        let Some(first) = self.records.front().map(|record| record.number) else {
            return Ok(None);
        };
        let (first, last) = match self.batch {
            Some(batch) => batch,
            None => {
                self.keep_name(steps)?;
                // Behind the line of a later batch, these events would count as part of it.
                self.write_settled(steps)?;
                let mut bytes = 0;
                let fits = self
                    .records
                    .iter()
                    .take(self.limits.batch_events)
                    .take_while(|it| {
                        let was = bytes;
                        bytes += it.length;
                        was == 0 || bytes <= self.limits.batch_bytes
                    });
                let last = fits.last().map_or(first, |record| record.number);
                let mut line = Vec::new();
                Line::Batch { first, last }.write(&mut line);
                self.write(&line, steps)?;
                self.sync(steps)?;
                self.batch = Some((first, last));
                (first, last)
            }
        };
        let records = self
            .records
            .iter()
            .take_while(|record| record.number <= last);
        let records: Vec<Record> = records.copied().collect();
        let mut body = Vec::new();
        if format == BatchFormat::JsonArray {
            body.push(b'[');
        }
        for (index, record) in records.iter().enumerate() {
            if format == BatchFormat::JsonArray && index > 0 {
                body.push(b',');
            }
            self.read_event(record, &mut body, steps)?;
            if format == BatchFormat::JsonLines {
                body.push(b'\n');
            }
        }
        if format == BatchFormat::JsonArray {
            body.push(b']');
        }
        Ok(Some(Batch {
            key: format!("{}-{first}-{last}", self.id),
            last,
            count: records.len(),
            body: compressed(body, gzip).into(),
        }))
    }

    fn read_event(
        &mut self,
        record: &Record,
        json: &mut Vec<u8>,
        steps: &Steps<'_>,
    ) -> Result<(), DiskFault> {
        let file = &mut self.file;
        steps.run(DiskStep::Read, || {
            file.seek(SeekFrom::Start(record.offset))?;
            let read = file.take(record.length).read_to_end(json)?;
            match read as u64 == record.length {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        })
    }

    /// The events up to this one were sent, or refused. On a disk that is full, too, they are not sent again.
    pub(super) fn settle(
        &mut self,
        last: u64,
        is_refused: bool,
        steps: &Steps<'_>,
    ) -> Result<(), DiskFault> {
        let before = self.records.len();
        Self::settle_in(&mut self.records, &mut self.bytes, &mut self.batch, last);
        if is_refused {
            self.losses.refused += (before - self.records.len()) as u64;
        }
        self.unwritten = Some(last);
        self.write_settled(steps)?;
        self.compact(steps)
    }

    fn write_settled(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        if let Some(last) = self.unwritten {
            let mut line = Vec::new();
            Line::Settled { last }.write(&mut line);
            self.write(&line, steps)?;
            self.unwritten = None;
        }
        Ok(())
    }

    fn compact(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        let is_worth = self.length > COMPACT_BYTES && self.length / 2 > self.bytes;
        if is_worth {
            self.rewrite(steps)
        } else {
            Ok(())
        }
    }

    /// Writes a new file with what is not settled, and puts it in the place of the old one.
    fn rewrite(&mut self, steps: &Steps<'_>) -> Result<(), DiskFault> {
        let first = self
            .records
            .front()
            .map_or(self.next, |record| record.number);
        let mut text = Vec::new();
        Line::Header {
            id: &self.id,
            next: first,
        }
        .write(&mut text);
        let mut records = VecDeque::with_capacity(self.records.len());
        for index in 0..self.records.len() {
            let record = self.records[index];
            let mut json = Vec::new();
            self.read_event(&record, &mut json, steps)?;
            let (number, at) = (record.number, record.at);
            Line::Event {
                number,
                at,
                json: &json,
            }
            .write(&mut text);
            records.push_back(Record {
                offset: text.len() as u64 - 1 - json.len() as u64,
                ..record
            });
        }
        if let Some((first, last)) = self.batch {
            Line::Batch { first, last }.write(&mut text);
        }
        let new = with_suffix(&self.path, ".new");
        // Left by a kill, or planted; `create_new` follows no link.
        let _ = steps.run(DiskStep::Remove, || fs::remove_file(&new));
        let file = steps.run(DiskStep::Write, || {
            let mut options = File::options();
            options.create_new(true).read(true).write(true);
            let mut file = options.open(&new)?;
            file.write_all(&text)?;
            Ok(file)
        });
        let file = file.and_then(|file| {
            steps.run(DiskStep::Sync, || file.sync_all())?;
            Ok(file)
        });
        if file.is_err() {
            // On a full disk it would take the space of events.
            let _ = steps.run(DiskStep::Remove, || fs::remove_file(&new));
        }
        let file = file?;
        // Held until the old file is closed, so that no other process takes the place.
        let _ = file.try_lock();
        if cfg!(windows) {
            // Only a file that is closed can be replaced on all of its file systems.
            self.file = steps.run(DiskStep::Open, || file.try_clone())?;
        }
        let renamed = steps.run(DiskStep::Rename, || replace(&new, &self.path));
        if renamed.is_err()
            && let Some(old) = self.reopened()
        {
            self.file = old;
            drop(file);
            let _ = steps.run(DiskStep::Remove, || fs::remove_file(&new));
            return renamed;
        }
        self.file = file;
        self.length = text.len() as u64;
        self.records = records;
        self.unwritten = None;
        renamed
    }

    /// The file that could not be replaced. `None` if it cannot be opened any more: the new one has the same
    /// events.
    fn reopened(&self) -> Option<File> {
        if !cfg!(windows) {
            return self.file.try_clone().ok();
        }
        let mut options = File::options();
        let old = options.read(true).write(true).open(&self.path).ok()?;
        let _ = old.try_lock();
        Some(old)
    }

    pub(super) fn state(&self) -> StoreState {
        StoreState {
            waiting: self.records.len(),
            bytes: self.bytes,
            oldest: self.records.front().map(|record| record.at),
            has_batch: self.batch.is_some(),
            losses: self.losses,
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut longer = path.as_os_str().to_owned();
    longer.push(suffix);
    longer.into()
}

#[cfg(feature = "gzip")]
fn compressed(body: Vec<u8>, gzip: bool) -> Vec<u8> {
    if !gzip {
        return body;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(&body);
    encoder.finish().unwrap_or_default()
}

#[cfg(not(feature = "gzip"))]
fn compressed(body: Vec<u8>, _gzip: bool) -> Vec<u8> {
    body
}
