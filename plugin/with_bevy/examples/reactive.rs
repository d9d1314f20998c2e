//! A window that runs frames only when something happens, and a response that is such a thing.
//!
//! ```text
//! cd plugin/with_bevy && cargo run --features window --example reactive
//! ```
//!
//! What to look for: the response arrives seconds after the request, between no input and no redraw, and is
//! printed at once, although no frame would be due for an hour. Space asks again. The count of frames stays small.
//!
//! How it works: the agent runs on a thread of its own, and `AgentBuilder::on_event` sends an event through winit's
//! `EventLoopProxy` when there is news. The same line wakes plain winit, egui or macroquad.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bevy_a11y::AccessibilityPlugin;
use bevy_app::prelude::*;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_input::InputPlugin;
use bevy_input::prelude::*;
use bevy_window::{Window, WindowPlugin};
use bevy_winit::{
    EventLoopProxy, EventLoopProxyWrapper, UpdateMode, WinitPlugin, WinitSettings, WinitUserEvent,
};

fn main() -> std::io::Result<()> {
    let address = slow_server()?;
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        InputPlugin,
        WindowPlugin {
            primary_window: Some(Window {
                title: "press space to ask the server".into(),
                ..Window::default()
            }),
            ..WindowPlugin::default()
        },
        AccessibilityPlugin,
        WinitPlugin::default(),
    ));
    // WinitPlugin has made the event loop.
    let event_loop = EventLoopProxy::clone(app.world().resource::<EventLoopProxyWrapper>());
    app.add_plugins(HttpollPlugin {
        on_thread: true,
        configure: Some(Arc::new(move |agent| {
            let event_loop = event_loop.clone();
            agent.on_event(move || {
                // It fails only when the app has ended.
                let _ = event_loop.send_event(WinitUserEvent::WakeUp);
            })
        })),
        ..HttpollPlugin::default()
    })
    .insert_resource(WinitSettings {
        focused_mode: UpdateMode::reactive_low_power(Duration::from_secs(3600)),
        unfocused_mode: UpdateMode::reactive_low_power(Duration::from_secs(3600)),
    })
    .insert_resource(Server(address))
    .init_resource::<Frames>()
    .add_systems(Startup, ask)
    .add_systems(First, |mut frames: ResMut<Frames>| frames.0 += 1)
    .add_systems(Update, ask.run_if(is_space_pressed))
    .run();
    Ok(())
}

#[derive(Resource)]
struct Server(SocketAddr);

/// How many frames ran.
#[derive(Resource, Default)]
struct Frames(u32);

fn is_space_pressed(keys: Res<ButtonInput<KeyCode>>) -> bool {
    keys.just_pressed(KeyCode::Space)
}

fn ask(mut http: Http, server: Res<Server>, frames: Res<Frames>) {
    println!("asked in frame {}", frames.0);
    http.get(format!("http://{}/", server.0))
        .on_response(|on: On<HttpResponse>, frames: Res<Frames>| {
            println!("frame {}: {}", frames.0, on.text());
        })
        .on_error(|on: On<HttpError>| println!("{}", on.error));
}

/// A server that takes three seconds for each response.
fn slow_server() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|count| count > 0) {
                    std::thread::sleep(Duration::from_secs(3));
                    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
                    if stream.write_all(response).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}
