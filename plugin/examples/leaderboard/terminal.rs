//! The example in a terminal: the service is a part of the program, and text is printed.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::logic::{Leaderboard, Score};
use crate::offline;

/// A service for scores in this program, and a folder for the cache.
pub(crate) struct Service {
    address: SocketAddr,
    folder: PathBuf,
}

impl Service {
    pub(crate) fn start() -> io::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("httpoll-leaderboard-{}", std::process::id()));
        let address = serve()?;
        Ok(Self { address, folder })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn cache_file(&self) -> PathBuf {
        self.folder.join("http.cache")
    }

    /// After the app has ended.
    pub(crate) fn end(self) -> io::Result<()> {
        std::fs::remove_dir_all(self.folder)
    }
}

pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// The printed text says it all.
pub(crate) fn draw(_: &Leaderboard) {}

/// A service that is busy at first, and that fails on request.
fn serve() -> io::Result<SocketAddr> {
    let scores = Mutex::new(vec![Score {
        player: "Bob".to_owned(),
        points: 171_900,
    }]);
    let posts = AtomicU32::new(0);
    let is_failing = AtomicBool::new(false);
    offline::serve(move |request, stream| {
        if request.target == "/fail" {
            is_failing.store(true, Ordering::Relaxed);
            return offline::reply(stream, 200, "text/plain", b"");
        }
        if is_failing.load(Ordering::Relaxed) {
            return offline::reply(stream, 500, "text/plain", b"out of order");
        }
        let mut scores = scores.lock().map_err(|_| io::ErrorKind::Other)?;
        if request.method == "POST" {
            if posts.fetch_add(1, Ordering::Relaxed) == 0 {
                println!("the server is busy and asks to retry after one second");
                return stream.write_all(
                    b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                );
            }
            let is_ada = request.field("authorization") == Some("Bearer token-of-ada");
            if !is_ada {
                println!("the server refuses the score: wrong credentials");
                return offline::reply(stream, 401, "text/plain", b"");
            }
            println!("the server accepts the score");
            scores.push(serde_json::from_slice(&request.body)?);
            scores.sort_by_key(|score| std::cmp::Reverse(score.points));
            return offline::reply(stream, 201, "text/plain", b"");
        }
        let list = serde_json::to_vec(&*scores)?;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=0\r\n\
             Content-Length: {}\r\n\r\n",
            list.len()
        )?;
        stream.write_all(&list)
    })
}
