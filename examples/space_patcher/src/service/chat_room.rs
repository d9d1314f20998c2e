//! The chat: other players talk, and all hear what anyone says.

use std::time::{Duration, Instant};

use bevy_httpoll::httpoll::server::websocket::WebSocket;
use bevy_httpoll::httpoll::websocket::WebSocketMessage;

/// How often someone else says something.
const PAUSE: Duration = Duration::from_millis(2400);

const LINES: [&str; 10] = [
    "Ada: is the new pack out?",
    "zed: it patches while I fly",
    "Mira: look at the nebula",
    "polly: who took my crystal",
    "Quaternion: rotating into position",
    "Ada: pull the plug, I dare you",
    "zed: my connection dropped, no stutter",
    "Mira: 60 fps on the potato",
    "polly: gg",
    "Quaternion: the leaderboard moves again",
];

#[derive(Default)]
pub struct ChatRoom {
    sockets: Vec<WebSocket>,
    said: usize,
    last: Option<Instant>,
}

impl ChatRoom {
    pub fn join(&mut self, socket: WebSocket) {
        self.sockets.push(socket);
    }

    pub fn drop_all(&mut self) {
        self.sockets.clear();
    }

    pub fn turn(&mut self, now: Instant) {
        let mut heard = Vec::new();
        for socket in &mut self.sockets {
            while let Some(message) = socket.receive() {
                if let WebSocketMessage::Text(text) = message {
                    heard.push(format!("you: {text}"));
                }
            }
        }
        if self.last.is_none_or(|last| now - last > PAUSE) {
            self.last = Some(now);
            heard.push(LINES[self.said % LINES.len()].to_owned());
            self.said += 1;
        }
        for line in heard {
            for socket in &mut self.sockets {
                // A client that does not read misses the line.
                let _ = socket.send(WebSocketMessage::Text(line.clone()));
            }
        }
        self.sockets.retain(|socket| !socket.is_closed());
    }
}
