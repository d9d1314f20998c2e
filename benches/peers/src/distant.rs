//! Makes nginx distant: a relay, a process of its own, that delivers what it reads after a delay and at a limited
//! rate. It needs no rights and no module of the kernel, unlike `tc netem`.
//!
//! The kernel connects to the relay at once, so the first bytes of a connection wait for the time of a handshake,
//! too. All connections share the rate of each direction.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::Outcome;

/// From one end to the other.
pub const DELAY: Duration = Duration::from_millis(40);

/// Bits per second of each direction.
pub const RATE: u64 = 20_000_000;

/// What one packet has besides its content: IP, TCP with time stamps.
const HEADER_BYTES: u64 = 52;

pub struct Distant {
    process: Child,
    pub port: u16,
}

impl Distant {
    /// Relays to this port of the machine.
    pub fn start(to: u16) -> Outcome<Self> {
        let mut process = Command::new(crate::PROGRAM)
            .args(["--relay", &to.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let port = line.trim().parse()?;
        Ok(Self { process, port })
    }
}

impl Drop for Distant {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// When one direction of the link is free again.
type Link = Arc<Mutex<Instant>>;

/// Runs until standard input ends.
pub fn serve(to: &str) -> Outcome<()> {
    let to: u16 = to.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(move || {
        let now = Instant::now();
        let (up, down) = (Link::new(Mutex::new(now)), Link::new(Mutex::new(now)));
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                continue;
            };
            let ready_at = Instant::now() + 2 * DELAY;
            for stream in [&client, &server] {
                let _ = stream.set_nodelay(true);
            }
            if let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) {
                carry(client, to_server, Arc::clone(&up), ready_at);
                carry(server, to_client, Arc::clone(&down), ready_at);
            }
        }
    });
    let _ = std::io::stdin().read(&mut [0])?;
    Ok(())
}

/// One direction of one connection.
fn carry(mut from: TcpStream, mut to: TcpStream, link: Link, ready_at: Instant) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            let sent_at = {
                let mut free_at = link.lock().unwrap_or_else(PoisonError::into_inner);
                let bits = 8 * (count as u64 + HEADER_BYTES);
                let took = Duration::from_nanos(bits * 1_000_000_000 / RATE);
                *free_at = (*free_at).max(Instant::now()).max(ready_at) + took;
                *free_at
            };
            // The end of the stream is an empty piece.
            if sender
                .send((sent_at + DELAY, buffer[..count].to_vec()))
                .is_err()
                || count == 0
            {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if piece.is_empty() || to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
