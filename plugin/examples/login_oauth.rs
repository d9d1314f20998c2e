//! A player logs in by OAuth without a browser in the game: the device grant (RFC 8628).
//!
//! ```text
//! cargo run -p bevy_httpoll --example login_oauth
//! ```
//!
//! What to look for: the game shows a code and asks for the token once in a while, by `HttpRepeat`,
//! until the player has typed the code elsewhere; then every request to this host carries the token,
//! set once. The server of this example says yes at the third question.

mod offline;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    let asked = AtomicU32::new(0);
    let server = offline::serve(move |request, stream| {
        let (status, answer) = match request.target.as_str() {
            "/device" => (
                200,
                json!({
                    "device_code": "d-4711",
                    "user_code": "WDJB-MJHT",
                    "verification_uri": "https://login.example/device",
                }),
            ),
            "/token" if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
                (400, json!({ "error": "authorization_pending" }))
            }
            "/token" => (200, json!({ "access_token": "t-0815" })),
            _ if request.field("authorization") == Some("Bearer t-0815") => {
                (200, json!({ "name": "Ada", "level": 12 }))
            }
            _ => (401, json!({ "error": "who are you?" })),
        };
        let answer = answer.to_string();
        offline::reply(stream, status, "application/json", answer.as_bytes())
    })?;
    Ok(offline::app()
        .add_plugins(HttpollPlugin {
            base_url: Some(format!("http://{server}/")),
            ..HttpollPlugin::default()
        })
        .add_systems(Startup, begin)
        .run())
}

fn begin(mut http: Http) {
    http.send(HttpRequest::post("device").form([("client_id", "space-game")]))
        .on_json(|device: On<HttpJson<Device>>, mut http: Http| -> Result {
            let device = device.result.as_ref().map_err(Clone::clone)?;
            println!("type {} at {}", device.user_code, device.verification_uri);
            ask_for_token(&mut http, device);
            Ok(())
        });
}

fn ask_for_token(http: &mut Http, device: &Device) {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device.device_code.as_str()),
        ("client_id", "space-game"),
    ];
    http.send(HttpRequest::post("token").form(form))
        .insert(HttpRepeat::every(Duration::from_millis(200)))
        .on_json(
            |token: On<HttpJson<Token>>, mut agent: ResMut<HttpAgent>, mut http: Http| -> Result {
                let Ok(token_value) = &token.result else {
                    println!("not yet");
                    return Ok(());
                };
                http.cancel(token.request);
                let line = format!("Bearer {}", token_value.access_token);
                agent.set_host_headers("127.0.0.1", [("Authorization", line)])?;
                http.get("me").on_response(
                    |me: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
                        println!("logged in: {} {}", me.status(), me.text());
                        exit.write(AppExit::Success);
                    },
                );
                Ok(())
            },
        );
}
