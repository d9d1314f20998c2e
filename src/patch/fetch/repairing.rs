//! The steps of a repair: copy the damaged file, request ranges with its bad blocks, write them, check the whole.

use std::sync::Arc;

use super::{Fetching, MAX_FAILURES, Work};
use crate::agent::{Agent, Response};
use crate::error::Error;
use crate::patch::manifest::ManifestFile;
use crate::patch::repair::{self, BlockToWrite, RepairStep, RepairWork, Repaired};
use crate::semantics::byteranges;
use crate::semantics::range::RangeSpec;
use crate::transport::disk::DiskJob;

/// What a response to a range request may have besides the ranges: the delimiters and fields of its parts.
const PART_HEADS: u64 = 64 * 1024;

impl Fetching {
    pub(super) fn start_step(
        &mut self,
        content: usize,
        file: &ManifestFile,
        step: RepairStep,
    ) -> Result<(), Error> {
        let path = self.checked.root.repair(file.sha256());
        let failed = |fault| crate::patch::folder::failed(fault, &path);
        let work = RepairWork::new(path.clone(), step);
        let mut job = DiskJob::start(&self.disk, work).map_err(failed)?;
        if self.settings.is_paused {
            job.set_paused(true).map_err(failed)?;
        }
        self.replace(content, Some(Work::Disk(job)));
        Ok(())
    }

    pub(super) fn on_repaired(
        &mut self,
        content: usize,
        repaired: Repaired,
        agent: &mut Agent,
    ) -> Result<(), Error> {
        let manifest = Arc::clone(&self.checked.manifest);
        let file = self.file(&manifest, content)?;
        match repaired {
            Repaired::Copied => self.next_ranges(content, file, agent),
            Repaired::Wrote(blocks) => {
                if blocks.is_empty() {
                    return self.on_no_block(content, file, agent);
                }
                let state = &mut self.contents[content];
                state.failures = 0;
                state.note_written(file, &blocks);
                self.next_ranges(content, file, agent)
            }
            Repaired::Finished => {
                self.finish(content, file);
                Ok(())
            }
            Repaired::WrongDigest => {
                self.download_instead(content);
                Ok(())
            }
        }
    }

    /// Asks for more blocks, or ends the repair.
    fn next_ranges(
        &mut self,
        content: usize,
        file: &ManifestFile,
        agent: &mut Agent,
    ) -> Result<(), Error> {
        let repair = self.contents[content].repair.as_ref();
        let missing = repair.into_iter().flat_map(|repair| &repair.missing);
        let ranges = repair::next_ranges(file, missing, self.one_range);
        if ranges.is_empty() {
            let step = RepairStep::Finish {
                to: self.checked.root.content(file.sha256()),
                sha256: *file.sha256(),
                size: file.size(),
            };
            return self.start_step(content, file, step);
        }
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let specs: Vec<RangeSpec> = ranges.into_iter().map(RangeSpec::Bytes).collect();
        let request = self.request(file)?;
        let request = request.ranges(&specs).max_body(bytes + PART_HEADS);
        let handle = self.send(request, agent)?;
        self.replace(content, Some(Work::Ranges(handle)));
        Ok(())
    }

    pub(super) fn on_ranges(
        &mut self,
        content: usize,
        file: &ManifestFile,
        response: &Response,
        agent: &mut Agent,
    ) -> Result<(), Error> {
        if response.status().as_u16() != 206 {
            self.download_instead(content);
            return Ok(());
        }
        let parts = byteranges::parts(response.headers(), response.body(), repair::MAX_RANGES + 1);
        let repair = self.contents[content].repair.as_ref();
        let missing = repair.into_iter().flat_map(|repair| &repair.missing);
        let found = repair::blocks_in(file, missing, &parts.unwrap_or_default());
        let hashes = file.blocks().map_or(&[][..], |blocks| blocks.sha256());
        let blocks: Vec<BlockToWrite> = found
            .into_iter()
            .filter_map(|(block, bytes)| {
                let offset = file.blocks()?.range(block, file.size()).start;
                let sha256 = *hashes.get(block)?;
                Some(BlockToWrite {
                    block,
                    offset,
                    bytes,
                    sha256,
                })
            })
            .collect();
        if blocks.is_empty() {
            return self.on_no_block(content, file, agent);
        }
        self.start_step(content, file, RepairStep::Write(blocks))
    }

    /// A response brought no block that can be used.
    fn on_no_block(
        &mut self,
        content: usize,
        file: &ManifestFile,
        agent: &mut Agent,
    ) -> Result<(), Error> {
        let state = &mut self.contents[content];
        state.failures += 1;
        if state.failures >= MAX_FAILURES {
            state.failures = 0;
            self.download_instead(content);
            return Ok(());
        }
        self.one_range = true;
        self.next_ranges(content, file, agent)
    }
}
