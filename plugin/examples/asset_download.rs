//! A launcher downloads three packs, shows their progress, and resumes when the server closes a connection.
//!
//! ```text
//! cargo run -p bevy_httpoll --features sha256 --example asset_download
//! ```
//!
//! What to look for: three bars move together, one connection each. The server closes the connection of the
//! second pack at half its size, and the download resumes there (`206`). Each file appears only if its SHA-256
//! is right, so the last one, whose digest is wrong, never does.

#[macro_use]
mod offline;

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

/// The list of packs, with their digests. The last digest is not that of its pack.
const PACKS: [(&str, &str); 3] = [
    (
        "textures",
        "60bc13a6505c2d4a71c4ecb64a9937a349bc8a26865d8a77e58a9be7c228c80e",
    ),
    (
        "sounds",
        "5d18316a02f0400d50da37d693c07108350a3d54e8e519fd724303cba245ae44",
    ),
    (
        "broken",
        "6660a74489f125f71371a1e5bb4b1a83cb31b44592c9274b9f162c261e838df8",
    ),
];
const SIZE: usize = 3 * 1024 * 1024;

#[derive(Component)]
struct Pack(&'static str);

#[derive(Resource)]
struct Launcher {
    server: String,
    folder: PathBuf,
    ended: usize,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "asset_download",
        "A launcher downloads three packs, shows their progress, and resumes when the server closes a connection.",
        &[],
    );
    let cut = Mutex::new(HashSet::new());
    let server = offline::serve(move |request, stream| {
        let name = request.target.trim_matches('/').to_owned();
        let is_cut = name == "sounds" && cut.lock().is_ok_and(|mut it| it.insert(name.clone()));
        send(&content(&name), request.range_start(), is_cut, stream)
    })?;
    let folder = std::env::temp_dir().join(format!("httpoll-packs-{}", std::process::id()));
    let exit = offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Launcher {
            server: format!("http://{server}"),
            folder: folder.clone(),
            ended: 0,
        })
        .add_systems(Startup, begin)
        .add_systems(Update, draw)
        .add_observer(done)
        .add_observer(failed)
        .run();
    let mut files: Vec<_> = std::fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    println!("in the folder: {files:?}");
    std::fs::remove_dir_all(folder)?;
    Ok(exit)
}

fn begin(mut commands: Commands, launcher: Res<Launcher>) {
    for (name, digest) in PACKS {
        commands.spawn((
            Pack(name),
            HttpRequest::get(format!("{}/{name}", launcher.server)),
            HttpDownload::to(launcher.folder.join(name))
                .resume(true)
                .sha256_hex(digest),
            HttpRetry {
                base_delay: Duration::from_millis(200),
                ..HttpRetry::default()
            },
        ));
    }
}

/// Redraws the bars when one of them has moved.
fn draw(packs: Query<(&Pack, Ref<HttpProgress>)>, mut drawn: Local<bool>) {
    let is_terminal = io::stdout().is_terminal();
    if !is_terminal || !packs.iter().any(|(_, progress)| progress.is_changed()) {
        return;
    }
    let mut bars: Vec<_> = packs.iter().collect();
    bars.sort_by_key(|(pack, _)| pack.0);
    if std::mem::replace(&mut *drawn, true) {
        print!("\x1b[{}A", PACKS.len());
    }
    for (name, _) in PACKS {
        let part = bars
            .iter()
            .find(|(pack, _)| pack.0 == name)
            .map_or(1.0, |(_, progress)| progress.fraction().unwrap_or_default());
        // A bar has forty steps.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = (part * 40.0) as usize;
        println!("\x1b[2K{name:>10} [{:<40}]", "=".repeat(steps));
    }
    let _ = io::stdout().flush();
}

fn done(
    response: On<HttpResponse>,
    packs: Query<&Pack>,
    mut launcher: ResMut<Launcher>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    let name = packs.get(response.request)?.0;
    if let Some(saved) = response.saved() {
        println!(
            "{name}: {} bytes, status {}, attempts {}, resumed from {}",
            saved.bytes,
            response.status(),
            response.response.attempts(),
            saved.resumed_from,
        );
    }
    launcher.end(&mut exit);
    Ok(())
}

fn failed(
    failed: On<HttpError>,
    packs: Query<&Pack>,
    mut launcher: ResMut<Launcher>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    println!("{}: {}", packs.get(failed.request)?.0, failed.error);
    launcher.end(&mut exit);
    Ok(())
}

impl Launcher {
    fn end(&mut self, exit: &mut MessageWriter<AppExit>) {
        self.ended += 1;
        if self.ended == PACKS.len() {
            exit.write(AppExit::Success);
        }
    }
}

fn content(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(SIZE).collect()
}

/// Sends a pack from the requested position on, 128 KiB every 20 ms.
fn send(
    content: &[u8],
    start: Option<usize>,
    is_cut: bool,
    stream: &mut TcpStream,
) -> io::Result<()> {
    let from = start.unwrap_or(0).min(content.len());
    let end = if is_cut {
        content.len() / 2
    } else {
        content.len()
    };
    let (status, range) = match start {
        Some(from) => {
            let last = content.len() - 1;
            let range = format!("Content-Range: bytes {from}-{last}/{}\r\n", content.len());
            ("206 Partial Content", range)
        }
        None => ("200 OK", String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nETag: \"1\"\r\nAccept-Ranges: bytes\r\n{range}Content-Length: {}\r\n\r\n",
        content.len() - from,
    )?;
    for piece in content[from..end].chunks(128 * 1024) {
        stream.write_all(piece)?;
        std::thread::sleep(Duration::from_millis(20));
    }
    if is_cut {
        return Err(io::Error::other("the server closes the connection"));
    }
    Ok(())
}
