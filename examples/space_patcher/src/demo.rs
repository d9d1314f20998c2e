//! A demonstration that plays by itself, for the picture of the README: faults come and go, the patch is paused and
//! resumed, the client moves to a thread and back.

use bevy::prelude::*;

use crate::actions::Action;
use crate::faults::Fault;

/// When to do what, in seconds since the start.
const SCRIPT: &[(f32, Action)] = &[
    (3.0, Action::Greet),
    (4.0, Action::Fault(Fault::Slow)),
    (6.0, Action::Fault(Fault::Slow)),
    (7.0, Action::Pause),
    (8.5, Action::Pause),
    (9.5, Action::Fault(Fault::Offline)),
    (12.0, Action::Fault(Fault::Offline)),
    #[cfg(not(target_family = "wasm"))]
    (13.5, Action::Thread),
    (15.5, Action::Fault(Fault::Drops)),
    (18.0, Action::Fault(Fault::Drops)),
    #[cfg(not(target_family = "wasm"))]
    (20.0, Action::Thread),
];

pub fn plugin(app: &mut App) {
    app.add_systems(Update, play);
}

fn play(time: Res<Time<Real>>, mut next: Local<usize>, mut actions: MessageWriter<Action>) {
    if let Some((at, action)) = SCRIPT.get(*next)
        && time.elapsed_secs() >= *at
    {
        actions.write(*action);
        *next += 1;
    }
}
