//! One large download, beside curl and beside a hand-written read loop, in one run.
//!
//! ```sh
//! cargo bench --bench download            # 256 MiB, 5 rounds
//! cargo bench --bench download -- 1024 3  # MiB, rounds
//! ```
//!
//! Needs `nginx` and `curl` on the path (on Debian: `apt-get install nginx-light curl`). It starts an
//! nginx of its own on two free ports of this machine, plain and TLS, and takes turns through its
//! rows, so that all see the same machine. The *floor* is what a GET by hand can reach: a raw
//! non-blocking socket, read into one reused buffer of 256 KiB until the same budget is spent, with
//! the same 20 µs of lingering. Rows at 60 fps come in two kinds: *idle* frames sleep when they are
//! done, *busy* ones compute until the next frame, as games do. On many machines, virtual ones above
//! all, a processor that just slept is much slower for the first millisecond.

use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use httpoll::{Budget, HttpClient, Method, Status, TlsOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const LINGER: Duration = Duration::from_micros(20);

fn main() -> Outcome<()> {
    // cargo passes `--bench`.
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|it| it.parse::<u64>().ok());
    let bytes = numbers.next().unwrap_or(256) << 20;
    let rounds = numbers.next().unwrap_or(5);
    let nginx = Nginx::start(bytes)?;
    let ms = Duration::from_millis;

    let rows: Vec<Row> = vec![
        Row::new("curl", |nginx| nginx.curl("http", nginx.plain)),
        Row::new("floor, tight loop", |nginx| nginx.floor(None, Pace::Tight)),
        Row::new("httpoll, tight loop, unlimited", |nginx| {
            nginx.httpoll("http", Budget::unlimited(), Pace::Tight)
        }),
        Row::new("floor, 60 idle fps, 1 ms", move |nginx| {
            nginx.floor(Some(ms(1)), Pace::Idle)
        }),
        Row::new("httpoll, 60 idle fps, 1 ms (default)", |nginx| {
            nginx.httpoll("http", Budget::default(), Pace::Idle)
        }),
        Row::new("floor, 60 busy fps, 1 ms", move |nginx| {
            nginx.floor(Some(ms(1)), Pace::Busy)
        }),
        Row::new("httpoll, 60 busy fps, 1 ms (default)", |nginx| {
            nginx.httpoll("http", Budget::default(), Pace::Busy)
        }),
        Row::new("floor, 60 idle fps, 4 ms", move |nginx| {
            nginx.floor(Some(ms(4)), Pace::Idle)
        }),
        Row::new("httpoll, 60 idle fps, 4 ms", move |nginx| {
            nginx.httpoll("http", Budget::frame(ms(4)), Pace::Idle)
        }),
        Row::new("curl, TLS 1.3", |nginx| nginx.curl("https", nginx.tls)),
        Row::new("httpoll, TLS 1.3, tight loop, unlimited", |nginx| {
            nginx.httpoll("https", Budget::unlimited(), Pace::Tight)
        }),
        Row::new("httpoll, TLS 1.3, 60 idle fps, 1 ms (default)", |nginx| {
            nginx.httpoll("https", Budget::default(), Pace::Idle)
        }),
    ];
    let mut all = vec![Vec::new(); rows.len()];
    for round in 1..=rounds {
        for (row, runs) in rows.iter().zip(&mut all) {
            runs.push((row.run)(&nginx)?);
        }
        eprintln!("round {round} of {rounds} done");
    }

    println!(
        "{} MiB, {rounds} rounds; median (lowest..highest)\n",
        bytes >> 20
    );
    println!("| row | MB/s | MB per ms of work | work per frame, p50 / p99 / longest |");
    println!("|---|---|---|---|");
    for (row, runs) in rows.iter().zip(&mut all) {
        runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let middle = &runs[runs.len() / 2];
        let frames = match &middle.work {
            Some(work) => format!(
                "{:.1} | {:.2?} / {:.2?} / {:.2?}",
                work.rate, work.p50, work.p99, work.longest
            ),
            None => "– | –".to_owned(),
        };
        println!(
            "| {} | {:.0} ({:.0}..{:.0}) | {frames} |",
            row.name,
            middle.rate,
            runs[0].rate,
            runs[runs.len() - 1].rate
        );
    }
    Ok(())
}

struct Row {
    name: &'static str,
    run: Box<dyn Fn(&Nginx) -> Outcome<Run>>,
}

impl Row {
    fn new(name: &'static str, run: impl Fn(&Nginx) -> Outcome<Run> + 'static) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

#[derive(Clone)]
struct Run {
    /// MB/s over the whole download.
    rate: f64,
    work: Option<Work>,
}

/// What a frame loop cost.
#[derive(Clone)]
struct Work {
    /// MB for each millisecond of work.
    rate: f64,
    p50: Duration,
    p99: Duration,
    longest: Duration,
}

/// What happens between two polls.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    /// Nothing.
    Tight,
    /// Sleep until the next 60th of a second.
    Idle,
    /// Work until the next 60th of a second, as a game does: the processor stays awake.
    Busy,
}

/// Runs `frame` at this pace until it says that it is done.
fn frames(bytes: u64, pace: Pace, mut frame: impl FnMut() -> Outcome<bool>) -> Outcome<Run> {
    let start = Instant::now();
    let mut works = Vec::new();
    let mut next_at = start;
    loop {
        let began = Instant::now();
        let done = frame()?;
        works.push(began.elapsed());
        if done {
            break;
        }
        next_at = (next_at + FRAME).max(Instant::now());
        match pace {
            Pace::Tight => {}
            Pace::Idle => std::thread::sleep(next_at.saturating_duration_since(Instant::now())),
            Pace::Busy => while Instant::now() < next_at {},
        }
    }
    let rate = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
    let total: Duration = works.iter().sum();
    works.sort_unstable();
    let at = |part: usize| works[(works.len() - 1) * part / 100];
    Ok(Run {
        rate,
        work: (pace != Pace::Tight).then(|| Work {
            rate: bytes as f64 / 1e6 / (total.as_secs_f64() * 1e3),
            p50: at(50),
            p99: at(99),
            longest: at(100),
        }),
    })
}

/// An nginx of this benchmark's own.
struct Nginx {
    process: Child,
    folder: PathBuf,
    plain: u16,
    tls: u16,
    bytes: u64,
}

impl Nginx {
    fn start(bytes: u64) -> Outcome<Self> {
        // Memory, where the system offers it: a disk is not what is measured.
        let base = if Path::new("/dev/shm").is_dir() {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("httpoll-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let block: Vec<u8> = (0..1 << 20)
            .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut file = fs::File::create(folder.join("file"))?;
        for _ in 0..bytes >> 20 {
            file.write_all(&block)?;
        }
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        fs::write(folder.join("cert.pem"), certified.cert.pem())?;
        fs::write(
            folder.join("key.pem"),
            certified.signing_key.serialize_pem(),
        )?;
        let free_port =
            || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (plain, tls) = (free_port()?, free_port()?);
        let at = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/errors;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; default_type application/octet-stream;\n\
             client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;\n\
             uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n\
             server {{ listen 127.0.0.1:{plain}; root {at}; }}\n\
             server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {at}/cert.pem;\n\
             ssl_certificate_key {at}/key.pem; ssl_protocols TLSv1.3; root {at}; }} }}\n"
        );
        let config_path = folder.join("nginx.conf");
        fs::write(&config_path, config)?;
        let process = Command::new("nginx")
            .arg("-c")
            .arg(&config_path)
            .arg("-e")
            .arg(folder.join("errors"))
            .spawn()
            .map_err(|error| format!("nginx: {error}"))?;
        let nginx = Self {
            process,
            folder,
            plain,
            tls,
            bytes,
        };
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", tls)).is_err() {
            if Instant::now() > patience {
                return Err("nginx does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    fn curl(&self, scheme: &str, port: u16) -> Outcome<Run> {
        let output = Command::new("curl")
            .args([
                "-sk",
                "-o",
                "/dev/null",
                "-w",
                "%{size_download} %{time_total}",
            ])
            .arg(format!("{scheme}://127.0.0.1:{port}/file"))
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("curl: {error}"))?;
        let text = String::from_utf8(output.stdout)?;
        let (size, seconds) = text.split_once(' ').ok_or("curl said nothing")?;
        if size.parse::<u64>()? != self.bytes {
            return Err(format!("curl got {size} bytes").into());
        }
        Ok(Run {
            rate: self.bytes as f64 / 1e6 / seconds.parse::<f64>()?,
            work: None,
        })
    }

    /// The floor.
    fn floor(&self, budget: Option<Duration>, pace: Pace) -> Outcome<Run> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.plain))?;
        stream.write_all(b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        stream.set_nonblocking(true)?;
        let mut buffer = vec![0; 256 * 1024];
        let mut received = 0;
        frames(self.bytes, pace, || {
            let began = Instant::now();
            let mut quiet_since = began;
            while received < self.bytes {
                match stream.read(&mut buffer) {
                    Ok(0) => return Err("nginx closed".into()),
                    // The head counts, too: it is less than a thousandth.
                    Ok(count) => {
                        received += count as u64;
                        quiet_since = Instant::now();
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if quiet_since.elapsed() >= LINGER {
                            break;
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
                if budget.is_some_and(|budget| began.elapsed() >= budget) {
                    break;
                }
            }
            Ok(received >= self.bytes)
        })
    }

    fn httpoll(&self, scheme: &str, budget: Budget, pace: Pace) -> Outcome<Run> {
        let mut http = HttpClient::new();
        http.set_budget(budget);
        let port = if scheme == "https" {
            self.tls
        } else {
            self.plain
        };
        let options = TlsOptions::client_unsafe(None)?;
        http.connect_to_host(&format!("{scheme}://127.0.0.1"), port.into(), Some(options))?;
        let mut received = 0;
        frames(self.bytes, pace, || {
            http.poll()?;
            if http.get_status() == Status::Connected && !http.has_response() {
                http.request(Method::Get, "/file", &[], "")?;
                http.poll()?;
            }
            while http.get_status() == Status::Body {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() {
                    break;
                }
                received += chunk.len() as u64;
            }
            if http.get_status() == Status::Connected && http.has_response() {
                return if received == self.bytes {
                    Ok(true)
                } else {
                    Err(format!("httpoll got {received} bytes").into())
                };
            }
            Ok(false)
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
