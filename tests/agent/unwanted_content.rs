//! Responses whose content nobody wants: what follows begins at their head, however slowly the content
//! arrives (Fetch, "HTTP-redirect fetch").

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::auth::Credentials;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::proxy::ProxySettings;
use httpoll::{Agent, Download, ErrorKind, Request, RetryPolicy};

use crate::support::{Folder, address, frames, run, script};

/// How an unwanted response announces its content, of which it sends only the beginning.
const FRAMINGS: [&str; 3] = [
    "Content-Length: 60000\r\n\r\nonly this",
    "Transfer-Encoding: chunked\r\n\r\nea60\r\nonly this",
    "\r\nonly this",
];

const WHOLE: &str = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n0123456789";

/// Half of the content, and then the end of the connection.
const HALF: &str = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n01234<close>";

/// All of the content, but not its end.
const ENDLESS: &str = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n\
                       a\r\n0123456789\r\n<close>";

struct Row {
    name: &'static str,
    request: fn(&Folder) -> Request,
    /// What is sent before the unwanted response.
    before: &'static [&'static str],
    /// Whether the request runs once before. Otherwise it gets all responses in one run.
    runs_before: bool,
    /// Status line and fields of the unwanted response, without its framing.
    head: &'static str,
    /// The content in the end.
    content: &'static str,
}

fn row(name: &'static str, request: fn(&Folder) -> Request, head: &'static str) -> Row {
    Row {
        name,
        request,
        before: &[],
        runs_before: false,
        head,
        content: "0123456789",
    }
}

impl Row {
    fn after(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }

    fn after_a_run(mut self, before: &'static [&'static str]) -> Self {
        self.runs_before = true;
        self.after(before)
    }

    fn content(mut self, content: &'static str) -> Self {
        self.content = content;
        self
    }
}

fn get(_: &Folder) -> Request {
    Request::get("http://game.example/")
}

fn retried(folder: &Folder) -> Request {
    let mut retries = RetryPolicy::standard();
    retries.base_delay = Duration::ZERO;
    retries.jitter = false;
    get(folder).retries(retries).decompress(false)
}

fn resumed(folder: &Folder) -> Request {
    get(folder).download_to(Download::to(folder.path("a")).resume(true))
}

fn hops() -> Vec<Row> {
    vec![
        row("a redirect", get, "301 Moved\r\nLocation: /new\r\n"),
        row("a redirect", get, "302 Found\r\nLocation: /new\r\n"),
        row("a redirect", get, "303 See Other\r\nLocation: /new\r\n"),
        row("a redirect", get, "307 Moved\r\nLocation: /new\r\n"),
        row("a redirect", get, "308 Moved\r\nLocation: /new\r\n"),
        row(
            "a redirect to another host",
            get,
            "302 Found\r\nLocation: http://other.example/\r\n",
        ),
        row(
            "a redirect of a stream",
            |folder| get(folder).download_to(folder.path("b")),
            "302 Found\r\nLocation: /new\r\n",
        ),
        row(
            "a challenge that can be met",
            |folder| {
                get(folder).credentials(Credentials::Any {
                    user: "ann".to_owned(),
                    password: "secret".to_owned(),
                })
            },
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"game\"\r\n",
        ),
        row("a retry", retried, "503 Service Unavailable\r\n"),
        row("a retry", retried, "502 Bad Gateway\r\n"),
        row("a retry", retried, "504 Gateway Timeout\r\n"),
        row("a retry", retried, "429 Too Many\r\nRetry-After: 0\r\n"),
        row("a kept connection", get, "408 Request Timeout\r\n").after_a_run(&[WHOLE]),
        row(
            "another origin",
            |folder| get(folder).fail_over(["http://other.example"]),
            "502 Bad Gateway\r\n",
        ),
        row(
            "an expectation that fails",
            |_| {
                Request::put("http://game.example/")
                    .body("content")
                    .expect_continue(Some(1))
            },
            "417 Expectation Failed\r\n",
        ),
    ]
}

fn parts() -> Vec<Row> {
    vec![
        row(
            "a range of a file that has become shorter",
            resumed,
            "416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\n",
        )
        .after_a_run(&[HALF]),
        row(
            "a file that is complete already",
            resumed,
            "416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\n",
        )
        .after_a_run(&[ENDLESS]),
        row(
            "another part of a file",
            resumed,
            "206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 7-9/10\r\n",
        )
        .after_a_run(&[HALF]),
        row(
            "the rest of another version",
            retried,
            "206 Partial Content\r\nETag: \"2\"\r\nContent-Range: bytes 5-9/10\r\n",
        )
        .after(&[HALF]),
        row(
            "a range of content that has become shorter",
            retried,
            "416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\n",
        )
        .after(&[HALF]),
        row(
            "content that is complete already",
            retried,
            "416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\n",
        )
        .after(&[ENDLESS]),
    ]
}

/// Responses that have no content, whatever they announce and send.
fn without_content() -> Vec<Row> {
    const STALE: &str = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nCache-Control: no-cache\r\n\
                         Content-Length: 10\r\n\r\n0123456789";
    const LASTS: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0, stale-if-error=600\r\n\
                         Content-Length: 10\r\n\r\n0123456789";
    vec![
        row(
            "a response to HEAD",
            |_| Request::head("http://game.example/"),
            "200 OK\r\n",
        )
        .content(""),
        row("no content", get, "204 No Content\r\n").content(""),
        row(
            "the end of an event stream",
            |folder| get(folder).event_stream(),
            "204 No Content\r\n",
        )
        .content(""),
        row(
            "a validated response",
            get,
            "304 Not Modified\r\nETag: \"1\"\r\n",
        )
        .after_a_run(&[STALE]),
        row("a stale response", get, "503 Service Unavailable\r\n").after_a_run(&[LASTS]),
    ]
}

/// Serves `game.example`: each request head gets the next of these responses.
fn serve(network: &MemoryNetwork, responses: Vec<String>) {
    network.add_name("game.example", &[address("10.9.4.1:80").ip()]);
    let turn = Arc::new(Mutex::new(0));
    network.serve(address("10.9.4.1:80"), move || {
        let (responses, turn) = (responses.clone(), turn.clone());
        move |peer: &mut Peer| {
            if !peer.received().windows(4).any(|it| it == b"\r\n\r\n") {
                return;
            }
            peer.take_received();
            let mut turn = turn.lock().unwrap();
            let response = &responses[(*turn).min(responses.len() - 1)];
            *turn += 1;
            peer.send(response.trim_end_matches("<close>").as_bytes());
            if response.ends_with("<close>") {
                peer.close();
            }
        }
    });
}

fn play(row: &Row, framing: &str) {
    let what = format!("{} {}{framing}", row.name, row.head);
    let folder = Folder::new("unwanted");
    let network = MemoryNetwork::new();
    let mut responses: Vec<String> = row.before.iter().map(|it| (*it).to_owned()).collect();
    responses.push(format!("HTTP/1.1 {}{framing}", row.head));
    responses.push(WHOLE.to_owned());
    serve(&network, responses);
    script(
        &network,
        "other.example",
        "10.9.4.2:80",
        &[WHOLE.as_bytes()],
    );
    let mut agent = Agent::builder()
        .cache(Default::default())
        .build_on_memory(&network);
    if row.runs_before {
        drop(run(&network, &mut agent, (row.request)(&folder)));
    }
    let began = network.now();
    let outcome = run(&network, &mut agent, (row.request)(&folder));
    let took = network.now() - began;
    let response = outcome
        .result
        .unwrap_or_else(|(error, _)| panic!("{what}: {error}"));
    let content = match response.saved() {
        Some(saved) => std::fs::read(&saved.path).unwrap(),
        None => response.body().to_vec(),
    };
    assert_eq!(String::from_utf8_lossy(&content), row.content, "{what}");
    assert!(took < Duration::from_millis(300), "{what} took {took:?}");
    // A connection that waits for the rest is given up after a second.
    for _ in 0..3 {
        network.advance(Duration::from_millis(600));
        frames(&network, &mut agent, 1);
    }
    agent.close_idle_connections();
    frames(&network, &mut agent, 1);
    assert_eq!(network.open_connections(), 0, "{what}: left open");
}

#[test]
fn content_that_nobody_wants_holds_nothing_up() {
    for row in hops().into_iter().chain(parts()).chain(without_content()) {
        for framing in FRAMINGS {
            play(&row, framing);
        }
    }
}

#[test]
fn the_content_of_a_proxys_refusal_holds_nothing_up() {
    for framing in FRAMINGS {
        let network = MemoryNetwork::new();
        let head = format!("HTTP/1.1 407 Proxy Authentication Required\r\n{framing}");
        script(&network, "proxy.example", "10.9.4.3:80", &[head.as_bytes()]);
        let proxies = ProxySettings::default().with_all("http://proxy.example:80");
        let mut agent = Agent::on_memory(&network);
        let began = network.now();
        let request = Request::get("http://game.example/")
            .proxies(proxies.unwrap())
            .proxy_tunnel(true);
        let outcome = run(&network, &mut agent, request);
        assert!(matches!(outcome.error().kind(), ErrorKind::Proxy(_)));
        let took = network.now() - began;
        assert!(took < Duration::from_millis(300), "{took:?}");
        assert_eq!(network.open_connections(), 0);
    }
}
