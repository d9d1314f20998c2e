//! The chat: a WebSocket that reconnects by itself.

use std::collections::VecDeque;
use std::time::Duration;

use bevy::input::keyboard::{Key, KeyboardInput};
use bevy::prelude::*;
use bevy_httpoll::httpoll::websocket::WebSocketMessage;
use bevy_httpoll::prelude::*;

use crate::actions::{Action, Typing};
use crate::site::Site;
use crate::ui::{self, Slots};

/// How many lines are shown.
const LINES: usize = 3;

/// The longest message that is typed, in bytes.
const LETTERS: usize = 40;

/// How many letters of a draft fit beside the button.
const VISIBLE: usize = 24;

/// How long to wait before connecting again.
const RECONNECT: HttpReconnect = HttpReconnect {
    delay: Duration::from_millis(700),
    longest: Duration::from_secs(2),
    jitter: 0.2,
    attempts: None,
};

/// What was said, the socket, and what the player is typing.
#[derive(Resource, Default)]
struct Chat {
    lines: VecDeque<String>,
    socket: Option<Entity>,
    is_open: bool,
    draft: String,
}

#[derive(Component)]
struct Line(usize);

#[derive(Component)]
struct Input;

pub fn plugin(app: &mut App) {
    app.init_resource::<Chat>()
        .add_systems(Startup, build.after(ui::build))
        .add_systems(
            Update,
            (
                connect.run_if(resource_added::<Site>),
                type_message,
                greet,
                show,
            )
                .chain(),
        );
}

fn build(mut commands: Commands, slots: Res<Slots>) {
    for line in 0..LINES {
        commands.spawn((
            ui::text("", 12.0, ui::BLUE),
            Line(line),
            ChildOf(slots.chat),
        ));
    }
    let row = commands.spawn((ui::row(), ChildOf(slots.chat))).id();
    commands.spawn((
        ui::button(Action::Greet, "H: say hello", ui::BLUE),
        ChildOf(row),
    ));
    commands.spawn((ui::text("", 12.0, ui::DIM), Input, ChildOf(row)));
}

fn connect(site: Res<Site>, mut http: Http, mut chat: ResMut<Chat>) {
    let socket = http
        .get(site.socket_url("chat"))
        .insert((HttpStream::WebSocket(HttpWebSocket::default()), RECONNECT))
        .observe(|_: On<HttpWebSocketOpened>, mut chat: ResMut<Chat>| chat.is_open = true)
        .observe(hear)
        .on_response(|_: On<HttpResponse>, mut chat: ResMut<Chat>| chat.is_open = false)
        .on_error(|_: On<HttpError>, mut chat: ResMut<Chat>| chat.is_open = false)
        .id();
    chat.socket = Some(socket);
}

fn hear(on: On<HttpWebSocketMessage>, mut chat: ResMut<Chat>) {
    if let WebSocketMessage::Text(line) = &on.message {
        chat.lines.push_back(ui::shorten(line, 43));
        if chat.lines.len() > LINES {
            chat.lines.pop_front();
        }
    }
}

/// Enter begins a message, and sends it.
fn type_message(
    mut keys: MessageReader<KeyboardInput>,
    mut typing: ResMut<Typing>,
    mut chat: ResMut<Chat>,
    mut commands: Commands,
) {
    for input in keys.read().filter(|input| input.state.is_pressed()) {
        match (&input.logical_key, typing.0) {
            (Key::Enter, false) => typing.0 = true,
            (Key::Enter, true) => {
                typing.0 = false;
                let draft = std::mem::take(&mut chat.draft);
                say(&chat, draft, &mut commands);
            }
            (Key::Escape, _) => {
                typing.0 = false;
                chat.draft.clear();
            }
            (Key::Backspace, true) => drop(chat.draft.pop()),
            (_, true) if chat.draft.len() < LETTERS => {
                chat.draft
                    .push_str(input.text.as_deref().unwrap_or_default());
            }
            _ => {}
        }
    }
}

fn greet(mut actions: MessageReader<Action>, chat: Res<Chat>, mut commands: Commands) {
    for _ in actions.read().filter(|action| **action == Action::Greet) {
        say(&chat, "hello from the cockpit".to_owned(), &mut commands);
    }
}

fn say(chat: &Chat, text: String, commands: &mut Commands) {
    if let (Some(request), true, false) = (chat.socket, chat.is_open, text.is_empty()) {
        let message = WebSocketMessage::Text(text);
        commands.trigger(SendWebSocketMessage { request, message });
    }
}

fn show(
    chat: Res<Chat>,
    typing: Res<Typing>,
    mut lines: Query<(&Line, &mut Text), Without<Input>>,
    input: Single<(&mut Text, &mut TextColor), With<Input>>,
) {
    if !chat.is_changed() && !typing.is_changed() {
        return;
    }
    for (line, mut text) in &mut lines {
        text.0 = chat.lines.get(line.0).cloned().unwrap_or_default();
    }
    let (mut text, mut color) = input.into_inner();
    (text.0, color.0) = match (typing.0, chat.is_open) {
        (true, _) => (format!("> {}_", ui::end_of(&chat.draft, VISIBLE)), ui::TEXT),
        (false, true) => ("Enter: type a message".to_owned(), ui::DIM),
        (false, false) => ("reconnecting".to_owned(), ui::RED),
    };
}
