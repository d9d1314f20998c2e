//! The optional parts of the server, tested through requests: static files, forms, the guard, proxies, the
//! access log, cookies and files as responses.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::server::cookies::SetCookie;
use httpoll::server::files::{EmbeddedRoot, FolderRoot, StaticFiles};
use httpoll::server::forwarded::{ForwardedBy, TrustedProxies};
use httpoll::server::guard::{Auth, Cors, Guard, RateLimit, RateRule, RunToken, TokenScope};
use httpoll::server::{HandlerError, Request, Response, Server};
use serving::{
    Notes, TestServer, answers, body, header, headers, status, test_server, test_server_with,
};

/// A server at a loopback address of the in-memory network, with its default guard.
fn local_server() -> TestServer {
    let network = MemoryNetwork::new();
    let server = Server::builder()
        .on_memory(&network, serving::address())
        .unwrap();
    let mut test = TestServer {
        network,
        server,
        budget: httpoll::Budget::unlimited(),
    };
    test.server
        .set_guard(Guard::for_address("127.0.0.1:80".parse().unwrap()));
    test.server.route("GET", "/", answers("in")).unwrap();
    test.server.route("POST", "/", answers("done")).unwrap();
    test
}

fn get(test: &mut TestServer, path: &str, lines: &str) -> String {
    test.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
}

fn with_files() -> TestServer {
    let mut test = test_server();
    let root = EmbeddedRoot::new()
        .with("app.css", "body {}")
        .with("index.html", "<h1>home</h1>")
        .with("sub/index.html", "sub")
        .with("app.js", "plain")
        .with("app.js.gz", "zipped")
        .with("big.bin", "x".repeat(300_000));
    test.server
        .files(StaticFiles::new("/static", root).cache_age(60).tag(true));
    test
}

#[test]
fn static_files() {
    let mut test = with_files();
    test.server
        .route("GET", "/static/own", answers("route"))
        .unwrap();
    let response = test.get("/static/app.css");
    assert_eq!((status(&response), body(&response)), (200, "body {}"));
    assert!(
        header(&response, "content-type")
            .unwrap()
            .starts_with("text/css")
    );
    assert_eq!(
        header(&response, "cache-control"),
        Some("public, max-age=60, s-maxage=60, immutable")
    );
    let tag = header(&response, "etag").unwrap().to_owned();
    for lines in [
        format!("If-None-Match: {tag}\r\n"),
        "If-None-Match: *\r\n".to_owned(),
    ] {
        let response = get(&mut test, "/static/app.css", &lines);
        assert_eq!((status(&response), body(&response)), (304, ""));
        assert_eq!(header(&response, "content-length"), None);
        assert_eq!(header(&response, "etag"), Some(&*tag));
    }
    // The not-found handler gets paths without a file, and paths that are only spelled like a file's.
    for path in ["/static/none.css", "/staticapp.css", "/other"] {
        let response = test.get(path);
        assert_eq!(
            (status(&response), body(&response)),
            (404, "404 - Not Found."),
            "{path}"
        );
    }
    assert_eq!(body(&test.get("/static/own")), "route");
    assert_eq!(body(&test.get("/static/")), "<h1>home</h1>");
    let response = test.get("/static/sub");
    assert!((300..400).contains(&status(&response)));
    assert!(
        header(&response, "location")
            .unwrap()
            .ends_with("/static/sub/")
    );
    let response = test.ask("HEAD /static/app.css HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (header(&response, "content-length"), body(&response)),
        (Some("7"), "")
    );
    let response = test.ask("PUT /static/app.css HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(status(&response), 405);
}

#[test]
fn ranges_and_precompressed_files() {
    let mut test = with_files();
    for (range, expected, content) in [
        ("bytes=0-3", 206, "body"),
        ("bytes=-2", 206, "{}"),
        ("bytes=5-", 206, "{}"),
        ("bytes=9-", 416, ""),
        ("lines=1-2", 200, "body {}"),
    ] {
        let response = get(&mut test, "/static/app.css", &format!("Range: {range}\r\n"));
        assert_eq!(status(&response), expected, "{range}");
        if expected != 416 {
            assert_eq!(body(&response), content);
        }
    }
    let response = get(&mut test, "/static/app.css", "Range: bytes=0-0,2-2\r\n");
    assert_eq!(status(&response), 206);
    assert!(
        header(&response, "content-type")
            .unwrap()
            .starts_with("multipart/byteranges")
    );
    let response = get(
        &mut test,
        "/static/app.css",
        "Range: bytes=0-3\r\nIf-Range: \"other\"\r\n",
    );
    assert_eq!(status(&response), 200);
    let response = get(&mut test, "/static/app.js", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (header(&response, "content-encoding"), body(&response)),
        (Some("gzip"), "zipped")
    );
    assert_eq!(body(&test.get("/static/app.js")), "plain");
    assert_eq!(body(&test.get("/static/big.bin")).len(), 300_000);
}

#[test]
fn no_path_leads_out_of_a_folder() {
    let folder = std::env::temp_dir().join(format!("httpoll-root-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("public")).unwrap();
    std::fs::write(folder.join("secret"), "secret").unwrap();
    std::fs::write(folder.join("public/open"), "open").unwrap();
    let mut test = test_server();
    test.server.files(StaticFiles::new(
        "/f",
        FolderRoot::new(folder.join("public")).unwrap(),
    ));
    assert_eq!(body(&test.get("/f/open")), "open");
    for path in [
        "/f/../secret",
        "/f/..%2fsecret",
        "/f/%2e%2e/secret",
        "/f/%2e%2e%2fsecret",
        "/f/..%5csecret",
        "/f/..\\secret",
        "/f/open%00.txt",
        "/f//etc/passwd",
        "/f/%252e%252e/secret",
        "/f/./../secret",
        "/f/C:/secret",
        "/../f/../secret",
    ] {
        let response = test.get(path);
        assert!(matches!(status(&response), 400 | 404), "{path}: {response}");
        assert!(
            !response.contains("secret\n") && body(&response) != "secret",
            "{path}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn forms() {
    let mut test = test_server();
    test.server
        .handle(
            "POST",
            "/",
            |request: &mut Request, response: &mut Response| {
                let form = request.form()?;
                for field in &form.fields {
                    response.write(format!(
                        "{}={} ",
                        field.name,
                        String::from_utf8_lossy(&field.value)
                    ));
                }
                for file in &form.files {
                    response.write(format!(
                        "{}:{:?}:{} ",
                        file.head.name, file.head.file_name, file.size
                    ));
                    if let Some(bytes) = file.bytes() {
                        response.write(bytes);
                    }
                }
                Ok::<(), HandlerError>(())
            },
        )
        .unwrap();
    let post = |kind: &str, content: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{content}",
            content.len()
        )
    };
    let response = test.ask(post(
        "application/x-www-form-urlencoded",
        "a=1&a=2&b+c=%C3%A4",
    ));
    assert_eq!(body(&response), "a=1 a=2 b c=\u{e4} ");
    let content = "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntext\r\n--B\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\nexact\r\n\r\n--B--\r\n";
    for cut in [1, 40, 90, 130, 170] {
        let whole = post("multipart/form-data; boundary=\"B\"; x=y", content);
        let mut client = test.connect();
        let at = whole.len() - content.len() + cut;
        test.send(&mut client, &whole[..at]);
        let response = test.send(&mut client, &whole[at..]);
        assert_eq!(
            body(&response),
            "t=text f:Some(\"x.bin\"):9 \r\nexact\r\n",
            "{cut}"
        );
    }
    // As axum and actix do: what is not a form is not read as one.
    for kind in [
        "text/plain",
        "application/json",
        "image/png;x=y",
        "",
        "multipart/mixed; boundary=B",
    ] {
        let response = test.ask(post(kind, "a=1"));
        assert_eq!(status(&response), 415, "{kind}");
    }
    let response = test.ask(post(
        "Application/X-WWW-Form-Urlencoded;charset=utf-8",
        "a=1",
    ));
    assert_eq!(body(&response), "a=1 ");
    assert_eq!(status(&test.ask(post("multipart/form-data", content))), 415);
    assert_eq!(
        status(&test.ask(post("multipart/form-data; boundary=B", "--B\r\nbroken"))),
        400
    );
}

#[test]
fn a_file_as_the_response() {
    let folder = std::env::temp_dir().join(format!("httpoll-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.glb");
    std::fs::write(&path, vec![b'g'; 200_000]).unwrap();
    let mut test = test_server();
    test.server
        .route("GET", "/", move |request: &mut Request| {
            Response::file(if request.query().contains("none") {
                path.with_extension("none")
            } else {
                path.clone()
            })
        })
        .unwrap();
    let response = test.get("/");
    assert_eq!(header(&response, "content-type"), Some("model/gltf-binary"));
    assert_eq!(
        (header(&response, "content-length"), body(&response).len()),
        (Some("200000"), 200_000)
    );
    assert_eq!(status(&test.get("/?none")), 500);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn each_cookie_has_a_line() {
    let mut test = test_server();
    test.server
        .handle(
            "GET",
            "/",
            |_: &mut Request,
             response: &mut Response|
             -> Result<(), httpoll::server::cookies::InvalidSetCookie> {
                response.set_cookie(&SetCookie::new("a", "1"))?;
                response.set_cookie(&SetCookie::new("__Host-b", "2").secure(true))?;
                Ok(())
            },
        )
        .unwrap();
    let response = test.get("/");
    let cookies = headers(&response, "set-cookie");
    assert_eq!(cookies.len(), 2);
    assert!(cookies[0].starts_with("a=1") && cookies[1].starts_with("__Host-b=2"));
}

#[test]
fn the_guard_of_a_loopback_address() {
    let mut test = local_server();
    let mut ask = |lines: &str, method: &str| {
        status(&test.ask(format!(
            "{method} / HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n"
        )))
    };
    for (lines, method, expected) in [
        ("Host: localhost\r\n", "GET", 200),
        ("Host: 127.0.0.1\r\n", "GET", 200),
        ("Host: [::1]\r\n", "GET", 200),
        ("Host: evil.example\r\n", "GET", 421),
        ("Host: 127.0.0.1.evil.example\r\n", "GET", 421),
        ("Host: localhost:81\r\n", "GET", 200),
        (
            "Host: localhost\r\nOrigin: http://localhost\r\n",
            "POST",
            200,
        ),
        (
            "Host: localhost\r\nOrigin: https://evil.example\r\n",
            "POST",
            403,
        ),
        ("Host: localhost\r\nOrigin: null\r\n", "POST", 403),
        // A page of another site that opens a WebSocket sends a GET.
        (
            "Host: localhost\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
            "GET",
            403,
        ),
        (
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
            "POST",
            403,
        ),
    ] {
        assert_eq!(ask(lines, method), expected, "{method} {lines:?}");
    }
    // No hook and no handler sees a refused request.
    let notes = Notes::default();
    let seen = notes.clone();
    test.server.on_receive(move |_, _| seen.add("seen"));
    test.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert!(notes.take().is_empty());
    // Servers on real sockets get this guard by default.
    let server = Server::bind("127.0.0.1:0").unwrap();
    assert!(format!("{server:?}").contains("127.0.0.1"));
}

#[test]
fn tokens_credentials_rates_and_other_origins() {
    let mut test = local_server();
    let token = RunToken::from_random([7; 32]);
    let text = token.as_str().to_owned();
    test.server
        .set_guard(Guard::open().require_token(token, TokenScope::EveryRequest));
    assert_eq!(status(&get(&mut test, "/", "")), 401);
    assert_eq!(
        status(&get(&mut test, "/", &format!("X-Run-Token: {text}\r\n"))),
        200
    );
    assert_eq!(status(&get(&mut test, "/", "X-Run-Token: wrong\r\n")), 401);

    test.server
        .set_guard(Guard::open().auth(Auth::basic("/", "realm", [("user", "pass")]).unwrap()));
    let response = get(&mut test, "/", "");
    assert_eq!(status(&response), 401);
    assert!(
        header(&response, "www-authenticate")
            .unwrap()
            .starts_with("Basic")
    );
    assert_eq!(
        status(&get(
            &mut test,
            "/",
            "Authorization: Basic dXNlcjpwYXNz\r\n"
        )),
        200
    );

    let limit = RateLimit::new([RateRule::new("/", 2, Duration::from_secs(1))]);
    test.server.set_guard(Guard::open().rate_limit(limit));
    let statuses: Vec<u16> = (0..3).map(|_| status(&get(&mut test, "/", ""))).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let response = get(&mut test, "/", "");
    assert!(header(&response, "retry-after").is_some());
    test.pass(Duration::from_secs(3));
    assert_eq!(status(&get(&mut test, "/", "")), 200);

    let cors = Cors::new(["https://friend.example"]).unwrap();
    test.server.set_guard(Guard::local(80).cors(cors));
    let preflight = test.ask("OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://friend.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
    assert_eq!(status(&preflight), 204);
    let allowed = Some("https://friend.example");
    assert_eq!(header(&preflight, "access-control-allow-origin"), allowed);
    let response =
        test.ask("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://friend.example\r\n\r\n");
    assert_eq!(
        (
            status(&response),
            header(&response, "access-control-allow-origin")
        ),
        (200, allowed)
    );
    let response =
        test.ask("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://other.example\r\n\r\n");
    assert_eq!(
        (
            status(&response),
            header(&response, "access-control-allow-origin")
        ),
        (403, None)
    );
}

#[test]
fn proxies_are_believed_only_when_they_are_trusted() {
    let request = "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: outer.example:8443\r\nX-Forwarded-Proto: https\r\n\r\n";
    for (trusted, expected) in [
        (false, "127.0.0.1 inner false"),
        (true, "203.0.113.7 outer.example true"),
    ] {
        let mut builder = Server::builder();
        if trusted {
            let networks = ["127.0.0.0/8".parse().unwrap()];
            builder =
                builder.trusted_proxies(TrustedProxies::new(networks, ForwardedBy::XForwarded));
        }
        let mut test = test_server_with(builder);
        test.server
            .route("GET", "/", |request: &mut Request| {
                format!(
                    "{} {} {}",
                    request.ip(),
                    request.host().unwrap_or_default(),
                    request.is_secure()
                )
            })
            .unwrap();
        assert_eq!(body(&test.ask(request)), expected);
    }
}

#[test]
fn an_access_log_keeps_records_without_queries() {
    let mut test = test_server_with(Server::builder().access_log(2));
    test.server.route("GET", "/a", answers("a")).unwrap();
    for path in ["/one?token=secret", "/two", "/a?b"] {
        get(&mut test, path, "User-Agent: test\r\n");
    }
    let records: Vec<_> = test.server.access_log().drain().collect();
    let reported: Vec<_> = records
        .iter()
        .map(|it| (it.path.as_str(), it.status.as_u16()))
        .collect();
    assert_eq!(reported, [("/two", 404), ("/a", 200)]);
    assert_eq!(records[0].agent.as_deref(), Some("test"));
}
