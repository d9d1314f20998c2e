//! What the examples talk to: a few lines of a server on a free port of this machine, a thread for
//! each connection, and the frame loop that they share.

#![allow(dead_code, unreachable_pub)]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Update};
use bevy_ecs::prelude::*;

/// A frame at 60 frames a second.
pub const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// After this an example gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A headless app at 60 frames a second, which ends by itself if nothing else ends it.
pub fn app() -> App {
    let mut app = App::new();
    let started = Instant::now();
    app.add_plugins(ScheduleRunnerPlugin::run_loop(FRAME))
        .add_systems(Update, move |mut exit: MessageWriter<AppExit>| {
            if started.elapsed() > PATIENCE {
                eprintln!("no end in {PATIENCE:?}");
                exit.write(AppExit::error());
            }
        });
    app
}

/// What was asked for.
pub struct Asked {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .fields
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The first byte of a `Range` to the end.
    pub fn range_start(&self) -> Option<usize> {
        self.field("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// Serves `answer` until the program ends. An error of `answer` closes the connection.
pub fn serve(
    answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(stream, &*answer));
        }
    });
    Ok(address)
}

fn converse(
    stream: TcpStream,
    answer: &dyn Fn(&Asked, &mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(asked) = read(&mut reader, &mut writer)? {
        answer(&asked, &mut writer)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead, writer: &mut impl Write) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut asked = Asked {
        method,
        target,
        fields: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => asked.fields.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    if asked.field("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Some(length) = asked.field("content-length") {
        asked.body = vec![0; length.parse().unwrap_or_default()];
        reader.read_exact(&mut asked.body)?;
    }
    Ok(Some(asked))
}

/// A whole answer.
pub fn reply(stream: &mut impl Write, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    )?;
    stream.write_all(body)
}

/// A whole answer of text.
pub fn text(stream: &mut impl Write, body: &str) -> io::Result<()> {
    reply(stream, 200, "text/plain; charset=utf-8", body.as_bytes())
}
