//! The other process: a server for small questions and WebSockets, and those who listen to the app's
//! broadcast.
//!
//! Parent and child speak in lines. The child begins with its address; then it is told `listen ADDRESS`,
//! `busy ADDRESS`, `idle` and `report`, and ends when its input does, so that it never outlives its
//! parent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use httpoll::server::websocket::{Options as WebSocketOptions, WebSocket};
use httpoll::server::{Request, Response, Server, ServerLimits};
use httpoll::{Agent, Bytes, Event, agent::PoolLimits, websocket::WebSocketMessage};

use crate::Outcome;

/// How many listen to the broadcast.
const LISTENERS: usize = 20;

/// What a small question is answered with.
const ANSWER: &[u8] = br#"{"player":"Ada","level":12,"score":184250,"country":"FI"}"#;

/// The child, as its parent sees it.
pub(crate) struct Peers {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

/// What the child has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) answered: u64,
    pub(crate) echoed: u64,
    pub(crate) heard: u64,
}

impl Peers {
    pub(crate) fn start() -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("peers")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut peers = Self {
            process,
            input,
            output: BufReader::new(output),
            address: String::new(),
        };
        peers.address = peers.line()?;
        Ok(peers)
    }

    /// Where it answers, as `127.0.0.1:8080`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends the listeners to this server.
    pub(crate) fn listen_to(&mut self, address: SocketAddr) -> Outcome<()> {
        writeln!(self.input, "listen {address}")?;
        Ok(())
    }

    /// Downloads from the nginx at this address until [`be_idle`](Self::be_idle), so that the machine has
    /// the same to do while the app does nothing.
    pub(crate) fn be_busy(&mut self, address: &str) -> Outcome<()> {
        writeln!(self.input, "busy {address}")?;
        Ok(())
    }

    pub(crate) fn be_idle(&mut self) -> Outcome<()> {
        writeln!(self.input, "idle")?;
        Ok(())
    }

    pub(crate) fn report(&mut self) -> Outcome<Counted> {
        writeln!(self.input, "report")?;
        let line = self.line()?;
        let mut numbers = line.split(' ').map(str::parse);
        let mut next = || numbers.next().unwrap_or(Ok(0));
        Ok(Counted {
            answered: next()?,
            echoed: next()?,
            heard: next()?,
        })
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the process of the peers has ended".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    echoed: AtomicU64,
    heard: AtomicU64,
    /// How often it was told to be busy or idle: who is busy is so until the next time.
    turns: AtomicU64,
}

/// What the child does.
pub(crate) fn serve() -> Outcome<()> {
    let mut limits = ServerLimits::default();
    limits.connections = 1024;
    limits.connections_per_ip = 1024;
    let mut server = Server::builder().limits(limits).bind_local(0)?;
    println!("{}", server.local_addr());

    let counters: Arc<Counters> = Arc::default();
    let answered = Arc::clone(&counters);
    server.route("GET", "/small", move |_: &mut Request| {
        answered.answered.fetch_add(1, Ordering::Relaxed);
        Response::content("application/json", Bytes::from_static(ANSWER))
    })?;
    let sockets: Arc<Mutex<Vec<WebSocket>>> = Arc::default();
    let opened = Arc::clone(&sockets);
    server.handle(
        "GET",
        "/echo",
        move |request: &mut Request, response: &mut Response| match request
            .accept_websocket(WebSocketOptions::default())
        {
            Ok(socket) => opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(socket),
            Err(refused) => *response = refused.into(),
        },
    )?;
    let asked = Arc::clone(&counters);
    std::thread::spawn(move || obey(&asked));
    loop {
        server.wait(None)?;
        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter_mut() {
            while let Some(message) = socket.receive() {
                if let WebSocketMessage::Text(_) = message
                    && socket.send(message).is_ok()
                {
                    counters.echoed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        sockets.retain(|socket| !socket.is_closed());
    }
}

/// Does what the parent says, until it says nothing more.
fn obey(counters: &Arc<Counters>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("listen", address)) => {
                let (url, counters) = (format!("http://{address}/events"), Arc::clone(counters));
                std::thread::spawn(move || {
                    if let Err(error) = listen(&url, &counters) {
                        eprintln!("listeners: {error}");
                    }
                });
            }
            Some(("busy", address)) => {
                let (address, counters) = (address.to_owned(), Arc::clone(counters));
                let turn = counters.turns.fetch_add(1, Ordering::Relaxed) + 1;
                std::thread::spawn(move || {
                    while counters.turns.load(Ordering::Relaxed) == turn {
                        if let Err(error) = drain(&address, turn, &counters) {
                            eprintln!("busy: {error}");
                            return;
                        }
                    }
                });
            }
            None if line == "idle" => {
                counters.turns.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                println!(
                    "{} {} {}",
                    count(&counters.answered),
                    count(&counters.echoed),
                    count(&counters.heard)
                );
            }
        }
    }
    std::process::exit(0);
}

/// Downloads the file once, or until the turn is over.
fn drain(address: &str, turn: u64, counters: &Counters) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut buffer = vec![0; 256 * 1024];
    while counters.turns.load(Ordering::Relaxed) == turn && stream.read(&mut buffer)? > 0 {}
    Ok(())
}

fn listen(url: &str, counters: &Counters) -> Outcome<()> {
    let mut pool = PoolLimits::default();
    (pool.streams, pool.streams_per_host) = (LISTENERS, LISTENERS);
    let mut agent = Agent::builder().pool(pool).build();
    for _ in 0..LISTENERS {
        agent
            .send(httpoll::Request::get(url).event_stream())?
            .detach();
    }
    loop {
        agent.wait(None);
        while let Some(event) = agent.next_event() {
            match event {
                Event::ServerSent { .. } => {
                    counters.heard.fetch_add(1, Ordering::Relaxed);
                }
                Event::Failed { error, .. } => eprintln!("a listener: {error}"),
                _ => {}
            }
        }
    }
}
