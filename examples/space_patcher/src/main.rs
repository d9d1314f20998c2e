//! A game that is patched, shows pictures, polls a leaderboard and chats, all over HTTP, while its sprites move at 60
//! frames per second.
//!
//! ```text
//! cd examples/space_patcher && cargo run --ignore-rust-version
//! ```
//!
//! What to look for: the graph of frame times. Switch the faults on, pause the patch, pull the plug: the graph stays
//! where it is. Each file shows one thing:
//!
//! | file | shows |
//! |---|---|
//! | `patch` | sets of files brought up to date by `HttpPatch`, with pause and retry |
//! | `gallery` | Bevy's `AssetServer` loading `http://` paths |
//! | `leaderboard` | a request that repeats itself, and JSON |
//! | `chat` | a WebSocket that reconnects |
//! | `server`, `service` | a server in the same loop |
//! | `polling` | the client in the frame, or on a thread |
//! | `faults` | what the player can break |
//! | `world`, `frame_graph`, `ui`, `actions`, `demo` | the game around it |

#[cfg(not(target_family = "wasm"))]
#[macro_use]
#[path = "../../offline/print.rs"]
mod print;

mod actions;
mod chat;
mod demo;
mod faults;
mod frame_graph;
mod gallery;
mod leaderboard;
mod patch;
mod site;
mod ui;
mod world;

#[cfg(not(target_family = "wasm"))]
mod options;
#[cfg(target_family = "wasm")]
mod page;
#[cfg(not(target_family = "wasm"))]
mod polling;
#[cfg(not(target_family = "wasm"))]
mod serve;
#[cfg(not(target_family = "wasm"))]
mod server;
#[cfg(not(target_family = "wasm"))]
mod service;

use bevy::prelude::*;
use bevy::window::{PresentMode, WindowResolution};
use bevy::winit::WinitSettings;
use bevy_httpoll::httpoll::agent::PoolLimits;
use bevy_httpoll::prelude::*;

#[cfg(not(target_family = "wasm"))]
fn main() -> Result<AppExit, Box<dyn std::error::Error>> {
    use std::process::exit;

    let options = match options::Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => return Ok(AppExit::Success),
        Err(wrong) => {
            eprintln!("space_patcher: {wrong}; see space_patcher --help");
            exit(2);
        }
    };
    if let Some(port) = options.serve {
        serve::serve(port, options.page)?;
        return Ok(AppExit::Success);
    }
    let mode = match options.no_vsync {
        true => PresentMode::AutoNoVsync,
        false => PresentMode::AutoVsync,
    };
    let mut app = game(options.on_thread, mode);
    app.add_plugins((
        server::plugin(service::SharedService::new()?),
        polling::plugin,
    ));
    if options.demo {
        app.add_plugins(demo::plugin);
    }
    Ok(app.run())
}

#[cfg(target_family = "wasm")]
fn main() {
    let mut app = game(false, PresentMode::AutoVsync);
    app.add_plugins(page::plugin);
    app.run();
}

/// The game, without its server.
fn game(on_thread: bool, present_mode: PresentMode) -> App {
    let window = Window {
        title: "Space Patcher".to_owned(),
        resolution: WindowResolution::new(ui::WIDTH, ui::HEIGHT).with_scale_factor_override(1.0),
        present_mode,
        canvas: Some("#game".to_owned()),
        ..default()
    };
    let mut app = App::new();
    app.add_plugins((
        // The asset source must be there before Bevy's asset plugin.
        HttpollAssetPlugin::default(),
        HttpollPlugin {
            on_thread,
            pool: pool(),
            ..default()
        },
        DefaultPlugins.set(WindowPlugin {
            primary_window: Some(window),
            ..default()
        }),
    ))
    // The game also draws while another window has the focus.
    .insert_resource(WinitSettings::continuous())
    .add_plugins((
        ui::plugin,
        actions::plugin,
        world::plugin,
        frame_graph::plugin,
        faults::plugin,
        patch::plugin,
        gallery::plugin,
        leaderboard::plugin,
        chat::plugin,
    ));
    app
}

/// Everything here comes from one server, so it gets more connections than usual: the files of the patch must not
/// hold up the leaderboard.
fn pool() -> PoolLimits {
    let mut pool = PoolLimits::default();
    pool.per_host = 16;
    pool
}
