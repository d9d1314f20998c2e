//! Repairs one content: its good blocks are on the disk, the others are fetched by ranges. Which requests are
//! sent next is in `fetch`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::digest::Digest;
use super::folder::failed;
use super::hasher::FileHasher;
use super::manifest::ManifestFile;
use crate::error::{DiskFault, DiskStep, Error};
use crate::semantics::byteranges::ByteRange;
use crate::transport::disk::{DiskWork, Steps, replace};

/// The most ranges in a request. httpoll's server and many others respond to more as if none were asked for.
pub(super) const MAX_RANGES: usize = 16;

/// The most bytes that one request asks for: they are held in memory.
const MAX_BATCH: u64 = 2 * 1024 * 1024;

/// How many bytes are copied in one turn of the worker.
const SLICE: u64 = 1024 * 1024;

/// The ranges of the next request, which have some of the missing blocks. `one`: the server sends only one
/// range at a time.
pub(super) fn next_ranges<'a>(
    file: &ManifestFile,
    missing: impl IntoIterator<Item = &'a usize>,
    one: bool,
) -> Vec<Range<u64>> {
    let Some(blocks) = file.blocks() else {
        return Vec::new();
    };
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut bytes = 0;
    for block in missing {
        let range = blocks.range(*block, file.size());
        let length = range.end - range.start;
        if bytes > 0 && bytes + length > MAX_BATCH {
            break;
        }
        let is_full = ranges.len() == if one { 1 } else { MAX_RANGES };
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if is_full => break,
            _ => ranges.push(range),
        }
        bytes += length;
    }
    ranges
}

/// The missing blocks, which are in order, that are whole in these parts.
pub(super) fn blocks_in<'a>(
    file: &ManifestFile,
    missing: impl IntoIterator<Item = &'a usize>,
    parts: &[ByteRange],
) -> Vec<(usize, Bytes)> {
    let Some(blocks) = file.blocks() else {
        return Vec::new();
    };
    let whole = |block: &usize| {
        let range = blocks.range(*block, file.size());
        let part = parts
            .iter()
            .find(|part| part.range.start <= range.start && range.end <= part.range.end)?;
        let start = usize::try_from(range.start - part.range.start).ok()?;
        let length = usize::try_from(range.end - range.start).ok()?;
        let bytes = part.bytes.slice(start..start.checked_add(length)?);
        Some((*block, bytes))
    };
    // Many more blocks may be missing than a response has.
    let end = parts.iter().map(|part| part.range.end).max();
    let may_be_in = |block: &&usize| Some(blocks.range(**block, file.size()).end) <= end;
    missing
        .into_iter()
        .take_while(may_be_in)
        .filter_map(whole)
        .collect()
}

/// One step of a repair.
pub(super) enum RepairStep {
    /// Copies the file with the good blocks.
    Copy { from: PathBuf, size: u64 },
    /// Checks blocks and writes those that are right.
    Write(Vec<BlockToWrite>),
    /// Checks the whole content and gives it its name.
    Finish {
        to: PathBuf,
        sha256: Digest,
        size: u64,
    },
}

/// A block that arrived.
pub(super) struct BlockToWrite {
    pub(super) block: usize,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    pub(super) sha256: Digest,
}

/// What a step brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repaired {
    Copied,
    /// These blocks are written; others were not as in the manifest.
    Wrote(Vec<usize>),
    Finished,
    /// All blocks are right and the whole is not: the manifest contradicts itself.
    WrongDigest,
}

/// See the module's documentation.
pub(super) struct RepairWork {
    /// The file that is repaired.
    path: PathBuf,
    step: RepairStep,
    copying: Option<(io::Take<File>, File)>,
    hashing: Option<FileHasher>,
}

impl RepairWork {
    pub(super) fn new(path: PathBuf, step: RepairStep) -> Self {
        Self {
            path,
            step,
            copying: None,
            hashing: None,
        }
    }

    fn advance(&mut self, steps: &Steps<'_>) -> Result<Option<Repaired>, DiskFault> {
        match &self.step {
            RepairStep::Copy { from, size } => {
                let (from, size) = (from.clone(), *size);
                self.copy(&from, size, steps)
            }
            RepairStep::Write(_) => self.write(steps).map(Some),
            RepairStep::Finish { to, sha256, size } => {
                let hashing = match &mut self.hashing {
                    Some(hashing) => hashing,
                    slot => slot.insert(
                        steps.run(DiskStep::Open, || FileHasher::whole(&self.path, *size))?,
                    ),
                };
                if steps.run(DiskStep::Read, || hashing.advance())? > 0 {
                    return Ok(None);
                }
                let digests = self.hashing.take().map(FileHasher::finish);
                if digests.as_deref() != Some(&[*sha256]) {
                    steps.run(DiskStep::Remove, || fs::remove_file(&self.path))?;
                    return Ok(Some(Repaired::WrongDigest));
                }
                steps.run(DiskStep::Sync, || {
                    File::options().write(true).open(&self.path)?.sync_all()
                })?;
                steps.run(DiskStep::Rename, || replace(&self.path, to))?;
                Ok(Some(Repaired::Finished))
            }
        }
    }

    fn copy(
        &mut self,
        from: &PathBuf,
        size: u64,
        steps: &Steps<'_>,
    ) -> Result<Option<Repaired>, DiskFault> {
        if *from == self.path {
            steps.run(DiskStep::Truncate, || {
                File::options().write(true).open(&self.path)?.set_len(size)
            })?;
            return Ok(Some(Repaired::Copied));
        }
        let Some((source, target)) = &mut self.copying else {
            self.copying = Some(steps.run(DiskStep::Open, || {
                let _ = fs::remove_file(&self.path);
                Ok((File::open(from)?.take(size), File::create_new(&self.path)?))
            })?);
            return Ok(None);
        };
        let copied = steps.run(DiskStep::Write, || {
            io::copy(&mut source.by_ref().take(SLICE), target)
        })?;
        if copied > 0 {
            return Ok(None);
        }
        steps.run(DiskStep::Truncate, || target.set_len(size))?;
        self.copying = None;
        Ok(Some(Repaired::Copied))
    }

    fn write(&self, steps: &Steps<'_>) -> Result<Repaired, DiskFault> {
        let RepairStep::Write(blocks) = &self.step else {
            return Ok(Repaired::Wrote(Vec::new()));
        };
        let mut file = steps.run(DiskStep::Open, || {
            File::options().write(true).open(&self.path)
        })?;
        let mut written = Vec::with_capacity(blocks.len());
        for block in blocks {
            let digest: Digest = Sha256::digest(&block.bytes).into();
            if digest == block.sha256 {
                steps.run(DiskStep::Write, || {
                    file.seek(SeekFrom::Start(block.offset))?;
                    file.write_all(&block.bytes)
                })?;
                written.push(block.block);
            }
        }
        Ok(Repaired::Wrote(written))
    }
}

impl DiskWork for RepairWork {
    type Output = Result<Repaired, Error>;

    fn turn(&mut self, steps: &Steps<'_>) -> Option<Self::Output> {
        let result = self.advance(steps);
        result
            .map_err(|fault| failed(fault, &self.path))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::manifest::BlockHashes;
    use crate::transport::disk::{Disk, DiskJob};

    fn file(blocks: usize, size: u64) -> ManifestFile {
        ManifestFile::new("a", size, [0; 32])
            .with_blocks(BlockHashes::new(1000, vec![[0; 32]; blocks]))
    }

    #[test]
    fn neighboring_blocks_are_one_range_and_a_request_has_limits() {
        let small = file(5, 4500);
        assert_eq!(
            next_ranges(&small, &[1, 2, 4], false),
            [1000..3000, 4000..4500]
        );
        assert_eq!(next_ranges(&small, &[1, 2, 4], true), vec![1000..3000; 1]);
        assert_eq!(next_ranges(&small, &[], false), []);
        let large = file(100, 100_000);
        let even: Vec<usize> = (0..50).map(|it| it * 2).collect();
        assert_eq!(next_ranges(&large, &even, false).len(), MAX_RANGES);
        let huge = file(5000, 5_000_000);
        let all: Vec<usize> = (0..5000).collect();
        let ranges = next_ranges(&huge, &all, false);
        assert_eq!(ranges, vec![0..MAX_BATCH / 1000 * 1000; 1]);
    }

    #[test]
    fn a_block_with_another_hash_is_not_written() {
        let name = format!("httpoll-repair-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, [b'-'; 6]).unwrap();
        let block = |block: usize, sha256: Digest| BlockToWrite {
            block,
            offset: 3 * block as u64,
            bytes: Bytes::from_static(b"new"),
            sha256,
        };
        let right: Digest = Sha256::digest(b"new").into();
        let step = RepairStep::Write(vec![block(0, [1; 32]), block(1, right)]);
        let work = RepairWork::new(path.clone(), step);
        let mut job = DiskJob::start(&Disk::inline(), work).unwrap();
        assert_eq!(job.poll().unwrap().unwrap(), Repaired::Wrote(vec![1]));
        assert_eq!(fs::read(&path).unwrap(), b"---new");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn only_whole_blocks_are_taken_out_of_the_parts() {
        let file = file(3, 2500);
        let part = |range: Range<u64>| ByteRange {
            bytes: vec![b'x'; (range.end - range.start) as usize].into(),
            range,
        };
        let found = |missing: &[usize], parts: &[ByteRange]| {
            let blocks = blocks_in(&file, missing, parts);
            let lengths = blocks.iter().map(|(block, bytes)| (*block, bytes.len()));
            lengths.collect::<Vec<_>>()
        };
        assert_eq!(
            found(&[0, 2], &[part(2000..2500), part(0..1000)]),
            [(0, 1000), (2, 500)]
        );
        assert_eq!(found(&[0, 1], &[part(500..2000)]), [(1, 1000)]);
        assert_eq!(found(&[0, 1], &[part(0..1500)]), [(0, 1000)]);
        assert_eq!(found(&[2], &[part(0..2000)]), []);
    }
}
