//! What real clients, proxies, tunnels and tools do: hosts and ports, `Expect`, ranges of empty files, paths
//! in parameters, busy ports, and a listener that moves to another server.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use httpoll::server::files::{EmbeddedRoot, StaticFiles};
use httpoll::server::forwarded::{ForwardedBy, TrustedProxies};
use httpoll::server::guard::Guard;
use httpoll::server::{Request, Response, Server};
use serving::{Notes, TestServer, answers, body, header, status, test_server, test_server_with};

fn ask(test: &mut TestServer, method: &str, target: &str, fields: &str) -> String {
    test.ask(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n"))
}

#[test]
fn the_host_that_a_trusted_proxy_reports_is_checked_like_host() {
    let proxies = || TrustedProxies::new(["127.0.0.1".parse().unwrap()], ForwardedBy::XForwarded);
    let guard = || Guard::local(8080).allow_host("game.example").unwrap();
    let builder = Server::builder().guard(guard()).trusted_proxies(proxies());
    let mut test = test_server_with(builder);
    test.server.route("*", "/", answers("ok")).unwrap();
    for (fields, expected) in [
        ("Host: 127.0.0.1:9\r\n", 200),
        (
            "Host: 127.0.0.1:9\r\nX-Forwarded-Host: game.example\r\n",
            200,
        ),
        (
            "Host: 127.0.0.1:9\r\nX-Forwarded-Host: evil.example\r\n",
            421,
        ),
        ("Host: inner\r\nX-Forwarded-Host: game.example\r\n", 200),
        (
            "Host: inner\r\nX-Forwarded-Host: game.example\r\nOrigin: http://game.example\r\n",
            200,
        ),
        (
            "Host: inner\r\nX-Forwarded-Host: game.example\r\nOrigin: http://evil.example\r\n",
            403,
        ),
    ] {
        assert_eq!(
            status(&ask(&mut test, "POST", "/", fields)),
            expected,
            "{fields}"
        );
    }
    // From any other peer the field means nothing.
    let mut test = test_server_with(Server::builder().guard(guard()));
    test.server.route("*", "/", answers("ok")).unwrap();
    let fields = "Host: inner\r\nX-Forwarded-Host: game.example\r\n";
    assert_eq!(status(&ask(&mut test, "GET", "/", fields)), 421);
}

#[test]
fn an_unrouted_upload_is_refused_before_it_is_sent() {
    let mut test = test_server();
    test.server.route("POST", "/up", answers("ok")).unwrap();
    let root = EmbeddedRoot::new().with("a.txt", &b"a"[..]);
    test.server.files(StaticFiles::new("/files", root));
    let head = "Host: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n";
    for (target, expected) in [("/nowhere", 404), ("/files/a.txt", 405)] {
        let mut client = test.connect();
        let response = test.send(&mut client, format!("POST {target} HTTP/1.1\r\n{head}\r\n"));
        assert_eq!(status(&response), expected, "{target}");
        // The client may or may not send the content, so the connection cannot be kept.
        assert_eq!(header(&response, "connection"), Some("close"), "{target}");
    }
    let mut client = test.connect();
    let response = test.send(&mut client, format!("POST /up HTTP/1.1\r\n{head}\r\n"));
    assert_eq!(status(&response), 100);
    assert_eq!(body(&test.send(&mut client, "hello")), "ok");
    // Hooks and a custom not-found handler see the whole request as before.
    test.server
        .set_not_found_handler(|request: &mut Request, response: &mut Response| {
            response.set_body(format!("{} bytes", request.body().len()));
        });
    let mut client = test.connect();
    test.send(&mut client, format!("POST /nowhere HTTP/1.1\r\n{head}\r\n"));
    assert_eq!(body(&test.send(&mut client, "hello")), "5 bytes");
}

#[test]
fn a_range_of_an_empty_file_is_the_empty_file() {
    let mut test = test_server();
    let root = EmbeddedRoot::new().with("empty", &b""[..]);
    test.server.files(StaticFiles::new("/", root));
    for range in ["bytes=0-", "bytes=0-0", "bytes=-5", "bytes=5-"] {
        let response = ask(
            &mut test,
            "GET",
            "/empty",
            &format!("Host: a\r\nRange: {range}\r\n"),
        );
        assert_eq!(status(&response), 200, "{range}");
        assert_eq!(header(&response, "content-length"), Some("0"), "{range}");
    }
}

#[test]
fn a_parameter_is_checked_before_it_becomes_a_path() {
    let mut test = test_server();
    test.server
        .route("GET", "/saves/*path", |request: &mut Request| match request
            .param_path("path")
            .unwrap()
        {
            Ok(path) => Response::text(path.as_str()),
            Err(fault) => Response::text(fault.to_string()).with_status(400),
        })
        .unwrap();
    for (target, expected) in [
        ("/saves/slot1/a%20b.json", 200),
        ("/saves/%2e%2e/secret", 400),
        ("/saves/a%2f..%2f..%2fsecret", 400),
        ("/saves/%2fetc%2fpasswd", 400),
        ("/saves/c%3a%5cx", 400),
    ] {
        let response = ask(&mut test, "GET", target, "Host: a\r\n");
        assert_eq!(status(&response), expected, "{target}");
    }
}

#[test]
fn a_request_as_json() {
    let mut test = test_server();
    test.server
        .route("POST", "/:who", |request: &mut Request| request.to_json())
        .unwrap();
    let response = test.ask(
        "POST /me?a=1&b HTTP/1.1\r\nHost: x\r\nCookie: c=d\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\ne=f",
    );
    let json: serde_json::Value = serde_json::from_str(body(&response)).unwrap();
    assert_eq!(json["method"], "POST");
    assert_eq!(json["path"], "/me");
    assert_eq!(json["query"], serde_json::json!([["a", "1"], ["b", null]]));
    assert_eq!(json["params"], serde_json::json!([["who", "me"]]));
    assert_eq!(json["cookies"], serde_json::json!([["c", "d"]]));
    assert_eq!(json["headers"][0], serde_json::json!(["Host", "x"]));
    assert_eq!(json["form"], serde_json::json!([["e", "f"]]));
    assert_eq!(json["body"], "e=f");
}

#[test]
fn a_slow_handler_is_reported_without_being_asked_for() {
    for (took, expected) in [(7, 0), (9, 1)] {
        let mut test = test_server();
        let notes = Notes::default();
        let network = test.network.clone();
        test.server
            .route("GET", "/", move |_: &mut Request| {
                network.advance(Duration::from_millis(took));
                Response::new()
            })
            .unwrap();
        let reported = notes.clone();
        test.server
            .on_error(move |fault, _| reported.add(fault.to_string()));
        test.get("/");
        assert_eq!(notes.take().len(), expected, "{took} ms");
    }
}

#[test]
fn a_busy_port_is_named_by_its_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let error = Server::bind(address).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{address}: could not listen")),
        "{error}"
    );
    assert!(error.contains("choose another port"), "{error}");
}

/// Reads a response to its end, which the server marks by closing.
fn read_all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_listener_is_handed_to_another_server_without_losing_a_client() {
    let mut old = Server::bind("127.0.0.1:0").unwrap();
    old.route("GET", "/", answers("old")).unwrap();
    let address: SocketAddr = old.local_addr();
    let get = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // One client that the old server has accepted, and one that still waits.
    let mut accepted = TcpStream::connect(address).unwrap();
    while old.metrics().accepted == 0 {
        old.wait(Some(Duration::from_millis(5))).unwrap();
    }
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.write_all(get).unwrap();

    let listener = old.take_listener().unwrap();
    assert!(!old.is_listening() && old.take_listener().is_none());
    let mut new = Server::builder().from_listener(listener).unwrap();
    assert_eq!(new.local_addr(), address);
    new.route("GET", "/", answers("new")).unwrap();
    accepted.write_all(get).unwrap();
    let mut late = TcpStream::connect(address).unwrap();
    late.write_all(get).unwrap();
    let clients = thread::spawn(|| [accepted, waiting, late].map(read_all));
    while !clients.is_finished() {
        old.poll().unwrap();
        new.wait(Some(Duration::from_millis(2))).unwrap();
    }
    let texts = clients.join().unwrap();
    assert_eq!(
        [body(&texts[0]), body(&texts[1]), body(&texts[2])],
        ["old", "new", "new"]
    );
    // The old server is done; the address stays the new one's.
    drop(old);
    let taken = TcpListener::bind(address).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
}
