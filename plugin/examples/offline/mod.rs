//! Shared by the examples: a small server on a free port of this machine, with one thread per connection, the
//! frame loop, and the command line.

#![allow(dead_code, unreachable_pub)]

#[macro_use]
#[path = "../../../examples/offline/print.rs"]
mod print;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::clock::Instant;

/// The length of a frame at 60 fps.
pub const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// An example that runs longer than this ends with an error.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// An option of an example: its name without dashes, the name of its value, and what it does.
pub type CommandOption = (&'static str, &'static str, &'static str);

/// The values of the options on the command line, by name. `--help` and `--version` print and end the program;
/// so does a wrong option, with status 2.
pub fn command_line(
    name: &str,
    about: &str,
    options: &[CommandOption],
) -> HashMap<&'static str, String> {
    match parse(name, about, options) {
        Ok(Some(values)) => values,
        Ok(None) => std::process::exit(0),
        Err(wrong) => {
            eprintln!("{name}: {wrong}; see {name} --help");
            std::process::exit(2)
        }
    }
}

fn parse(
    name: &str,
    about: &str,
    options: &[CommandOption],
) -> Result<Option<HashMap<&'static str, String>>, lexopt::Error> {
    use lexopt::prelude::*;

    let mut values = HashMap::new();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => {
                println!("{about}\n\nusage: {name} [options]\n");
                for (option, value, effect) in options {
                    println!("  {:<18}{effect}", format!("--{option} {value}"));
                }
                println!("  {:<18}prints this text", "--help");
                println!("  {:<18}prints the version", "--version");
                return Ok(None);
            }
            Long("version") | Short('V') => {
                println!("{name} {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Long(long) => {
                let known = options.iter().find(|(option, ..)| *option == long);
                let Some((option, ..)) = known else {
                    return Err(argument.unexpected());
                };
                values.insert(*option, arguments.value()?.string()?);
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(values))
}

/// A headless app at 60 fps that ends by itself after a time limit.
pub fn app() -> App {
    let mut app = App::new();
    let started = Instant::now();
    app.add_plugins(ScheduleRunnerPlugin::run_loop(FRAME))
        .add_systems(Update, move |mut exit: MessageWriter<AppExit>| {
            if started.elapsed() > TIME_LIMIT {
                eprintln!("the example did not end within {TIME_LIMIT:?}");
                exit.write(AppExit::error());
            }
        });
    app
}

/// A request that the server received.
pub struct Received {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .fields
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The first byte of a range that extends to the end.
    pub fn range_start(&self) -> Option<usize> {
        self.field("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// Serves requests with `respond` until the program ends. An error of `respond` closes the connection.
pub fn serve(
    respond: impl Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let respond = Arc::new(respond);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let respond = respond.clone();
            std::thread::spawn(move || converse(stream, &*respond));
        }
    });
    Ok(address)
}

fn converse(
    stream: TcpStream,
    respond: &dyn Fn(&Received, &mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(received) = read(&mut reader, &mut writer)? {
        respond(&received, &mut writer)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead, writer: &mut impl Write) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut received = Received {
        method,
        target,
        fields: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => received.fields.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    if received.field("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Some(length) = received.field("content-length") {
        received.body = vec![0; length.parse().unwrap_or_default()];
        reader.read_exact(&mut received.body)?;
    }
    Ok(Some(received))
}

/// Sends a complete response.
pub fn reply(stream: &mut impl Write, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    )?;
    stream.write_all(body)
}

/// Sends a complete response with text.
pub fn text(stream: &mut impl Write, body: &str) -> io::Result<()> {
    reply(stream, 200, "text/plain; charset=utf-8", body.as_bytes())
}
