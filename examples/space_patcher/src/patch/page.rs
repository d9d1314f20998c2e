//! In a browser there are no folders to patch. The files of a set are fetched one after the other, as streams that
//! are counted and not kept.

use std::collections::VecDeque;

use bevy::prelude::*;
use bevy_httpoll::prelude::*;
use serde::Deserialize;

use super::{Palette, PatchSet, SETS, SetInstalled, SetState, StartPatch};
use crate::actions::Action;
use crate::faults::reason;
use crate::site::Site;
use crate::ui;

/// How long to wait after a failure, in seconds.
const RETRY: f32 = 1.5;

#[derive(Clone, Deserialize)]
struct Manifest {
    files: VecDeque<File>,
}

#[derive(Clone, Deserialize)]
struct File {
    path: String,
    size: u64,
}

/// On a set: what is left to fetch.
#[derive(Component, Default)]
struct Fetching {
    files: VecDeque<File>,
    bytes: u64,
    /// Of the files that are complete.
    done: u64,
    /// Of the file that is under way.
    received: u64,
    /// The request that is under way.
    request: Option<Entity>,
    /// When the next request may begin, in the app's seconds.
    not_before: f32,
}

pub fn plugin(app: &mut App) {
    app.add_systems(Update, (publish, start, fetch_next, pause).chain());
}

fn publish(mut actions: MessageReader<Action>, site: Option<Res<Site>>, mut http: Http) {
    let Some(site) = site else { return };
    for _ in actions.read().filter(|action| **action == Action::Publish) {
        http.post(site.url("publish")).on_response(
            |_: On<HttpResponse>, mut start: MessageWriter<StartPatch>| {
                start.write_default();
            },
        );
    }
}

/// Fetches the manifests again.
fn start(
    mut messages: MessageReader<StartPatch>,
    sets: Query<(Entity, &PatchSet, Option<&Fetching>)>,
    site: Option<Res<Site>>,
    mut commands: Commands,
    mut http: Http,
) {
    let Some(site) = site else { return };
    if messages.read().count() == 0 {
        return;
    }
    for (entity, set, fetching) in &sets {
        if let Some(request) = fetching.and_then(|fetching| fetching.request) {
            commands.entity(request).try_despawn();
        }
        commands.entity(entity).remove::<Fetching>();
        commands.entity(entity).insert(SetState::default());
        http.get(site.url(&format!("pack/{}/manifest.json", SETS[set.0])))
            .insert(HttpRetry::times(20))
            .on_json(
                move |on: On<HttpJson<Manifest>>, mut commands: Commands| match &on.result {
                    Ok(manifest) => {
                        commands.entity(entity).insert(Fetching {
                            bytes: manifest.files.iter().map(|file| file.size).sum(),
                            files: manifest.files.clone(),
                            ..default()
                        });
                    }
                    Err(error) => warn!("a manifest did not arrive: {error}"),
                },
            );
    }
}

/// Requests the next file of each set that waits for one.
fn fetch_next(
    time: Res<Time<Real>>,
    site: Option<Res<Site>>,
    mut sets: Query<(Entity, &PatchSet, &mut SetState, &mut Fetching)>,
    mut http: Http,
) {
    let Some(site) = site else { return };
    for (entity, set, mut state, mut fetching) in &mut sets {
        let bytes = fetching.done + fetching.received;
        state.fraction = bytes as f32 / fetching.bytes.max(1) as f32;
        if state.is_done || fetching.request.is_some() || time.elapsed_secs() < fetching.not_before
        {
            continue;
        }
        state.note = format!("{:.1} MB", fetching.bytes as f64 / 1e6);
        fetching.received = 0;
        let url = |file: &str| site.url(&format!("pack/{}/{file}", SETS[set.0]));
        let request = match fetching.files.front() {
            Some(file) => http
                .get(url(&file.path))
                .error_for_status()
                .insert(HttpStream::Chunks)
                .observe(move |on: On<HttpChunk>, mut sets: Query<&mut Fetching>| {
                    if let Ok(mut fetching) = sets.get_mut(entity) {
                        fetching.received += on.bytes.len() as u64;
                    }
                })
                .on_response(move |_: On<HttpResponse>, mut sets: Query<&mut Fetching>| {
                    if let Ok(mut fetching) = sets.get_mut(entity) {
                        fetching.request = None;
                        let file = fetching.files.pop_front();
                        fetching.done += file.map_or(0, |file| file.size);
                        fetching.received = 0;
                    }
                })
                .on_error(failed(entity))
                .id(),
            None => http
                .get(url("palette.json"))
                .on_json(installed(entity))
                .on_error(failed(entity))
                .id(),
        };
        fetching.request = Some(request);
    }
}

/// All files have arrived, and now the palette.
fn installed(
    entity: Entity,
) -> impl FnMut(On<HttpJson<Palette>>, Query<(&PatchSet, &mut SetState)>, MessageWriter<SetInstalled>)
{
    move |on, mut sets, mut installed| {
        if let (Ok((set, mut state)), Ok(palette)) = (sets.get_mut(entity), &on.result) {
            state.is_done = true;
            state.fraction = 1.0;
            state.note = "up to date".to_owned();
            installed.write(SetInstalled {
                set: set.0,
                palette: *palette,
            });
        }
    }
}

/// The same file is tried again later.
fn failed(
    entity: Entity,
) -> impl FnMut(On<HttpError>, Res<Time<Real>>, Query<(&mut SetState, &mut Fetching)>) {
    move |on, time, mut sets| {
        if let Ok((mut state, mut fetching)) = sets.get_mut(entity) {
            state.note = ui::shorten(&format!("retry: {}", reason(&on.error)), 16);
            fetching.received = 0;
            fetching.request = None;
            fetching.not_before = time.elapsed_secs() + RETRY;
        }
    }
}

/// A paused set pauses its request.
fn pause(
    sets: Query<(&Fetching, Has<HttpPaused>)>,
    paused: Query<(), With<HttpPaused>>,
    mut commands: Commands,
) {
    for (fetching, is_paused) in &sets {
        let Some(request) = fetching.request else {
            continue;
        };
        match (is_paused, paused.contains(request)) {
            (true, false) => drop(commands.entity(request).try_insert(HttpPaused)),
            (false, true) => drop(commands.entity(request).try_remove::<HttpPaused>()),
            _ => {}
        }
    }
}
