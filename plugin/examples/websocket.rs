//! A WebSocket: the player counts, the server answers, both say goodbye.
//!
//! ```text
//! cargo run -p bevy_httpoll --features websocket --example websocket
//! ```
//!
//! What to look for: the socket is an entity; messages come as events and go by triggering one; the
//! end is a response like any other, with status 101.

mod offline;

use std::error::Error;
use std::net::TcpListener;

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::websocket::{CloseFrame, WebSocketMessage};
use bevy_httpoll::prelude::*;

#[derive(Resource)]
struct Server(String);

fn main() -> Result<AppExit, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/count", listener.local_addr()?);
    std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let Ok(mut socket) = tungstenite::accept(stream) else {
            return;
        };
        while let Ok(message) = socket.read() {
            if let tungstenite::Message::Text(text) = message {
                let answer = format!("you said {text}");
                let _ = socket.send(tungstenite::Message::text(answer));
            }
        }
    });
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Server(url))
        .add_systems(Startup, begin)
        .run())
}

fn begin(mut http: Http, server: Res<Server>) {
    http.get(server.0.as_str())
        .insert(HttpStream::WebSocket(HttpWebSocket::default()))
        .observe(|open: On<HttpWebSocketOpened>, mut commands: Commands| {
            println!("open");
            say(&mut commands, open.request, 1);
        })
        .observe(
            |heard: On<HttpWebSocketMessage>, mut commands: Commands, mut count: Local<u32>| {
                println!("{:?}", heard.message);
                *count += 1;
                match *count {
                    3 => commands.trigger(SendWebSocketMessage {
                        request: heard.request,
                        message: WebSocketMessage::Close(Some(CloseFrame {
                            code: 1000,
                            reason: "enough".to_owned(),
                        })),
                    }),
                    count => say(&mut commands, heard.request, count + 1),
                }
            },
        )
        .on_response(|end: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
            println!("closed in good order, status {}", end.status());
            exit.write(AppExit::Success);
        })
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
}

fn say(commands: &mut Commands, request: Entity, number: u32) {
    commands.trigger(SendWebSocketMessage {
        request,
        message: WebSocketMessage::Text(number.to_string()),
    });
}
