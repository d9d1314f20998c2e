//! A server that takes requests and never answers, a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::Outcome;
use crate::measure::open_many_files;

pub struct Silent {
    process: Child,
    pub port: u16,
}

impl Silent {
    pub fn start() -> Outcome<Self> {
        let mut process = Command::new(crate::PROGRAM)
            .arg("--silent-server")
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

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs until standard input ends, that is, until whoever started it is gone.
pub fn serve() -> Outcome<()> {
    open_many_files();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(move || {
        let held: Vec<_> = listener.incoming().collect();
        drop(held);
    });
    let _ = std::io::stdin().read(&mut [0])?;
    Ok(())
}
