//! A WebSocket: the player counts, the server replies, both close.
//!
//! ```text
//! cargo run -p bevy_httpoll --features websocket --example websocket
//! ```
//!
//! What to look for: the socket is an entity. Messages arrive as events, and triggering an event sends one.
//! The end is a response like any other, with status 101.

#[macro_use]
mod offline;

use std::error::Error;

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::server::Server;
use bevy_httpoll::httpoll::server::websocket::{Options, WebSocket};
use bevy_httpoll::httpoll::websocket::{CloseFrame, WebSocketMessage};
use bevy_httpoll::prelude::*;

#[derive(Resource)]
struct Address(String);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "websocket",
        "A WebSocket: the player counts, the server replies, both close.",
        &[],
    );
    let mut server = Server::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/count", server.local_addr());
    server.pull("GET", "/count")?;
    std::thread::spawn(move || reply(server));
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Address(url))
        .add_systems(Startup, begin)
        .run())
}

fn begin(mut http: Http, address: Res<Address>) {
    http.web_socket(address.0.as_str())
        .observe(|open: On<HttpWebSocketOpened>, mut commands: Commands| {
            println!("open");
            send(&mut commands, open.request, 1);
        })
        .observe(
            |received: On<HttpWebSocketMessage>, mut commands: Commands, mut count: Local<u32>| {
                println!("{:?}", received.message);
                *count += 1;
                match *count {
                    3 => commands.trigger(SendWebSocketMessage {
                        request: received.request,
                        message: WebSocketMessage::Close(Some(CloseFrame {
                            code: 1000,
                            reason: "enough".to_owned(),
                        })),
                    }),
                    count => send(&mut commands, received.request, count + 1),
                }
            },
        )
        .on_response(|end: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
            println!("closed cleanly, status {}", end.status());
            exit.write(AppExit::Success);
        })
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
}

fn send(commands: &mut Commands, request: Entity, number: u32) {
    commands.trigger(SendWebSocketMessage {
        request,
        message: WebSocketMessage::Text(number.to_string()),
    });
}

/// The server's side, on a thread of its own.
fn reply(mut server: Server) {
    let mut sockets: Vec<WebSocket> = Vec::new();
    while server.wait(None).is_ok() {
        while let Some(mut request) = server.next_request() {
            if let Ok(socket) = request.accept_websocket(Options::default()) {
                sockets.push(socket);
            }
        }
        for socket in &mut sockets {
            while let Some(message) = socket.receive() {
                if let WebSocketMessage::Text(text) = message {
                    let _ = socket.send(WebSocketMessage::Text(format!("you said {text}")));
                }
            }
        }
    }
}
