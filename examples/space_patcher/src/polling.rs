//! The switch between a client that is polled in the frame and one on a thread of its own.

use bevy::prelude::*;
use bevy_httpoll::prelude::*;

use crate::actions::Action;
use crate::ui::{self, Slots, Toggle};

pub fn plugin(app: &mut App) {
    app.add_systems(Startup, build.after(ui::build))
        .add_systems(Update, (switch, show));
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    let button = ui::button(Action::Thread, "", ui::TEAL);
    commands.spawn((button, ChildOf(slots.faults)));
}

/// Requests that are under way go on where they are.
fn switch(mut actions: MessageReader<Action>, mut http: ResMut<HttpAgent>) {
    for _ in actions.read().filter(|action| **action == Action::Thread) {
        let is_on_thread = http.is_on_thread();
        http.set_on_thread(!is_on_thread);
    }
}

fn show(
    http: Res<HttpAgent>,
    mut buttons: Query<(&Action, &mut Toggle, &Children)>,
    mut labels: Query<&mut Text>,
) {
    let is_on_thread = http.is_on_thread();
    let label = match is_on_thread {
        true => "T: HTTP on a thread",
        false => "T: HTTP in the frame",
    };
    for (action, mut toggle, children) in &mut buttons {
        if *action != Action::Thread {
            continue;
        }
        toggle.is_on = is_on_thread;
        for child in children {
            if let Ok(mut text) = labels.get_mut(*child)
                && text.0 != label
            {
                text.0 = label.to_owned();
            }
        }
    }
}
