//! A demonstration that plays by itself, for the picture of the README: faults come and go, the patch is paused and
//! resumed, the client moves to a thread and back.

use bevy::prelude::*;

use crate::actions::Action;
use crate::faults::Fault;

/// When to do what, in seconds since the start.
const SCRIPT: &[(f32, Action)] = &[
    (2.5, Action::Greet),
    (3.5, Action::Fault(Fault::Slow)),
    (5.5, Action::Fault(Fault::Slow)),
    (6.5, Action::Pause),
    (7.8, Action::Pause),
    (9.0, Action::Fault(Fault::Offline)),
    (11.0, Action::Fault(Fault::Offline)),
    #[cfg(not(target_family = "wasm"))]
    (12.5, Action::Thread),
    (14.0, Action::Fault(Fault::Drops)),
    (16.5, Action::Fault(Fault::Drops)),
    #[cfg(not(target_family = "wasm"))]
    (18.0, Action::Thread),
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
