//! [`HttpPatch`]: a set of files that is brought up to date.

use std::fmt;

use bevy_ecs::component::Component;
use httpoll::patch::{Patch, PatchProgress, PatchReport};
use httpoll::{Agent, Error};

/// Brings a set of files up to date by a manifest; see [`httpoll::patch`]. It begins in the next
/// [`HttpollSystems::Dispatch`].
///
/// It triggers [`HttpPatchProgressed`] at most once a frame, and ends with one [`HttpPatchFinished`] or
/// [`HttpPatchFailed`]. The entity stays. Despawning it, or removing the component, stops the patch; what was
/// downloaded stays for the next one. [`HttpPaused`] on the entity pauses it, and [`HttpRateLimit`] limits all
/// its files together.
///
/// [`HttpollSystems::Dispatch`]: crate::HttpollSystems::Dispatch
/// [`HttpPatchProgressed`]: crate::HttpPatchProgressed
/// [`HttpPatchFinished`]: crate::HttpPatchFinished
/// [`HttpPatchFailed`]: crate::HttpPatchFailed
/// [`HttpPaused`]: crate::HttpPaused
/// [`HttpRateLimit`]: crate::HttpRateLimit
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn update(mut commands: Commands) {
///     commands
///         .spawn(HttpPatch::from_url("https://cdn.example/game/manifest.json", "game-data"))
///         .observe(|on: On<HttpPatchProgressed>| {
///             println!("{:3.0} %", on.progress.fraction() * 100.0);
///         })
///         .observe(|on: On<HttpPatchFinished>| println!("the files are in {:?}", on.report.folder))
///         .observe(|on: On<HttpPatchFailed>| eprintln!("{}", on.error));
/// }
/// ```
#[derive(Component)]
pub struct HttpPatch {
    patch: Patch,
    /// Its limit without [`HttpRateLimit`](crate::HttpRateLimit).
    own_limit: Option<u64>,
    is_reported: bool,
}

impl HttpPatch {
    /// A patch with any options.
    pub fn new(patch: Patch) -> Self {
        Self {
            own_limit: patch.current_rate_limit(),
            patch,
            is_reported: false,
        }
    }

    /// A patch of the folder `root` by the manifest at this absolute URL; see [`Patch::from_url`].
    pub fn from_url(manifest: impl Into<String>, root: impl Into<std::path::PathBuf>) -> Self {
        Self::new(Patch::from_url(manifest, root))
    }

    /// How far it is.
    pub fn progress(&self) -> PatchProgress {
        self.patch.progress()
    }

    /// The patch.
    pub fn patch(&self) -> &Patch {
        &self.patch
    }

    /// Whether its end was reported.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reported
    }

    /// Goes on. Returns the progress if it changed, and the end once.
    pub(crate) fn advance(
        &mut self,
        agent: &mut Agent,
        is_paused: bool,
        rate_limit: Option<u64>,
    ) -> (Option<PatchProgress>, Option<Result<PatchReport, Error>>) {
        let before = self.patch.progress();
        if is_paused != before.is_paused {
            match is_paused {
                true => self.patch.pause(agent),
                false => self.patch.resume(agent),
            }
        }
        let limit = rate_limit.or(self.own_limit);
        if limit != self.patch.current_rate_limit() {
            self.patch.set_rate_limit(agent, limit);
        }
        self.patch.poll(agent);
        let progress = self.patch.progress();
        let outcome = self.patch.result().cloned();
        self.is_reported = outcome.is_some();
        ((progress != before).then_some(progress), outcome)
    }
}

impl From<Patch> for HttpPatch {
    fn from(patch: Patch) -> Self {
        Self::new(patch)
    }
}

impl fmt::Debug for HttpPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpPatch").field(&self.patch).finish()
    }
}
