//! What the player can do, by mouse, by keyboard, or by the scripted demo. A system that carries an action out reads
//! the messages.

use bevy::input::keyboard::KeyboardInput;
use bevy::prelude::*;
use bevy::ui::UiGlobalTransform;
use bevy::window::PrimaryWindow;

use crate::faults::Fault;

/// A thing to do. As a component it makes a node of the user interface a button.
#[derive(Component, Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pauses or resumes the patch.
    Pause,
    /// Publishes the next version of the pack, and patches to it.
    Publish,
    /// Switches a fault on or off.
    Fault(Fault),
    /// Moves the HTTP client to a thread of its own, or back into the frame.
    #[cfg(not(target_family = "wasm"))]
    Thread,
    /// Says hello in the chat.
    Greet,
}

/// Whether keys are letters of a chat message at the moment.
#[derive(Resource, Default)]
pub struct Typing(pub bool);

const KEYS: &[(KeyCode, Action)] = &[
    (KeyCode::Space, Action::Pause),
    (KeyCode::KeyP, Action::Publish),
    (KeyCode::Digit1, Action::Fault(Fault::Slow)),
    (KeyCode::Digit2, Action::Fault(Fault::Drops)),
    (KeyCode::Digit3, Action::Fault(Fault::Unavailable)),
    (KeyCode::Digit4, Action::Fault(Fault::Offline)),
    #[cfg(not(target_family = "wasm"))]
    (KeyCode::KeyT, Action::Thread),
    (KeyCode::KeyH, Action::Greet),
];

pub fn plugin(app: &mut App) {
    app.add_message::<Action>()
        .init_resource::<Typing>()
        .add_systems(PreUpdate, (press, click));
}

fn press(
    mut pressed: MessageReader<KeyboardInput>,
    typing: Res<Typing>,
    mut actions: MessageWriter<Action>,
) {
    for input in pressed.read() {
        let is_new = input.state.is_pressed() && !input.repeat;
        let action = KEYS.iter().find(|(key, _)| *key == input.key_code);
        if let (true, false, Some((_, action))) = (is_new, typing.0, action) {
            actions.write(*action);
        }
    }
}

fn click(
    mouse: Res<ButtonInput<MouseButton>>,
    window: Single<&Window, With<PrimaryWindow>>,
    buttons: Query<(&Action, &ComputedNode, &UiGlobalTransform)>,
    mut actions: MessageWriter<Action>,
) {
    let Some(at) = window.physical_cursor_position() else {
        return;
    };
    if mouse.just_pressed(MouseButton::Left) {
        for (action, node, transform) in &buttons {
            if node.contains_point(*transform, at) {
                actions.write(*action);
            }
        }
    }
}
