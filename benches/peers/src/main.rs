//! httpoll's clients beside others and beside a floor by hand, in one run: see `benches/README.md`.
//!
//! Each round runs each client of a scenario once, by turns, each in a process of its own.

mod distant;
mod frames;
mod measure;
mod nginx;
mod peer;
mod report;
mod scenario;
mod silent;

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nginx::Nginx;
use report::{Metrics, Rounds};
use scenario::{Context, Scenario};
use silent::Silent;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;

/// This very program, even when a build has replaced the file meanwhile.
pub const PROGRAM: &str = "/proc/self/exe";

/// Longer takes no run that works.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("--silent-server") => silent::serve().map(|()| true),
        Some("--relay") => {
            distant::serve(arguments.get(1).map_or("", String::as_str)).map(|()| true)
        }
        Some("--run") => run_one(&arguments[1..]).map(|()| true),
        _ => Options::parse(&arguments).and_then(|options| compare(&options)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    /// Names of scenarios, or beginnings of names; none is all.
    only: Vec<String>,
    peers: Vec<String>,
    rounds: usize,
    quick: bool,
    /// What the network is, when it is not the machine's own: a suffix of scenario names.
    network: Option<String>,
    results: PathBuf,
}

const USAGE: &str = "clients [--only SCENARIO]... [--peer PEER]... [--rounds N] [--quick] \
[--network LABEL] [--results FILE] [--list]";

impl Options {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self {
            only: Vec::new(),
            peers: Vec::new(),
            rounds: 5,
            quick: false,
            network: None,
            results: Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/clients.csv"),
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or(USAGE);
            match name.as_str() {
                "--only" => options.only.push(value()?),
                "--peer" => options.peers.push(value()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--quick" => options.quick = true,
                "--network" => options.network = Some(value()?),
                "--results" => options.results = value()?.into(),
                "--list" => {
                    for scenario in scenario::all() {
                        println!("{}: {}", scenario.name, scenario.title);
                    }
                    std::process::exit(0);
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// A whole name means that scenario only, a beginning all that begin so.
    fn wants(&self, name: &str, all: &[Scenario]) -> bool {
        let is_meant = |only: &String| match all.iter().any(|it| it.name == *only) {
            true => name == only,
            false => name.starts_with(only.as_str()),
        };
        self.only.is_empty() || self.only.iter().any(is_meant)
    }
}

/// Answers whether every run ended well.
fn compare(options: &Options) -> Outcome<bool> {
    measure::open_many_files();
    let nginx = Nginx::start(scenario::large_mebibytes(options.quick))?;
    let mut all_well = true;
    let all = scenario::all();
    if !all.iter().any(|it| options.wants(&it.name, &all)) {
        return Err("no scenario is called so; --list tells them".into());
    }
    for scenario in &all {
        if !options.wants(&scenario.name, &all) {
            continue;
        }
        let title = match &options.network {
            Some(label) => format!("{} ({label})", scenario.title),
            None => scenario.title.clone(),
        };
        let mut rounds = Rounds {
            scenario: match &options.network {
                Some(label) => format!("{}@{label}", scenario.name),
                None => scenario.name.clone(),
            },
            title,
            peers: (scenario.peers.iter().enumerate())
                .filter(|&(at, name)| {
                    at == 0 || options.peers.is_empty() || options.peers.iter().any(|it| it == name)
                })
                .map(|(_, &name)| (name, Vec::new()))
                .collect(),
        };
        let mut strangers: f64 = 0.0;
        let count = options.rounds.min(scenario.most_rounds);
        for round in 1..=count {
            for (name, runs) in &mut rounds.peers {
                runs.push(match spawn(scenario, name, &nginx, options.quick) {
                    Ok((metrics, others)) => {
                        strangers = strangers.max(others);
                        Some(metrics)
                    }
                    Err(error) => {
                        all_well = false;
                        eprintln!("{}, {name}: {error}", scenario.name);
                        None
                    }
                });
            }
            eprintln!("{}: round {round} of {count}", rounds.scenario);
        }
        println!("{}", rounds.table());
        println!(
            "{count} rounds; median (lowest..highest); other processes took at most {:.0} % of a processor beside a run.\n",
            strangers * 100.0
        );
        if !options.quick {
            rounds.save(&options.results)?;
        }
    }
    Ok(all_well)
}

/// Runs one client once, in a process of its own. Answers also what share of a processor others took
/// meanwhile.
fn spawn(scenario: &Scenario, peer: &str, nginx: &Nginx, quick: bool) -> Outcome<(Metrics, f64)> {
    let silent = Silent::start()?;
    let servers = || measure::ticks_of(nginx.id()) + measure::ticks_of(silent.id());
    let own = || measure::ticks_of(std::process::id());
    let (busy, ours, began) = (measure::busy_ticks(), servers() + own(), Instant::now());
    let mut child = Command::new(PROGRAM)
        .arg("--run")
        .args([&scenario.name, peer])
        .args([nginx.plain, nginx.tls, silent.port].map(|port| port.to_string()))
        .arg(&nginx.authority)
        .arg(quick.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    // What it says fits into the pipe.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it does not end".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let took = began.elapsed().as_secs_f64();
    let busy = measure::busy_ticks() - busy;
    let ours = servers() + own() - ours;
    let others = busy.saturating_sub(ours) as f64 / 100.0 / took;
    let mut said = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut said)?;
    }
    if !status.success() {
        return Err(format!("it ended with {status}").into());
    }
    Ok((Metrics::from_lines(&said)?, others))
}

/// The child's side of [`spawn`].
fn run_one(arguments: &[String]) -> Outcome<()> {
    let [name, peer, plain, tls, silent, authority, quick] = arguments else {
        return Err(USAGE.into());
    };
    measure::open_many_files();
    let context = Context {
        peer: peer.clone(),
        plain: plain.parse()?,
        tls: tls.parse()?,
        silent: silent.parse()?,
        authority: authority.into(),
        quick: quick.parse()?,
    };
    let scenario = scenario::all()
        .into_iter()
        .find(|scenario| scenario.name == *name)
        .ok_or("no such scenario")?;
    let metrics = (scenario.run)(&context)?;
    print!("{}", metrics.to_lines());
    Ok(())
}
