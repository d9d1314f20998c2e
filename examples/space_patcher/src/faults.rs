//! What can go wrong on the way to the server, and the panel with which the player makes it go wrong.

use bevy::prelude::*;
use bevy_httpoll::httpoll::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::actions::Action;
use crate::ui::{self, Slots, Toggle};

/// The faults that are switched on. The server obeys them; see `service`.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Responses take a second longer, and content trickles.
    pub slow: bool,
    /// Every third request, and whatever is being sent, is cut off.
    pub drops: bool,
    /// Everything is answered by `503 Service Unavailable`.
    pub unavailable: bool,
    /// Nobody listens.
    pub offline: bool,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Slow,
    Drops,
    Unavailable,
    Offline,
}

impl Faults {
    fn of(&mut self, fault: Fault) -> &mut bool {
        match fault {
            Fault::Slow => &mut self.slow,
            Fault::Drops => &mut self.drops,
            Fault::Unavailable => &mut self.unavailable,
            Fault::Offline => &mut self.offline,
        }
    }

    /// The state of affairs in one line.
    fn caption(self) -> (&'static str, Color) {
        if self.offline {
            (
                "Offline: nobody listens. Everything retries, the game runs on.",
                ui::RED,
            )
        } else if self.unavailable {
            (
                "503: the server refuses everything. Requests back off and retry.",
                ui::RED,
            )
        } else if self.drops {
            (
                "Connections drop. Downloads resume where they were cut off.",
                ui::AMBER,
            )
        } else if self.slow {
            (
                "A slow server. Content trickles, frames do not wait for it.",
                ui::AMBER,
            )
        } else {
            (
                "Everything on the right arrives over HTTP while this runs.",
                ui::DIM,
            )
        }
    }
}

/// What went wrong, in few enough letters for a panel.
pub fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Status(status) => format!("status {status}"),
        ErrorKind::Truncated { .. } => "cut off".to_owned(),
        ErrorKind::Timeout(_) | ErrorKind::TotalTimeout(_) => "too slow".to_owned(),
        ErrorKind::Network(_) => "no server".to_owned(),
        _ => error.to_string(),
    }
}

/// The line below the sprites.
#[derive(Component)]
struct Caption;

pub fn plugin(app: &mut App) {
    app.init_resource::<Faults>()
        .add_systems(Startup, build.after(ui::build))
        .add_systems(Update, (toggle, show).chain());
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    let faults = [
        (Fault::Slow, "1: slow"),
        (Fault::Drops, "2: drops"),
        (Fault::Unavailable, "3: status 503"),
        (Fault::Offline, "4: offline"),
    ];
    for (fault, label) in faults {
        let button = ui::button(Action::Fault(fault), label, ui::RED);
        commands.spawn((button, ChildOf(slots.faults)));
    }
    commands.spawn((ui::text("", 12.0, ui::DIM), Caption, ChildOf(slots.caption)));
}

fn toggle(mut actions: MessageReader<Action>, mut faults: ResMut<Faults>) {
    for action in actions.read() {
        if let Action::Fault(fault) = action {
            let is_on = faults.of(*fault);
            *is_on = !*is_on;
        }
    }
}

fn show(
    faults: Res<Faults>,
    mut buttons: Query<(&Action, &mut Toggle)>,
    caption: Single<(&mut Text, &mut TextColor), With<Caption>>,
) {
    if !faults.is_changed() {
        return;
    }
    for (action, mut toggle) in &mut buttons {
        if let Action::Fault(fault) = action {
            toggle.is_on = *faults.clone().of(*fault);
        }
    }
    let (mut text, mut color) = caption.into_inner();
    let (caption, shade) = faults.caption();
    (text.0, color.0) = (caption.to_owned(), shade);
}
