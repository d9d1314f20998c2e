//! A part file in the origin private file system: from its opening to its final name. Each step is a call of the
//! worker, and the rules are those of a native part file.

use std::time::Duration;

use wasm_bindgen::JsValue;

use super::storage::{self, Call, Place};
use crate::clock::Instant;
use crate::error::{DiskFault, DiskStep};
use crate::transport::disk::plan::{Committed, FilePlan, Resumable};
use crate::transport::disk::sidecar::{MAX_BYTES, Sidecar, Validator};

/// After this many bytes the sidecar of a part file is written again: the most that a crash can cost.
const CHECKPOINT: u64 = 16 * 1024 * 1024;

/// How old written bytes may become before the sidecar counts them.
pub(super) const CHECKPOINT_AFTER: Duration = Duration::from_millis(1500);

/// What a response tells about its content.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) offset: u64,
    pub(super) validator: Validator,
    pub(super) total: Option<u64>,
}

pub(super) struct Part {
    /// How the worker knows it.
    number: u32,
    place: Place,
    plan: FilePlan,
    position: u64,
    /// How many bytes the sidecar counts.
    safe: u64,
    /// When the first byte after those was written.
    unsynced_since: Option<Instant>,
    held: Resumable,
    content: Option<Content>,
}

impl Part {
    pub(super) async fn open(plan: FilePlan) -> Result<(Self, Resumable), DiskFault> {
        if plan.sha256.is_some() && !cfg!(feature = "sha256") {
            return Err(DiskFault::HashUnsupported);
        }
        let place = Place::of(&plan.target)?;
        let number = storage::next_number();
        let call = Call::new("open").with("file", number).at(&place);
        let opened = call.send(DiskStep::Open).await?;
        let length = storage::get(&opened, "length").as_f64().unwrap_or_default() as u64;
        let json = storage::get(&opened, "sidecar").as_string();
        let json = json.filter(|json| json.len() as u64 <= MAX_BYTES);
        let sidecar = json.and_then(|json| Sidecar::from_json(json.as_bytes()));
        let held = sidecar.and_then(|sidecar| plan.resumable(sidecar, length));
        let held = held.unwrap_or_default();
        let part = Self {
            number,
            place,
            plan,
            position: held.offset,
            safe: held.offset,
            unsynced_since: None,
            held: held.clone(),
            content: None,
        };
        Ok((part, held))
    }

    fn call(&self, name: &str) -> Call {
        Call::new(name).with("file", self.number)
    }

    fn is_lasting(&self) -> bool {
        self.plan.keep_partial || self.plan.resume
    }

    /// Content begins at its offset. Everything from there on is cut off.
    pub(super) async fn begin(&mut self, content: Content) -> Result<(), DiskFault> {
        let offset = content.offset;
        if let (Some(expected), Some(found)) = (self.plan.expected_size, content.total)
            && expected != found
        {
            return Err(DiskFault::SizeMismatch { expected, found });
        }
        if offset > self.position {
            let held = self.position;
            return Err(DiskFault::Gap { held, offset });
        }
        self.content = Some(content);
        let call = self.call("begin").with("offset", offset as f64);
        let call = call.with("hashes", self.plan.sha256.is_some());
        call.send(DiskStep::Truncate).await?;
        self.position = offset;
        self.safe = self.safe.min(offset);
        self.checkpoint().await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DiskFault> {
        self.call("write").send_with(bytes, DiskStep::Write).await?;
        self.position += bytes.len() as u64;
        self.unsynced_since.get_or_insert_with(Instant::now);
        if self.position - self.safe >= CHECKPOINT {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// When what is written is to be synced. `None`: it is, or it cannot be resumed.
    pub(super) fn next_checkpoint(&self) -> Option<Instant> {
        let since = self.unsynced_since.filter(|_| self.is_lasting())?;
        Some(since + CHECKPOINT_AFTER)
    }

    /// Syncs what is written, and records that in the sidecar.
    pub(super) async fn checkpoint(&mut self) -> Result<(), DiskFault> {
        self.unsynced_since = None;
        if !self.is_lasting() {
            return Ok(());
        }
        let Some(sidecar) = self.sidecar() else {
            return Ok(());
        };
        let call = self.call("checkpoint").with("sidecar", sidecar);
        call.send(DiskStep::WriteSidecar).await?;
        self.safe = self.position;
        Ok(())
    }

    /// The sidecar for all that is written. `None`: no content has begun.
    fn sidecar(&self) -> Option<String> {
        let content = self.content.as_ref()?;
        let sidecar = Sidecar {
            identity: self.plan.identity.clone(),
            validator: content.validator.clone(),
            total: content.total.filter(|total| *total >= self.position),
            safe: self.position,
        };
        Some(sidecar.to_json())
    }

    /// Checks the content and gives the file its name. Without a response, what was kept is the content.
    pub(super) async fn commit(&mut self) -> Result<Committed, DiskFault> {
        if self.content.is_none() {
            let held = std::mem::take(&mut self.held);
            let content = Content {
                offset: held.offset,
                validator: held.validator.unwrap_or_default(),
                total: held.total,
            };
            self.begin(content).await?;
        }
        let announced = self.content.as_ref().and_then(|content| content.total);
        let digest = match self.plan.sha256 {
            Some(_) => digest(&self.call("digest").send(DiskStep::Read).await?),
            None => None,
        };
        self.plan.check(announced, self.position, digest)?;
        self.call("publish").send(DiskStep::Rename).await?;
        Ok(Committed {
            path: self.place.path().into(),
            bytes: self.position,
            sha256: digest,
        })
    }

    /// Ends a download that failed or was dropped.
    pub(super) async fn abandon(self, fault: Option<&DiskFault>) {
        let is_useless =
            fault.is_some_and(|fault| fault.spoils_content() || fault.is_storage_full());
        if self.plan.keep_partial && !is_useless {
            self.suspend().await;
        } else {
            // What cannot be removed is cut off by the next download to this target.
            let _ = self.call("discard").send(DiskStep::Remove).await;
        }
    }

    /// Ends a download that a later one will continue.
    pub(super) async fn suspend(self) {
        let sidecar = self.sidecar().map_or(JsValue::UNDEFINED, Into::into);
        // If this fails, the previous sidecar is still true.
        let call = self.call("keep").with("sidecar", sidecar);
        let _ = call.send(DiskStep::WriteSidecar).await;
    }
}

/// A file with the target's name, if it is the wanted one.
pub(super) async fn present(plan: &FilePlan) -> Result<Option<Committed>, DiskFault> {
    let Some(expected) = plan.sha256.filter(|_| plan.skip_existing) else {
        return Ok(None);
    };
    let place = Place::of(&plan.target)?;
    let mut call = Call::new("present").at(&place);
    if let Some(size) = plan.expected_size {
        call = call.with("size", size as f64);
    }
    let found = call.send(DiskStep::Read).await?;
    if found.is_null() || digest(&storage::get(&found, "digest")) != Some(expected) {
        return Ok(None);
    }
    Ok(Some(Committed {
        path: place.path().into(),
        bytes: storage::get(&found, "length").as_f64().unwrap_or_default() as u64,
        sha256: Some(expected),
    }))
}

fn digest(bytes: &JsValue) -> Option<[u8; 32]> {
    js_sys::Uint8Array::new(bytes).to_vec().try_into().ok()
}
