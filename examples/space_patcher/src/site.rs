//! Where the server is.

use bevy::prelude::*;

/// The server's address, such as `http://127.0.0.1:8080`. It is there once the server listens.
#[derive(Resource, Clone)]
pub struct Site(pub String);

impl Site {
    /// The URL of a path of the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    /// The same for a WebSocket.
    pub fn socket_url(&self, path: &str) -> String {
        self.url(path).replacen("http", "ws", 1)
    }
}
