//! The panel of the patch: a bar per set, the pause button, and what happens when a set is there.
//!
//! How a set is brought up to date is in `files` for the desktop, and in `page` for the browser.

#[cfg(not(target_family = "wasm"))]
mod files;
#[cfg(target_family = "wasm")]
mod page;

use bevy::prelude::*;
use bevy_httpoll::prelude::*;
use serde::Deserialize;

use crate::actions::Action;
use crate::site::Site;
use crate::ui::{self, Bar, Slots, Toggle};

/// The sets of the pack. Each is patched by itself and appears as a whole.
pub const SETS: [&str; 3] = ["planets", "ships", "nebula"];

/// How long a finished pack is played with before the next version is published, in seconds.
const PLAY: f32 = 6.0;

/// A set of the pack, by its index.
#[derive(Component, Clone, Copy)]
pub struct PatchSet(pub usize);

/// How far a set is.
#[derive(Component, Default)]
pub struct SetState {
    /// From 0 to 1.
    pub fraction: f32,
    pub note: String,
    pub is_done: bool,
}

/// The content of a set's `palette.json`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Palette {
    /// In degrees.
    pub hue: f32,
}

/// A set is up to date: the world gets its colours.
#[derive(Message)]
pub struct SetInstalled {
    pub set: usize,
    pub palette: Palette,
}

/// Patches to the version that the server has now.
#[derive(Message, Default)]
pub struct StartPatch;

/// On the bar and the note of a set.
#[derive(Component)]
struct ShownBy(Entity);

pub fn plugin(app: &mut App) {
    #[cfg(not(target_family = "wasm"))]
    app.add_plugins(files::plugin);
    #[cfg(target_family = "wasm")]
    app.add_plugins(page::plugin);
    app.add_message::<SetInstalled>()
        .add_message::<StartPatch>()
        .add_systems(Startup, build.after(ui::build))
        .add_systems(
            Update,
            (
                start.run_if(resource_added::<Site>),
                pause,
                publish_next,
                show,
            ),
        );
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    for (set, name) in SETS.into_iter().enumerate() {
        let state = commands.spawn((PatchSet(set), SetState::default())).id();
        let name = commands
            .spawn((
                Node {
                    width: px(58),
                    ..default()
                },
                ui::text(name, 12.0, ui::TEXT),
            ))
            .id();
        let bar = commands.spawn(ui::bar(ShownBy(state), ui::TEAL)).id();
        let note = commands
            .spawn((
                Node {
                    width: px(112),
                    ..default()
                },
                ui::text("", 11.0, ui::DIM),
                ShownBy(state),
            ))
            .id();
        commands
            .spawn((ui::row(), ChildOf(slots.patch)))
            .add_children(&[name, bar, note]);
    }
    let buttons = commands.spawn((ui::row(), ChildOf(slots.patch))).id();
    let pause = ui::button(Action::Pause, "space: pause", ui::AMBER);
    commands.spawn((pause, ChildOf(buttons)));
    let publish = ui::button(Action::Publish, "P: next version", ui::BLUE);
    commands.spawn((publish, ChildOf(buttons)));
}

fn start(mut start: MessageWriter<StartPatch>) {
    start.write_default();
}

/// Pauses or resumes. `HttpPaused` does it, on a patch as on any request.
fn pause(
    mut actions: MessageReader<Action>,
    sets: Query<(Entity, Has<HttpPaused>), With<PatchSet>>,
    mut buttons: Query<(&Action, &mut Toggle, &Children)>,
    mut labels: Query<&mut Text>,
    mut commands: Commands,
) {
    for _ in actions.read().filter(|action| **action == Action::Pause) {
        let is_paused = sets.iter().any(|(_, is_paused)| is_paused);
        for (set, _) in &sets {
            match is_paused {
                true => commands.entity(set).remove::<HttpPaused>(),
                false => commands.entity(set).insert(HttpPaused),
            };
        }
        for (action, mut toggle, children) in &mut buttons {
            if *action != Action::Pause {
                continue;
            }
            toggle.is_on = !is_paused;
            let label = match is_paused {
                true => "space: pause",
                false => "space: resume",
            };
            for child in children {
                if let Ok(mut text) = labels.get_mut(*child) {
                    text.0 = label.to_owned();
                }
            }
        }
    }
}

/// Publishes the next version some time after all sets are done.
fn publish_next(
    time: Res<Time<Real>>,
    sets: Query<&SetState>,
    mut played: Local<f32>,
    mut actions: MessageWriter<Action>,
) {
    let is_done = sets.iter().all(|state| state.is_done);
    *played = if is_done {
        *played + time.delta_secs()
    } else {
        0.0
    };
    if *played > PLAY {
        *played = 0.0;
        actions.write(Action::Publish);
    }
}

fn show(
    sets: Query<(&SetState, Has<HttpPaused>)>,
    mut bars: Query<(&ShownBy, &mut Bar, &mut BackgroundColor)>,
    mut notes: Query<(&ShownBy, &mut Text)>,
) {
    for (shown, mut bar, mut color) in &mut bars {
        if let Ok((state, is_paused)) = sets.get(shown.0) {
            if bar.0 != state.fraction {
                bar.0 = state.fraction;
            }
            let shade = match (is_paused, state.is_done) {
                (true, _) => ui::AMBER,
                (_, true) => ui::GREEN,
                _ => ui::TEAL,
            };
            color.set_if_neq(BackgroundColor(shade));
        }
    }
    for (shown, mut text) in &mut notes {
        if let Ok((state, is_paused)) = sets.get(shown.0) {
            let note = match is_paused && !state.is_done {
                true => "paused",
                false => &state.note,
            };
            if text.0 != *note {
                text.0 = note.to_owned();
            }
        }
    }
}
