//! Brings a folder up to date, as a launcher does, with a progress bar:
//!
//! ```sh
//! cargo run --release --features patch,server --example patch
//! cargo run --release --features patch,server --example patch -- https://cdn.example/game/manifest.json game-data
//! ```
//!
//! Without arguments it runs offline: a server on a thread of this process has two versions of a game. The
//! example installs the first, patches to the second, damages a file, and repairs it.

use std::error::Error;
use std::fs;
use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use httpoll::Agent;
use httpoll::patch::{Patch, PatchReport, current_folder, manifest_of};
use httpoll::server::Server;
use httpoll::server::files::{FolderRoot, StaticFiles};

#[macro_use]
mod offline;

const ABOUT: &str = "Brings a folder up to date, as a launcher does, with a progress bar.";

fn main() -> ExitCode {
    let arguments = offline::command_line("patch", ABOUT, "[URL-OF-MANIFEST FOLDER]");
    let outcome = match &arguments[..] {
        [url, root] => run(url, Path::new(root)).map(|it| report(&it)),
        [] => offline(),
        _ => offline::wrong_arguments("patch"),
    };
    offline::exit_code("patch", outcome)
}

/// Runs a patch to its end.
fn run(url: &str, root: &Path) -> Result<PatchReport, Box<dyn Error>> {
    let mut agent = Agent::new();
    let mut patch = Patch::from_url(url, root).remove_others(true);
    loop {
        let began = Instant::now();
        agent.poll();
        patch.poll(&mut agent);
        draw(&patch);
        if let Some(result) = patch.result() {
            if stdout().is_terminal() {
                println!();
            }
            return Ok(result.clone()?);
        }
        // A game draws its frame here.
        offline::end_frame(began);
    }
}

/// Draws the progress over the line before.
fn draw(patch: &Patch) {
    const WIDTH: usize = 30;
    let progress = patch.progress();
    let fraction = progress.fraction();
    let filled = "#".repeat((fraction * WIDTH as f32) as usize);
    let left = match progress.time_left {
        Some(left) => format!("{:.0} s left", left.as_secs_f32()),
        None => String::new(),
    };
    let text = format!(
        "{:?}: [{filled:<WIDTH$}] {:3.0} %, {} of {} files, {:.1} MB/s {left}",
        progress.phase,
        fraction * 100.0,
        progress.files_done,
        progress.files,
        progress.rate / 1e6,
    );
    if stdout().is_terminal() {
        print!("\r{text:<100}");
        let _ = stdout().flush();
    }
}

fn report(report: &PatchReport) {
    println!(
        "{} files in {}: {} downloaded, {} repaired, {} removed; {} bytes received",
        report.files,
        report.folder.display(),
        report.downloaded,
        report.repaired,
        report.removed,
        report.received
    );
}

/// The whole life of a set, without a network.
fn offline() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("httpoll-patch-{}", std::process::id()));
    let site = folder.join("site");
    let root = folder.join("game");
    let publish = |version: u8| -> Result<(), Box<dyn Error>> {
        let files = site.join("files");
        fs::create_dir_all(files.join("levels"))?;
        for level in 0..6_u8 {
            // The new version changes two levels.
            let seed = if level < 2 { version * 16 } else { 16 };
            let content: Vec<u8> = (0..2_000_000_u32)
                .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed ^ level)
                .collect();
            fs::write(files.join(format!("levels/{level}.pak")), content)?;
        }
        fs::write(files.join("version.txt"), format!("version {version}\n"))?;
        let manifest = manifest_of(&files, Some(65_536))?;
        fs::write(site.join("files/manifest.json"), manifest.to_json())?;
        Ok(())
    };
    publish(1)?;
    let mut server = Server::bind("127.0.0.1:0")?;
    server.files(StaticFiles::new("/", FolderRoot::new(site.clone())?));
    let server = offline::Embedded::start(server);
    let url = format!("http://{}/files/manifest.json", server.address);

    println!("A first installation:");
    report(&run(&url, &root)?);

    fs::remove_file(site.join("files/manifest.json"))?;
    publish(2)?;
    println!("A patch to version 2:");
    report(&run(&url, &root)?);

    let visible = current_folder(&root)?.ok_or("no set is visible")?;
    let damaged = visible.join("levels/3.pak");
    let mut content = fs::read(&damaged)?;
    for at in [100, 700_000, 1_999_999] {
        content[at] ^= 1;
    }
    fs::write(&damaged, content)?;
    println!("A repair of three flipped bytes:");
    let repaired = run(&url, &root)?;
    report(&repaired);

    println!("And when everything is up to date:");
    report(&run(&url, &root)?);
    let text = fs::read_to_string(repaired.folder.join("version.txt"))?;
    drop(server);
    fs::remove_dir_all(&folder)?;
    match (text.as_str(), repaired.repaired) {
        ("version 2\n", 1) => Ok(()),
        _ => Err("the set is not as it should be".into()),
    }
}
