//! The frame budget, proven in an app that does everything at once.
//!
//! ```sh
//! cargo bench -p bevy_httpoll --bench soak --features compression,server,websocket
//! cargo bench -p bevy_httpoll --bench soak --features compression,server,websocket -- \
//!     --seconds 60 --fps 60,144 --budget-us 1000 --mib 256 --ahead --on-thread --out benches/results
//! ```
//!
//! A Bevy app with a budget of 1 ms a frame keeps four downloads of 256 MiB going (two over TLS, one
//! of the others coded with gzip; two to files, two as streams), asks 200 small questions a second,
//! talks over 50 WebSockets, and broadcasts server-sent events from a server of its own. What it talks to
//! runs in other processes: an nginx, and this program once more (`peers`).
//!
//! A second of that is followed by a second of the same frame loop that spins for the length of the
//! budget instead, while others keep nginx busy, and by a second in which it reads a download by hand for as
//! long: what is odd there is the machine's. The figures go to `soak.csv` and `soak.md`, and the last lines
//! say whether each criterion is met; so does the exit status.
//!
//! `--load` names what is asked for, all of `plain,gzip,tls-file,tls,small,sockets,events` by default:
//! to find out what a long frame is due to. `--on-thread` sets `HttpollPlugin::on_thread`.
//!
//! Needs `nginx` and `gzip` on the path. `--ahead` runs the frame loop ahead of everything else on the
//! machine (`chrt`, needs the right to), for machines with few processors: the peers need some, too.

#![allow(missing_docs)]

mod figures;
mod frames;
mod load;
mod nginx;
mod peers;
mod plain;
mod report;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::figures::{Figures, Memory};
use crate::frames::{Losses, Pace};
use crate::load::{Game, Part};
use crate::nginx::Nginx;
use crate::peers::Peers;
use crate::plain::Reader;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long the app runs before the spinning loop takes over, and that before the reading one.
const WINDOW: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some("peers") {
        return match peers::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("peers: {error}");
                ExitCode::FAILURE
            }
        };
    }
    // Only `cargo bench` asks for it: as a test it would take minutes.
    if !arguments.iter().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    match Settings::parse(&arguments).and_then(|settings| soak(&settings)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

struct Settings {
    /// How long the app runs at each rate; the spinning and the reading loop take as long again.
    seconds: u32,
    rates: Vec<u32>,
    budget: Duration,
    /// The size of a download.
    mib: u64,
    is_ahead: bool,
    is_on_thread: bool,
    load: Vec<Part>,
    out: PathBuf,
}

impl Settings {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut settings = Self {
            seconds: 60,
            rates: vec![60, 144],
            budget: Duration::from_millis(1),
            mib: 256,
            is_ahead: false,
            is_on_thread: false,
            load: Part::ALL.iter().map(|(_, part)| *part).collect(),
            out: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/results")),
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} lacks a value"));
            match name.as_str() {
                "--bench" => {}
                "--seconds" => settings.seconds = value()?.parse()?,
                "--fps" => {
                    settings.rates = value()?
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>()?;
                }
                "--budget-us" => settings.budget = Duration::from_micros(value()?.parse()?),
                "--mib" => settings.mib = value()?.parse()?,
                "--load" => {
                    settings.load = value()?
                        .split(',')
                        .map(Part::named)
                        .collect::<Outcome<_>>()?;
                }
                "--ahead" => settings.is_ahead = true,
                "--on-thread" => settings.is_on_thread = true,
                "--out" => settings.out = PathBuf::from(value()?),
                _ => return Err(format!("what is {name}?").into()),
            }
        }
        if settings.seconds == 0 || settings.mib == 0 || settings.rates.contains(&0) {
            return Err("seconds, mib and fps must not be 0".into());
        }
        Ok(settings)
    }
}

/// Answers whether all criteria are met.
fn soak(settings: &Settings) -> Outcome<bool> {
    eprintln!("making files of {} MiB", settings.mib);
    let nginx = Nginx::start(settings.mib << 20)?;
    let mut all = Vec::new();
    for fps in &settings.rates {
        eprintln!(
            "{} s at {fps} fps, and as long of the empty loop and of reading by hand",
            settings.seconds
        );
        all.push(run(settings, *fps, &nginx)?);
    }
    let is_met = report::tell(&all);
    report::write(&settings.out, &all)?;
    Ok(is_met)
}

fn run(settings: &Settings, fps: u32, nginx: &Nginx) -> Outcome<Figures> {
    let mut peers = Peers::start()?;
    if settings.is_ahead {
        go_ahead()?;
    }
    let mut game = Game::new(settings, fps, nginx, &peers)?;
    let mut figures = Figures::new(fps, settings.budget, settings.seconds);
    let mut memory = Memory::new(settings.seconds as usize * 3);
    let mut clock = Losses::of_this_thread();
    let mut pace = Pace::new(fps);
    let mut reader = Reader::new(nginx.plain_address());
    let frames_of = |window: Duration| (window.as_secs() as u32) * fps;
    for _ in 0..settings.seconds {
        for _ in 0..frames_of(WINDOW) {
            let began = clock.begin();
            game.frame();
            let waited = clock.waited_since(&began);
            if let Some(address) = game.listens_now() {
                peers.listen_to(address)?;
            }
            pace.sleep();
            figures.note_frame(game.marks(), clock.lost_since(&began, waited));
        }
        memory.note();
        peers.be_busy(&nginx.plain_address())?;
        for _ in 0..frames_of(WINDOW) {
            let began = clock.begin();
            let spinning = Instant::now();
            while spinning.elapsed() < settings.budget {
                std::hint::spin_loop();
            }
            let took = spinning.elapsed();
            let waited = clock.waited_since(&began);
            pace.sleep();
            figures.note_empty(took, clock.lost_since(&began, waited));
        }
        peers.be_idle()?;
        memory.note();
        for _ in 0..frames_of(WINDOW) {
            reader.begin()?;
            let began = clock.begin();
            let took = reader.read_for(settings.budget)?;
            let waited = clock.waited_since(&began);
            pace.sleep();
            figures.note_plain(took, clock.lost_since(&began, waited));
        }
        reader.end();
        memory.note();
    }
    figures.memory = memory;
    figures.tally = game.tally();
    figures.peers = peers.report()?;
    Ok(figures)
}

/// Puts this thread, and none that it starts, ahead of whatever else wants the processor.
fn go_ahead() -> Outcome<()> {
    let process = std::process::id().to_string();
    let status = Command::new("chrt")
        .args(["--reset-on-fork", "--fifo", "--pid", "10", &process])
        .status()
        .map_err(|error| format!("chrt: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("chrt may not put this program ahead: leave --ahead out, or run it as root".into())
    }
}
