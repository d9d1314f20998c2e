//! A launcher brings the files of a game up to date, pauses, repairs what is damaged, and keeps the old files when a
//! patch fails.
//!
//! ```text
//! cargo run -p bevy_httpoll --features patch,server --example bevy_patch
//! ```
//!
//! What to look for: a patch is one component, and each of its ends one event. `HttpPaused` on the same entity holds
//! all its downloads. The new version costs only the bytes that changed. The last manifest names a file that the
//! server does not have, so version 2 stays visible. The example checks all of this, and fails if it is not so.

#[macro_use]
mod offline;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::patch::{current_folder, manifest_of};
use bevy_httpoll::httpoll::server::Response;
use bevy_httpoll::httpoll::server::files::{FolderRoot, StaticFiles};
use bevy_httpoll::prelude::*;

const LEVELS: usize = 4;
const LEVEL_BYTES: usize = 500_000;

/// The frames for which the first patch is paused.
const PAUSE: u32 = 20;

/// What the launcher does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Install,
    Patch,
    Repair,
    Fail,
}

#[derive(Resource)]
struct Launcher {
    step: Step,
    /// The folder that the server serves.
    site: PathBuf,
    /// The folder that is patched.
    root: PathBuf,
    url: String,
    /// The bytes that were there when the player paused, and the frames since.
    paused: Option<(u64, u32)>,
    /// Whether the pause was long enough.
    has_paused: bool,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "bevy_patch",
        "A launcher brings the files of a game up to date, pauses, repairs what is damaged, and keeps the old files when a patch fails.",
        &[],
    );
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-patch-{}", std::process::id()));
    let site = folder.join("site");
    fs::create_dir_all(&site)?;
    let exit = offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Launcher {
            step: Step::Install,
            site,
            root: folder.join("game"),
            url: String::new(),
            paused: None,
            has_paused: false,
        })
        .add_systems(Startup, listen)
        .add_systems(Update, resume)
        .add_observer(begin)
        .add_observer(progressed)
        .add_observer(finished)
        .add_observer(failed)
        .run();
    fs::remove_dir_all(&folder)?;
    Ok(exit)
}

/// The server of the patches, in the same app.
fn listen(launcher: Res<Launcher>, mut commands: Commands) -> Result {
    let folder = FolderRoot::new(&launcher.site)?;
    commands
        .spawn(HttpServer::bind("127.0.0.1:0").with(move |server| {
            server.files(StaticFiles::new("/", folder.clone()));
            Ok(())
        }))
        // What is no file reaches the app, which has to respond.
        .observe(
            |received: On<HttpRequestReceived>, mut commands: Commands| {
                commands.respond(received.request, Response::status(404));
            },
        );
    Ok(())
}

fn begin(
    started: On<HttpServerStarted>,
    mut launcher: ResMut<Launcher>,
    mut commands: Commands,
) -> Result {
    launcher.url = format!("http://{}/manifest.json", started.address);
    publish(&launcher.site, 1)?;
    println!("A first installation:");
    let patch = HttpPatch::from_url(&launcher.url, &launcher.root);
    // Slow enough that there is something to pause.
    commands.spawn((patch, HttpRateLimit(4_000_000)));
    Ok(())
}

/// Pauses the installation when a third of it is there.
fn progressed(on: On<HttpPatchProgressed>, mut launcher: ResMut<Launcher>, mut commands: Commands) {
    if launcher.step == Step::Install && !launcher.has_paused && on.progress.fraction() > 0.33 {
        launcher.has_paused = true;
        launcher.paused = Some((0, 0));
        commands.entity(on.entity).insert(HttpPaused);
    }
}

/// Resumes after some frames, in which nothing may arrive.
fn resume(
    mut launcher: ResMut<Launcher>,
    patches: Query<(Entity, &HttpPatch), With<HttpPaused>>,
    mut commands: Commands,
    mut exit: MessageWriter<AppExit>,
) {
    let (Ok((entity, patch)), Some((received, frames))) = (patches.single(), launcher.paused)
    else {
        return;
    };
    let progress = patch.progress();
    match frames {
        // What was under way when the pause began arrives in these frames.
        0..5 => launcher.paused = Some((progress.received, frames + 1)),
        frames if frames < PAUSE => launcher.paused = Some((received, frames + 1)),
        _ => {
            println!(
                "  paused at {:.0} %: {} bytes arrived in {PAUSE} frames",
                progress.fraction() * 100.0,
                progress.received - received,
            );
            if progress.received != received || !progress.is_paused {
                eprintln!("a paused patch must not move");
                exit.write(AppExit::error());
            }
            launcher.paused = None;
            commands.entity(entity).remove::<HttpPaused>();
        }
    }
}

fn finished(
    on: On<HttpPatchFinished>,
    mut launcher: ResMut<Launcher>,
    mut commands: Commands,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    let report = &on.report;
    println!(
        "  {} files: {} downloaded, {} repaired; {} bytes received",
        report.files, report.downloaded, report.repaired, report.received,
    );
    let all = (LEVELS * LEVEL_BYTES) as u64;
    let is_right = match launcher.step {
        Step::Install => launcher.has_paused && report.received >= all,
        Step::Patch => is_version(&report.folder, 2)? && report.received < all / 2,
        Step::Repair => is_version(&report.folder, 2)? && report.repaired == 1,
        Step::Fail => false,
    };
    if !is_right {
        eprintln!("the files are not as they should be");
        exit.write(AppExit::error());
        return Ok(());
    }
    launcher.step = match launcher.step {
        Step::Install => {
            println!("A patch to version 2:");
            publish(&launcher.site, 2)?;
            Step::Patch
        }
        Step::Patch => {
            println!("A repair of one flipped bit:");
            let file = report.folder.join("level-3.pak");
            let mut content = fs::read(&file)?;
            content[400_000] ^= 1;
            fs::write(&file, content)?;
            Step::Repair
        }
        Step::Repair | Step::Fail => {
            println!("A version whose files are not on the server:");
            publish(&launcher.site, 3)?;
            fs::remove_file(launcher.site.join("level-0.pak"))?;
            Step::Fail
        }
    };
    // Another patch on the same entity. This time without a limit.
    let patch = HttpPatch::from_url(&launcher.url, &launcher.root);
    commands
        .entity(on.entity)
        .remove::<HttpRateLimit>()
        .insert(patch);
    Ok(())
}

fn failed(
    on: On<HttpPatchFailed>,
    launcher: Res<Launcher>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    println!("  {}", on.error);
    let visible = current_folder(&launcher.root)?;
    let is_kept = match visible {
        Some(folder) => is_version(&folder, 2)?,
        None => false,
    };
    exit.write(if launcher.step == Step::Fail && is_kept {
        println!("  version 2 is still there");
        AppExit::Success
    } else {
        eprintln!("the patch failed, and the files are not those of version 2");
        AppExit::error()
    });
    Ok(())
}

/// Writes the files of a version and their manifest. A new version changes the first level.
fn publish(site: &Path, version: u8) -> Result {
    let manifest = site.join("manifest.json");
    if manifest.exists() {
        fs::remove_file(&manifest)?;
    }
    for level in 0..LEVELS {
        fs::write(
            site.join(format!("level-{level}.pak")),
            content(level, version),
        )?;
    }
    // Hashes of blocks let a patch fetch less than a whole file.
    let of_folder = manifest_of(site, Some(65_536))?;
    fs::write(manifest, of_folder.to_json())?;
    Ok(())
}

fn content(level: usize, version: u8) -> Vec<u8> {
    let seed = if level == 0 { version } else { 1 };
    (0..LEVEL_BYTES)
        .map(|at| {
            (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed.wrapping_mul(16) ^ level as u8
        })
        .collect()
}

/// Whether the folder has the files of that version.
fn is_version(folder: &Path, version: u8) -> Result<bool> {
    for level in 0..LEVELS {
        if fs::read(folder.join(format!("level-{level}.pak")))? != content(level, version) {
            return Ok(false);
        }
    }
    Ok(true)
}
