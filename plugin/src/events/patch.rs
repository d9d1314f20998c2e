//! The events of a patch.

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use httpoll::Error;
use httpoll::patch::{PatchProgress, PatchReport};

/// An [`HttpPatch`](crate::HttpPatch) made progress. At most one per frame.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq)]
pub struct HttpPatchProgressed {
    /// The entity of the patch.
    pub entity: Entity,
    /// Bytes, files, rate and time left of the whole set.
    pub progress: PatchProgress,
}

/// An [`HttpPatch`](crate::HttpPatch) is done: the new set is visible, or everything was up to date.
#[derive(EntityEvent, Clone, Debug, PartialEq, Eq)]
pub struct HttpPatchFinished {
    /// The entity of the patch.
    pub entity: Entity,
    /// The folder of the files, and what was done.
    pub report: PatchReport,
}

/// An [`HttpPatch`](crate::HttpPatch) failed. The set from before is still visible.
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpPatchFailed {
    /// The entity of the patch. Insert another [`HttpPatch`](crate::HttpPatch) to try again; it resumes.
    pub entity: Entity,
    /// The reason.
    pub error: Error,
}
