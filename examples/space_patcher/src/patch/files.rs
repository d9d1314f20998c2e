//! On the desktop a set is a folder that `HttpPatch` brings up to date by a manifest: it compares, resumes,
//! checks hashes, and makes the whole set visible at once.

use std::fs;
use std::path::{Path, PathBuf};

use bevy::prelude::*;
use bevy_httpoll::httpoll::patch::{Patch, PatchPhase, PatchProgress};
use bevy_httpoll::prelude::*;

use super::{Palette, PatchSet, SETS, SetInstalled, SetState, StartPatch};
use crate::actions::Action;
use crate::faults::reason;
use crate::server::Embedded;
use crate::site::Site;
use crate::ui;

/// How long to wait after a patch has failed, in seconds.
const RETRY: f32 = 1.5;

/// Where the sets are installed. Removed at the end.
#[derive(Resource)]
struct Folder(PathBuf);

/// On a set whose patch has failed: when to try again, in the app's seconds.
#[derive(Component)]
struct RetryAt(f32);

pub fn plugin(app: &mut App) {
    let folder = format!("space-patcher-{}", std::process::id());
    app.insert_resource(Folder(std::env::temp_dir().join(folder)))
        .add_systems(Update, (publish, start, retry).chain())
        .add_observer(progressed)
        .add_observer(finished)
        .add_observer(failed);
}

fn publish(
    mut actions: MessageReader<Action>,
    server: Res<Embedded>,
    mut start: MessageWriter<StartPatch>,
) {
    for _ in actions.read().filter(|action| **action == Action::Publish) {
        server.service.lock().publish();
        start.write_default();
    }
}

fn start(
    mut messages: MessageReader<StartPatch>,
    sets: Query<(Entity, &PatchSet)>,
    site: Option<Res<Site>>,
    folder: Res<Folder>,
    mut commands: Commands,
) {
    let Some(site) = site else { return };
    if messages.read().count() > 0 {
        for (entity, set) in &sets {
            let mut set = patch(&mut commands, entity, *set, &site, &folder);
            set.insert(SetState::default());
        }
    }
}

fn patch<'a>(
    commands: &'a mut Commands,
    entity: Entity,
    set: PatchSet,
    site: &Site,
    folder: &Folder,
) -> EntityCommands<'a> {
    let name = SETS[set.0];
    let manifest = site.url(&format!("pack/{name}/manifest.json"));
    let patch = Patch::from_url(manifest, folder.0.join(name)).connections(2);
    let mut commands = commands.entity(entity);
    commands.insert(HttpPatch::new(patch)).remove::<RetryAt>();
    commands
}

fn progressed(on: On<HttpPatchProgressed>, mut sets: Query<&mut SetState>) {
    if let Ok(mut state) = sets.get_mut(on.entity) {
        // A patch that is tried again counts anew, and skips what it has. The bar waits for it.
        state.fraction = state.fraction.max(on.progress.fraction());
        state.note = note(&on.progress);
    }
}

fn note(progress: &PatchProgress) -> String {
    match progress.phase {
        PatchPhase::Manifest => "manifest".to_owned(),
        PatchPhase::Check => "compare".to_owned(),
        PatchPhase::Download => format!(
            "{:.1} MB {:4.0} kB/s",
            progress.bytes as f64 / 1e6,
            progress.rate / 1000.0
        ),
        PatchPhase::Install => "install".to_owned(),
        _ => String::new(),
    }
}

fn finished(
    on: On<HttpPatchFinished>,
    mut sets: Query<(&PatchSet, &mut SetState)>,
    mut installed: MessageWriter<SetInstalled>,
) -> Result {
    let (set, mut state) = sets.get_mut(on.entity)?;
    state.fraction = 1.0;
    state.is_done = true;
    state.note = match on.report.received {
        // An attempt before this one fetched everything.
        0 => "up to date".to_owned(),
        bytes @ ..100_000 => format!("{:.0} kB fetched", bytes as f64 / 1e3),
        bytes => format!("{:.1} MB fetched", bytes as f64 / 1e6),
    };
    let palette = palette(&on.report.folder)?;
    let set = set.0;
    installed.write(SetInstalled { set, palette });
    Ok(())
}

fn palette(folder: &Path) -> Result<Palette> {
    Ok(serde_json::from_slice(&fs::read(
        folder.join("palette.json"),
    )?)?)
}

fn failed(
    on: On<HttpPatchFailed>,
    time: Res<Time<Real>>,
    mut sets: Query<&mut SetState>,
    mut commands: Commands,
) {
    warn!("a patch failed and will be tried again: {}", on.error);
    if let Ok(mut state) = sets.get_mut(on.entity) {
        state.note = ui::shorten(&format!("retry: {}", reason(&on.error)), 16);
        let retry = RetryAt(time.elapsed_secs() + RETRY);
        commands.entity(on.entity).insert(retry);
    }
}

/// Patches again after a failure. What was downloaded before is not downloaded again.
fn retry(
    time: Res<Time<Real>>,
    sets: Query<(Entity, &PatchSet, &RetryAt)>,
    site: Option<Res<Site>>,
    folder: Res<Folder>,
    mut commands: Commands,
) {
    let Some(site) = site else { return };
    for (entity, set, at) in &sets {
        if time.elapsed_secs() > at.0 {
            patch(&mut commands, entity, *set, &site, &folder);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is there if no patch began.
        let _ = fs::remove_dir_all(&self.0);
    }
}
