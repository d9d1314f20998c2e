//! A response that becomes a file: what the caller wants ([`Download`]), and the state of it
//! ([`Downloading`]). The file itself is written by `transport::disk`, on a thread of its own.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::response::SavedFile;
use super::validators::{has_length, is_same_version, strong, validator};
use crate::error::{DiskFault, Error, ErrorKind};
use crate::limits::Limit;
use crate::proto::ResponseHead;
use crate::semantics::range::{ContentRange, RangeSpec, range_field};
use crate::transport::disk::{Committed, Disk, DownloadFile, FilePlan, Resumable};

/// A file to write a response's content to.
///
/// Missing parent folders are created. The content goes to a temporary file next to the target. When the
/// content is whole and was checked, the file is flushed to disk and renamed, so that half a file never
/// has the target's name, and an older target stays until then. A failed download leaves nothing behind,
/// unless [`keep_partial`](Self::keep_partial) is set. A status other than 2xx is a failure.
///
/// When the disk is full, the download fails and leaves nothing, whatever it was to keep, so that it does not take the
/// last space from everything else. If the agent has a larger download under way, that one fails first, and the
/// smaller ones go on.
///
/// ```
/// use httpoll::{Download, Request};
///
/// let request = Request::get("https://cdn.example/levels.pak")
///     .download_to(Download::to("assets/levels.pak").resume(true));
/// # let _ = request;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    path: PathBuf,
    keep_partial: bool,
    resume: bool,
    expected_size: Option<u64>,
    sha256: Option<[u8; 32]>,
    is_digest_invalid: bool,
    skip_existing: bool,
    max_size: u64,
}

impl Download {
    /// A download to this path.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keep_partial: false,
            resume: false,
            expected_size: None,
            sha256: None,
            is_digest_invalid: false,
            skip_existing: false,
            max_size: 1024 * 1024 * 1024,
        }
    }

    /// Keeps what arrived when the download fails or is cancelled, as `<name>.part`, with what is needed
    /// to continue in `<name>.part.json`. Default `false`.
    #[must_use]
    pub fn keep_partial(mut self, keep: bool) -> Self {
        self.keep_partial = keep;
        self
    }

    /// Continues where an earlier download of the same URL stopped, by `Range` and `If-Range` (RFC 9110
    /// §14.2, §13.1.5), and keeps what arrived for the next time. When the content has changed on the
    /// server, or the server does not support ranges, the download starts over. Default `false`.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self.keep_partial |= resume;
        self
    }

    /// The size in bytes that the file must have.
    #[must_use]
    pub fn expected_size(mut self, bytes: u64) -> Self {
        self.expected_size = Some(bytes);
        self
    }

    /// The SHA-256 that the file must have. Needs the feature `sha256`; without it the request
    /// fails.
    #[must_use]
    pub fn sha256(mut self, digest: [u8; 32]) -> Self {
        self.sha256 = Some(digest);
        self
    }

    /// As [`sha256`](Self::sha256), with the digest as 64 hexadecimal digits, upper or lower case. If they
    /// are not, the request fails with [`Misuse::InvalidDigest`](crate::error::Misuse::InvalidDigest).
    #[must_use]
    pub fn sha256_hex(mut self, digest: &str) -> Self {
        match from_hex(digest) {
            Some(digest) => self.sha256(digest),
            None => {
                self.is_digest_invalid = true;
                self
            }
        }
    }

    /// Whether [`sha256_hex`](Self::sha256_hex) was given something else than a digest.
    pub(super) fn is_digest_invalid(&self) -> bool {
        self.is_digest_invalid
    }

    /// Requests nothing if the target exists already and is what the download would bring: it has the
    /// [digest](Self::sha256), and the [size](Self::expected_size) if that is set. The worker thread computes the
    /// digest. The response then has status 200 and no headers, and
    /// [`SavedFile::is_unchanged`](crate::agent::SavedFile::is_unchanged) is set. Without a digest this has no
    /// effect, because a size does not tell two versions apart. Default `false`.
    #[must_use]
    pub fn skip_existing(mut self, skip: bool) -> Self {
        self.skip_existing = skip;
        self
    }

    /// The most bytes to take. Default 1 GiB; 0 is no limit.
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    fn file(&self, identity: String) -> FilePlan {
        FilePlan {
            target: self.path.clone(),
            keep_partial: self.keep_partial,
            resume: self.resume,
            expected_size: self.expected_size,
            sha256: self.sha256,
            skip_existing: self.skip_existing,
            identity,
        }
    }

    /// The path of the target.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A digest of 64 hexadecimal digits.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(digest)
}

impl<P: Into<PathBuf>> From<P> for Download {
    fn from(path: P) -> Self {
        Self::to(path)
    }
}

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
        if !plan.keep_partial {
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
        if let Some(total) = total
            && self.plan.max_size > 0
            && total > self.plan.max_size
        {
            return Err(self.too_large());
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
        if self.plan.max_size > 0 && self.file.length() > self.plan.max_size {
            return Err(self.too_large());
        }
        Ok(())
    }

    fn too_large(&mut self) -> Error {
        self.is_spoiled = true;
        let most = usize::try_from(self.plan.max_size).unwrap_or(usize::MAX);
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
        if self.plan.keep_partial && !self.is_spoiled {
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
