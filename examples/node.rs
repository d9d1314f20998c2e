//! The raw loop: one `HttpClient`, polled once a frame. It prints each change of status and each chunk.
//!
//! ```text
//! cargo run --features server --example node                             # with a server in the same loop
//! cargo run --features server --example node -- http://127.0.0.1:8000/   # with yours
//! ```
//!
//! `--help` lists the options.
//!
//! Look at how many changes and chunks one poll brings, how few polls a request takes, and that the longest
//! frame stays within the budget however fast the server is.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use httpoll::server::{Request, Response, Server};
use httpoll::{
    Budget, HttpClient, Method, Status, Timeouts, budget::BusyPoll, node::RequestUrl,
    tls::TlsOptions,
};

#[macro_use]
mod offline;

const HELP: &str = "\
One HttpClient, polled once per frame. It prints each change of status and each chunk.

usage: node [options] [URL]      without a URL it serves a page to itself

  --fps N              frames per second; default 60, 0 polls in a tight loop
  --budget-us N        the time that a frame may spend, in microseconds; default 1000
  --unlimited          no budget
  --busy-poll-us N     a poll waits this long for the response before it returns
  --get N              the number of requests on one connection; default 1
  --cacert FILE        trusts this authority (PEM), too
  --insecure           trusts every certificate
  --timeout SECONDS    for the head, and for silence while content arrives
  --quiet              no line for each chunk
  --help               prints this text
  --version            prints the version";

fn main() -> ExitCode {
    match Options::parse() {
        Ok(Some(options)) => offline::exit_code("node", run(options)),
        Ok(None) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("node: {wrong}; see node --help");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let (url, server) = match &options.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = serve_hello()?;
            let url = format!("http://{}/hello", server.local_addr());
            println!("serving {url}");
            (url, Some(server))
        }
    };
    let url = RequestUrl::parse(&url)?;

    let mut http = HttpClient::new();
    http.set_budget(options.budget.clone());
    http.set_timeouts(options.timeouts.clone());
    let mut frames = Frames::new(&options, server);

    let started = Instant::now();
    http.connect_to_host(&url.host, url.port, options.tls)?;
    while matches!(http.get_status(), Status::Resolving | Status::Connecting) {
        frames.poll(&mut http)?;
        frames.next()?;
    }
    if let (Some(peer), Some(tls)) = (http.peer_address(), http.tls_info()) {
        println!("connected to {peer} with {tls:?}");
    }

    let mut total = 0_u64;
    for number in 1..=options.requests {
        let polls_before = if number == 1 { 0 } else { frames.polls };
        let started = if number == 1 { started } else { Instant::now() };
        let headers: Vec<&str> = url.authorization.iter().map(String::as_str).collect();
        http.request(Method::Get, &url.target, &headers, "")?;
        let mut received = 0_u64;
        loop {
            frames.poll(&mut http)?;
            received += frames.read(&mut http)?;
            if !matches!(http.get_status(), Status::Requesting | Status::Body) {
                break;
            }
            frames.next()?;
        }
        let elapsed = started.elapsed();
        println!(
            "{} with {received} bytes after {} polls and {:.3} ms ({:.1} MB/s)",
            http.get_response_code(),
            frames.polls - polls_before,
            elapsed.as_secs_f64() * 1e3,
            received as f64 / elapsed.as_secs_f64() / 1e6,
        );
        total += received;
        if http.get_status() != Status::Connected {
            break;
        }
        frames.next()?;
    }
    for line in http.get_response_headers() {
        println!("  {line}");
    }
    frames.report(total);
    Ok(())
}

/// Keeps the frame rate, and records the work of each frame.
struct Frames {
    server: Option<Server>,
    interval: Option<Duration>,
    next_at: Instant,
    quiet: bool,
    polls: u32,
    work: Duration,
    works: Vec<Duration>,
}

impl Frames {
    fn new(options: &Options, server: Option<Server>) -> Self {
        Self {
            server,
            interval: options.interval,
            next_at: Instant::now(),
            quiet: options.quiet,
            polls: 0,
            work: Duration::ZERO,
            works: Vec::new(),
        }
    }

    fn poll(&mut self, http: &mut HttpClient) -> Result<(), httpoll::Error> {
        let start = Instant::now();
        let polled = http.poll();
        self.work += start.elapsed();
        self.polls += 1;
        self.print_transitions(http);
        polled.map(drop)
    }

    fn print_transitions(&self, http: &mut HttpClient) {
        while let Some(transition) = http.next_transition() {
            println!(
                "poll {}: {} -> {}",
                self.polls, transition.from, transition.to
            );
        }
    }

    /// Reads all content that this frame brings.
    fn read(&mut self, http: &mut HttpClient) -> Result<u64, httpoll::Error> {
        let mut received = 0;
        while http.get_status() == Status::Body {
            let start = Instant::now();
            let chunk = http.read_response_body_chunk();
            self.work += start.elapsed();
            let chunk = chunk?;
            received += chunk.len() as u64;
            if !self.quiet && !chunk.is_empty() {
                println!("poll {}: chunk of {} bytes", self.polls, chunk.len());
            }
            self.print_transitions(http);
            if chunk.is_empty() {
                break;
            }
        }
        Ok(received)
    }

    /// Ends the frame: polls the server, then sleeps where a game would do its own work.
    fn next(&mut self) -> Result<(), httpoll::Error> {
        if let Some(server) = &mut self.server {
            server.poll()?;
        }
        self.works.push(std::mem::take(&mut self.work));
        if let Some(interval) = self.interval {
            self.next_at += interval;
            let now = Instant::now();
            if self.next_at > now {
                std::thread::sleep(self.next_at - now);
            } else {
                self.next_at = now;
            }
        }
        Ok(())
    }

    fn report(&mut self, bytes: u64) {
        self.works.push(self.work);
        self.works.sort_unstable();
        let at = |part: f64| self.works[((self.works.len() - 1) as f64 * part) as usize];
        let total: Duration = self.works.iter().sum();
        println!(
            "{} frames; {:.2} MB for each millisecond of work; the work of a frame took {:?} (median), {:?} (99 %), \
             at most {:?}",
            self.works.len(),
            bytes as f64 / 1e3 / (total.as_secs_f64() * 1e6).max(1.0),
            at(0.5),
            at(0.99),
            at(1.0),
        );
    }
}

struct Options {
    url: Option<String>,
    interval: Option<Duration>,
    budget: Budget,
    requests: u32,
    tls: Option<TlsOptions>,
    timeouts: Timeouts,
    quiet: bool,
}

impl Options {
    /// `None` when only help is wanted.
    fn parse() -> Result<Option<Self>, Box<dyn Error>> {
        use lexopt::prelude::*;

        let mut options = Self {
            url: None,
            interval: Some(Duration::from_secs(1) / 60),
            budget: Budget::default(),
            requests: 1,
            tls: None,
            timeouts: Timeouts::default(),
            quiet: false,
        };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                Long("version") | Short('V') => {
                    println!("node {}", env!("CARGO_PKG_VERSION"));
                    return Ok(None);
                }
                Long("fps") => {
                    let fps: u32 = value(&mut arguments, "--fps")?;
                    options.interval = (fps > 0).then(|| Duration::from_secs(1) / fps);
                }
                Long("budget-us") => {
                    let time = value(&mut arguments, "--budget-us")?;
                    options.budget.time = Some(Duration::from_micros(time));
                }
                Long("unlimited") => options.budget = Budget::unlimited(),
                Long("busy-poll-us") => {
                    let longest = Duration::from_micros(value(&mut arguments, "--busy-poll-us")?);
                    options.budget.busy_poll = BusyPoll::Exchange(longest);
                }
                Long("get") => options.requests = value(&mut arguments, "--get")?,
                Long("cacert") => {
                    let file = arguments.value()?.string()?;
                    let pem = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
                    options.tls = Some(TlsOptions::builder().add_root_pem(&pem).build()?);
                }
                Long("insecure") => options.tls = Some(TlsOptions::client_unsafe(None)?),
                Long("timeout") => {
                    let seconds = value(&mut arguments, "--timeout")?;
                    let limit = Duration::try_from_secs_f64(seconds)?;
                    options.timeouts.head = Some(limit);
                    options.timeouts.stall = Some(limit);
                }
                Long("quiet") => options.quiet = true,
                Value(url) if options.url.is_none() => options.url = Some(url.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(Some(options))
    }
}

/// The value of this option.
fn value<T>(arguments: &mut lexopt::Parser, option: &str) -> Result<T, String>
where
    T: FromStr<Err: Display>,
{
    let value = arguments.value().map_err(|error| error.to_string())?;
    let value = value
        .to_str()
        .ok_or(format!("{option}: its value is not text"))?;
    value
        .parse()
        .map_err(|error| format!("{option} {value}: {error}"))
}

/// A server in the same loop, so that the example runs without another one. It sends text of unknown length,
/// therefore chunked.
fn serve_hello() -> Result<Server, Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?;
    server.route("GET", "/hello", |_: &mut Request| {
        let text = "Hello from a frame loop.\nNothing blocked.\nGoodbye.\n";
        Response::reader(text.as_bytes(), None).with_header("Content-Type", "text/plain")
    })?;
    Ok(server)
}
