//! [`Downloading`]: a response on its way into a file. It knows what an earlier attempt left, asks for the rest (RFC
//! 9110 §14.2, §13.1.5), and says what a response's head means for the file. `transport::disk` writes the file, on a
//! thread of its own.

use bytes::Bytes;

use super::download::Download;
use super::response::SavedFile;
use super::validators::{has_length, is_same_version, strong, validator};
use crate::error::{DiskFault, Error, ErrorKind};
use crate::limits::Limit;
use crate::proto::ResponseHead;
use crate::semantics::range::{ContentRange, RangeSpec, range_field};
use crate::transport::disk::{Committed, Disk, DownloadFile, Resumable};

/// How many parts a server may send that end before the content does. More of them fail the download, so
/// that a server cannot keep it busy for ever.
const MAX_SHORT_PARTS: u32 = 64;

/// A download under way.
pub(crate) struct Downloading {
    plan: Download,
    file: DownloadFile,
    /// What may be continued, from an earlier run or from the attempt before.
    held: Option<Resumable>,
    resumed_from: u64,
    if_range: Option<String>,
    /// Where the content ends, if the response has only a part of it (RFC 9110 §15.3.7).
    part_end: Option<u64>,
    /// How many parts ended before the end of the content.
    short_parts: u32,
    /// What arrived is not worth keeping.
    is_spoiled: bool,
}

/// What a response means for a download.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeadDecision {
    /// Its content goes to the file.
    Write,
    /// The file is already whole.
    Complete,
    /// The download cannot continue like this: the whole content must be requested.
    Restart,
}

impl Downloading {
    /// `goes_on`: an earlier part of this very request left something that can be continued.
    pub(crate) fn open(disk: &Disk, plan: &Download, identity: String, goes_on: bool) -> Self {
        let mut file_plan = plan.file(identity);
        file_plan.resume |= goes_on;
        let file = DownloadFile::open(disk, file_plan);
        Self {
            plan: plan.clone(),
            file,
            held: None,
            resumed_from: 0,
            if_range: None,
            part_end: None,
            short_parts: 0,
            is_spoiled: false,
        }
    }

    /// Removes what was put away for a download that will not continue, unless it is to be kept.
    pub(crate) fn remove_suspended(disk: &Disk, plan: &Download, identity: String) {
        if !plan.keeps_partial() {
            DownloadFile::remove(disk, plan.file(identity));
        }
    }

    /// Whether the file is open. Then it is known what may be continued.
    pub(crate) fn poll_opened(&mut self) -> Result<bool, Error> {
        match self.file.poll_opened() {
            None => Ok(self.held.is_some()),
            Some(Ok(held)) => {
                self.hold(held);
                Ok(true)
            }
            Some(Err(fault)) => Err(self.failed(fault)),
        }
    }

    /// Whether the target exists already as it should be.
    pub(crate) fn is_present(&self) -> bool {
        self.file.is_present()
    }

    fn failed(&self, fault: DiskFault) -> Error {
        Error::new(ErrorKind::File(fault)).about_file(self.file.target())
    }

    fn hold(&mut self, held: Resumable) {
        let validator = held.validator.as_ref().and_then(strong);
        self.if_range = validator.filter(|_| held.offset > 0);
        self.held = Some(held);
    }

    /// Prepares the next attempt, which continues after what this one brought.
    pub(crate) fn interrupt(&mut self) {
        if let Some(held) = &mut self.held {
            held.offset = self.file.length();
            let held = held.clone();
            self.hold(held);
        }
    }

    /// Forgets what may be continued.
    pub(crate) fn start_afresh(&mut self) {
        self.hold(Resumable::default());
    }

    /// The `Range` to request.
    pub(crate) fn range(&self) -> Option<String> {
        let offset = self.held.as_ref()?.offset;
        self.if_range.as_ref()?;
        range_field(&[RangeSpec::From(offset)])
    }

    /// The validator that the range depends on.
    pub(crate) fn if_range(&self) -> Option<&str> {
        self.if_range.as_deref()
    }

    /// How many bytes may be continued.
    pub(crate) fn held(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.offset)
    }

    pub(crate) fn resumed_from(&self) -> u64 {
        self.resumed_from
    }

    /// What this response means.
    pub(crate) fn decide(&self, head: &ResponseHead) -> HeadDecision {
        let is_continuing = self.if_range.is_some();
        let offset = self.held.as_ref().map_or(0, |held| held.offset);
        let range = head
            .fields
            .get("content-range")
            .and_then(ContentRange::parse);
        let total = self.held.as_ref().and_then(|held| held.total);
        match (head.status.as_u16(), range) {
            (206, Some(ContentRange::Part { range, complete }))
                if range.start == offset
                    && (total.is_none() || complete.is_none() || total == complete)
                    && has_length(&head.fields, &range)
                    && self
                        .if_range
                        .as_ref()
                        .is_none_or(|version| is_same_version(&head.fields, version)) =>
            {
                HeadDecision::Write
            }
            (206, _) if is_continuing => HeadDecision::Restart,
            // A part that claims to be the whole.
            (200, Some(ContentRange::Part { range, complete }))
                if is_continuing && (range.start > 0 || complete != Some(range.end)) =>
            {
                HeadDecision::Restart
            }
            (416, Some(ContentRange::Unsatisfied { complete }))
                if is_continuing && complete == offset =>
            {
                HeadDecision::Complete
            }
            (416, _) if is_continuing => HeadDecision::Restart,
            _ => HeadDecision::Write,
        }
    }

    /// Begins to write the content of this response. `is_plain`: no coding is decoded, so that offsets in
    /// the file are offsets in the content.
    pub(crate) fn begin(
        &mut self,
        head: &ResponseHead,
        content_length: Option<u64>,
        is_plain: bool,
    ) -> Result<(), Error> {
        let range = head
            .fields
            .get("content-range")
            .and_then(ContentRange::parse);
        let mut part_end = None;
        let (offset, total) = match (head.status.as_u16(), range) {
            (206, Some(ContentRange::Part { range, complete })) => {
                part_end = Some(range.end);
                let known = self.held.as_ref().and_then(|held| held.total);
                (range.start, complete.or(known.filter(|_| range.start > 0)))
            }
            // Content-Range means nothing on a 200 (RFC 9110 §14.4), but a server that sends one sends
            // what it says: such a part is never taken for the whole.
            (200, Some(ContentRange::Part { range, complete })) if is_plain => {
                (range.start, complete.or(content_length))
            }
            _ => (0, content_length.filter(|_| is_plain)),
        };
        self.part_end = part_end;
        if let (Some(total), Some(most)) = (total, self.plan.size_limit())
            && total > most
        {
            return Err(self.too_large(most));
        }
        // A part need not repeat the validator (RFC 9110 §15.3.7).
        let known = self.held.take().and_then(|held| held.validator);
        let validator = is_plain
            .then(|| validator(&head.fields).or(known.filter(|_| offset > 0)))
            .flatten();
        self.resumed_from = offset;
        self.file.begin(offset, validator.clone(), total);
        self.hold(Resumable {
            offset,
            validator,
            total,
        });
        Ok(())
    }

    /// Whether the content that ended was a part, and the rest of it can be requested.
    pub(crate) fn is_short(&self) -> bool {
        let Some(held) = &self.held else {
            return false;
        };
        let received = self.file.length();
        self.part_end == Some(received)
            && self.short_parts < MAX_SHORT_PARTS
            && held.total.is_none_or(|total| received < total)
            && held.validator.as_ref().and_then(strong).is_some()
    }

    /// Prepares the request for the rest, after a [short](Self::is_short) part.
    pub(crate) fn continue_part(&mut self) {
        self.short_parts += 1;
        self.interrupt();
    }

    pub(crate) fn room(&self) -> usize {
        self.file.room()
    }

    pub(crate) fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if let Some(fault) = self.file.poll_fault() {
            return Err(self.failed(fault));
        }
        self.file.write(bytes);
        match self.plan.size_limit() {
            Some(most) if self.file.length() > most => Err(self.too_large(most)),
            _ => Ok(()),
        }
    }

    fn too_large(&mut self, most: u64) -> Error {
        self.is_spoiled = true;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        ErrorKind::Limit(Limit::FileBytes(most)).into()
    }

    pub(crate) fn poll_fault(&mut self) -> Option<Error> {
        self.file.poll_fault().map(|fault| self.failed(fault))
    }

    pub(crate) fn commit(&mut self) {
        self.file.commit();
    }

    /// The file, once it has the target's name.
    pub(crate) fn poll_committed(&mut self) -> Option<Result<SavedFile, Error>> {
        Some(match self.file.poll_committed()? {
            Ok(Committed {
                path,
                bytes,
                sha256,
            }) => Ok(SavedFile {
                path,
                bytes,
                resumed_from: self.resumed_from,
                sha256,
                is_unchanged: self.file.is_present(),
            }),
            Err(fault) => Err(self.failed(fault)),
        })
    }

    /// Ends the download before it is whole. What arrived is kept if the plan says so, together with what
    /// still waits to be written, which dropping would lose.
    pub(crate) fn leave(self) {
        if self.plan.keeps_partial() && !self.is_spoiled {
            self.file.suspend();
        }
    }

    /// Keeps what arrived for a later run, whatever the plan says.
    pub(crate) fn suspend(self) {
        self.file.suspend();
    }
}

impl std::fmt::Debug for Downloading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Downloading(from {})", self.resumed_from)
    }
}
