//! The features of the server, through its public interface.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::server::port_file::PortCandidates;
use httpoll::server::{
    BadRequest, NotFoundPolicy, Request, Responder, Response, Routes, Server, ServerFault,
    TimeoutKind,
};
use serde_json::json;
use serving::{
    DATE, Notes, Raw, answers, body, header, headers, status, test_server, test_server_with,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";

#[test]
fn a_server_listens_at_loopback_and_tells_its_port() {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    assert!(server.local_addr().ip().is_loopback());
    assert_ne!(server.local_addr().port(), 0);
    assert!(server.is_listening() && !server.is_closed());
    // The port is taken: binding a second server is an error.
    assert!(Server::bind(server.local_addr()).is_err());
    assert!(Server::bind("no port").is_err());
    server.close_now();
    assert!(server.is_closed());
    let port = server.local_addr().port();
    let again = Server::builder().bind_local(port).unwrap();
    assert_eq!(again.local_addr(), server.local_addr());
    // The search continues at the next port when one is taken.
    let hunted = Server::builder()
        .bind_first(PortCandidates::new(port).or_any())
        .unwrap();
    assert!(![0, port].contains(&hunted.local_addr().port()));
    assert!(
        Server::builder()
            .bind_first(PortCandidates::new(port))
            .is_err()
    );
}

#[test]
fn an_address_can_be_used_again_at_once() {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    let client = std::net::TcpStream::connect(address).unwrap();
    server.wait(None).unwrap();
    assert_eq!(server.metrics().open, 1);
    // With a connection still open, whose end stays in TIME_WAIT.
    drop(server);
    drop(client);
    assert!(Server::bind(address).is_ok());
}

#[test]
fn half_a_request_is_answered_408() {
    let mut test = test_server();
    let mut client = test.connect();
    assert_eq!(test.send(&mut client, "GET / HT"), "");
    test.pass(Duration::from_millis(9_900));
    assert_eq!(test.settle(&mut client), "");
    test.pass(Duration::from_millis(200));
    let response = test.settle(&mut client);
    assert_eq!(status(&response), 408);
    assert_eq!(header(&response, "connection"), Some("close"));
    assert!(client.closed);
}

#[test]
fn hooks_of_connections_run_in_order_and_once() {
    let mut test = test_server();
    let notes = Notes::default();
    for which in ["first", "second"] {
        let (up, down) = (notes.clone(), notes.clone());
        test.server
            .on_connect(move |client| up.add(format!("{which} +{}", client.number())));
        test.server
            .on_disconnect(move |client| down.add(format!("{which} -{}", client.number())));
    }
    let errors = notes.clone();
    test.server.on_error(move |fault, client| {
        errors.add(format!(
            "error {} {}",
            client.is_some(),
            matches!(fault, ServerFault::Request(_))
        ));
    });
    let mut client = test.connect();
    assert_eq!(notes.take(), ["first +1", "second +1"]);
    test.send(&mut client, "nonsense\r\n\r\n");
    client.hang_up();
    test.poll();
    assert_eq!(notes.take(), ["error true true", "first -1", "second -1"]);
    test.connect();
    test.server.close_now();
    drop(test);
    assert_eq!(
        notes.take(),
        ["first +2", "second +2", "first -2", "second -2"]
    );
}

#[test]
fn an_error_ends_no_more_than_its_own_connection() {
    // Without a hook for errors, too.
    let mut test = test_server();
    test.server.route("GET", "/", answers("alive")).unwrap();
    for nonsense in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let mut client = test.connect();
        let answer = test.send(&mut client, nonsense);
        assert!(
            answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
            "{answer}"
        );
        client.hang_up();
        test.poll();
        assert_eq!(body(&test.get("/")), "alive");
    }
}

#[test]
fn receive_hooks_run_before_the_handler_and_sent_hooks_behind_the_last_byte() {
    let mut test = test_server();
    let notes = Notes::default();
    for which in ["one", "two"] {
        let notes = notes.clone();
        test.server.on_receive(move |request, response| {
            notes.add(format!("{which} {}", request.path()));
            response.append_header("X-Hook", which).unwrap();
        });
    }
    let handler = notes.clone();
    test.server
        .handle(
            "GET",
            "/",
            move |_: &mut Request, response: &mut Response| {
                handler.add("handler");
                response.write("body");
            },
        )
        .unwrap();
    let (sent, reply) = (notes.clone(), notes.clone());
    test.server.on_sent(move |it| {
        sent.add(format!(
            "sent {:?} {} {} {}",
            it.method, it.path, it.status, it.complete
        ));
    });
    test.server
        .on_reply(move |it| reply.add(format!("reply {}", it.bytes)));
    let response = test.get("/?q=secret");
    assert_eq!(headers(&response, "x-hook"), ["one", "two"]);
    assert_eq!(
        notes.take(),
        [
            "one /".to_owned(),
            "two /".to_owned(),
            "handler".to_owned(),
            "sent Some(GET) / 200 OK true".to_owned(),
            format!("reply {}", response.len())
        ]
    );
}

#[test]
fn a_response_that_its_client_leaves_is_told_of_once_as_cut() {
    let mut test = test_server();
    let streams = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&streams);
    test.server
        .route("GET", "/events", move |request: &mut Request| {
            let stream = request.event_stream(Response::new());
            kept.lock().unwrap().push(stream);
        })
        .unwrap();
    test.server
        .route("GET", "/long", |_: &mut Request| {
            Response::content("text/plain", vec![b'x'; 1 << 20])
        })
        .unwrap();
    let notes = Notes::default();
    let sent = notes.clone();
    test.server
        .on_sent(move |it| sent.add(format!("{} {} {}", it.path, it.status, it.complete)));
    for leaves in [Raw::half_close, Raw::reset, Raw::hang_up] {
        let mut client = test.connect();
        test.send(
            &mut client,
            "GET /events HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
        );
        assert_eq!(notes.take(), Vec::<String>::new());
        leaves(&mut client);
        test.pass(Duration::from_millis(100));
        assert_eq!(notes.take(), ["/events 200 OK false"]);
    }
    test.network.set_capacity(16 * 1024);
    let mut client = test.connect();
    client.write(b"GET /long HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n");
    test.poll();
    client.reset();
    test.pass(Duration::from_millis(100));
    assert_eq!(notes.take(), ["/long 200 OK false"]);
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_receive_hook_can_answer_for_the_route() {
    let mut test = test_server();
    test.server.on_receive(|request, response| {
        if request.header("authorization").is_none() {
            response.set_status(401).end();
        }
    });
    test.server.route("GET", "/", answers("in")).unwrap();
    assert_eq!(status(&test.get("/")), 401);
    let response = test.ask("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n");
    assert_eq!(body(&response), "in");
}

#[test]
fn a_malformed_request_is_400_without_hooks_and_closes() {
    let mut test = test_server();
    let notes = Notes::default();
    let hook = notes.clone();
    test.server.on_receive(move |_, _| hook.add("hook"));
    let mut client = test.connect();
    let response = test.send(&mut client, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_eq!(status(&response), 400);
    assert!(client.closed && !client.reset);
    assert_eq!(notes.take(), Vec::<String>::new());
}

#[test]
fn exact_paths_any_case_of_method_and_replacing() {
    let mut test = test_server();
    test.server.route("get", "/a", answers("old")).unwrap();
    test.server.route("Get", "/a", answers("new")).unwrap();
    test.server.route("POST", "/a", answers("posted")).unwrap();
    assert_eq!(body(&test.get("/a")), "new");
    assert_eq!(body(&test.get("/a?x=/b")), "new");
    assert_eq!(status(&test.get("/A")), 404);
    let response = test.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(body(&response), "posted");
}

#[test]
fn paths_with_a_final_slash() {
    let mut test = test_server();
    for path in ["/", "/a/", "/a/b/", "/user/", "/user/record"] {
        test.server.route("GET", path, answers(path)).unwrap();
    }
    for (asked, expected) in [
        ("/", Some("/")),
        ("/a/", Some("/a/")),
        ("/a/x/y", Some("/a/")),
        ("/a/b/c", Some("/a/b/")),
        ("/a/b", Some("/a/")),
        ("/other", None),
        ("/user", None),
        ("/user/", Some("/user/")),
        ("/user/record", Some("/user/record")),
        // Only a pattern that ends in a slash is a prefix.
        ("/user/record/1", Some("/user/")),
    ] {
        let response = test.get(asked);
        match expected {
            Some(expected) => assert_eq!(body(&response), expected, "{asked}"),
            None => assert_eq!(status(&response), 404, "{asked}"),
        }
    }
    test.server
        .tree(
            "GET",
            "/user/record",
            |_: &mut Request, response: &mut Response| {
                response.write("tree");
            },
        )
        .unwrap();
    assert_eq!(body(&test.get("/user/record/1")), "tree");
}

#[test]
fn the_form_without_a_slash_can_be_redirected() {
    let mut test = test_server_with(Server::builder().redirect_to_slash(true));
    test.server.route("GET", "/user/", answers("in")).unwrap();
    let response = test.get("/user?a=b");
    assert_eq!(status(&response), 308);
    assert_eq!(header(&response, "location"), Some("/user/?a=b"));
    assert_eq!(status(&test.get("//user")), 404);
}

#[test]
fn any_token_can_be_a_method() {
    let mut test = test_server();
    test.server.route("PURGE", "/", answers("purged")).unwrap();
    let response = test.ask("PURGE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(body(&response), "purged");
    assert!(test.server.route("NO GOOD", "/", answers("")).is_err());
}

#[test]
fn the_not_found_handler_is_404_and_can_be_replaced() {
    let mut test = test_server();
    test.server.route("GET", "/a", answers("a")).unwrap();
    let response = test.get("/b");
    assert_eq!(
        response,
        format!(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n{DATE}Content-Length: 16\r\n\r\n404 - Not Found."
        )
    );
    test.server
        .set_not_found_handler(|request: &mut Request, response: &mut Response| {
            response.set_status(410).write(request.path());
        });
    let response = test.get("/b");
    assert_eq!((status(&response), body(&response)), (410, "/b"));
    // With an `on_receive` hook the response of the hook is sent.
    test.server.on_receive(|_, response| {
        response.write("hook");
    });
    let response = test.get("/b");
    assert_eq!((status(&response), body(&response)), (200, "hook"));
}

#[test]
fn requests_are_pulled_when_nothing_is_registered() {
    let mut test = test_server();
    let mut client = test.connect();
    test.send(
        &mut client,
        "POST /x?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    );
    let request = test.server.next_request().unwrap();
    assert!(test.server.next_request().is_none());
    assert_eq!((request.path(), &request.body()[..]), ("/x", &b"hi"[..]));
    request.respond(Response::text("pulled"));
    assert_eq!(body(&test.settle(&mut client)), "pulled");
    // Dropped without a response.
    test.send(&mut client, GET);
    drop(test.server.next_request());
    assert_eq!(status(&test.settle(&mut client)), 500);
}

#[test]
fn routes_can_be_pulled_and_so_can_what_no_route_takes() {
    let mut test = test_server_with(Server::builder().not_found(NotFoundPolicy::Pull));
    test.server.pull("GET", "/pulled/:id").unwrap();
    test.server.route("GET", "/", answers("handled")).unwrap();
    assert_eq!(body(&test.get("/")), "handled");
    let mut client = test.connect();
    test.send(&mut client, "GET /pulled/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    let request = test.server.next_request().unwrap();
    assert_eq!(request.param("id"), Some("7"));
    request.respond(Response::status(204));
    assert_eq!(status(&test.settle(&mut client)), 204);
    test.send(&mut client, "GET /else HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(test.server.next_request().unwrap().path(), "/else");
}

#[test]
fn what_a_request_tells() {
    let mut test = test_server();
    test.server
        .route("POST", "/a/:b", |request: &mut Request| {
            json!({
                "target": request.target(), "path": request.path(), "b": request.param("b"),
                "method": request.method().as_str(), "host": request.host(),
                "ip": request.ip().to_string(), "v6": request.ipv6().is_some(),
                "query": request.query().iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
                "cookies": request.cookies().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
                "cookie_header": request.header("cookie"), "secure": request.is_secure(),
            })
        })
        .unwrap();
    let response = test.ask(
        "POST /a/x%20y?k=1&k=2&z HTTP/1.1\r\nHost: Ex.example:80\r\nCookie: s=1; t=x=y\r\nContent-Length: 0\r\n\r\n",
    );
    let told: serde_json::Value = serde_json::from_str(body(&response)).unwrap();
    assert_eq!(
        told,
        json!({
            "target": "/a/x%20y?k=1&k=2&z", "path": "/a/x%20y", "b": "x y", "method": "POST",
            "host": "ex.example", "ip": "127.0.0.1", "v6": false,
            "query": [["k", "1"], ["k", "2"], ["z", null]],
            "cookies": [["s", "1"], ["t", "x=y"]], "cookie_header": null, "secure": false,
        })
    );
}

#[test]
fn invalid_json_is_400() {
    let mut test = test_server();
    test.server
        .route(
            "POST",
            "/",
            |request: &mut Request| -> Result<Response, BadRequest> {
                Ok(Response::json(&request.json()?))
            },
        )
        .unwrap();
    let post = |text: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    };
    assert_eq!(body(&test.ask(post("{\"a\": 1}"))), "{\"a\":1}");
    assert_eq!(status(&test.ask(post("{"))), 400);
    assert_eq!(status(&test.ask(post(""))), 400);
}

#[test]
fn content_is_collected_as_bytes_in_both_framings_and_capped() {
    let mut test = test_server();
    test.server
        .route("POST", "/", |request: &mut Request| {
            Response::content("application/octet-stream", request.body().clone())
        })
        .unwrap()
        .max_body(8);
    let binary = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\xff\x00\xfe\r";
    let mut client = test.connect();
    test.send(&mut client, binary);
    assert!(client.received.ends_with(b"\r\n\r\n\xff\x00\xfe\r"));
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n";
    for end in 0..chunked.len() {
        let mut client = test.connect();
        test.send(&mut client, &chunked[..end]);
        assert_eq!(body(&test.send(&mut client, &chunked[end..])), "abcdefgh");
    }
    for too_large in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabcdefghi\r\n",
    ] {
        let mut client = test.connect();
        let response = test.send(&mut client, too_large);
        assert_eq!(status(&response), 413, "{too_large}");
    }
}

#[test]
fn what_a_response_gets() {
    let mut test = test_server();
    test.server
        .handle("GET", "/", |_: &mut Request, response: &mut Response| {
            response.write("hi");
        })
        .unwrap();
    assert_eq!(
        test.get("/"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{DATE}Content-Length: 2\r\n\r\nhi"
        )
    );
}

#[test]
fn what_a_handler_can_make_of_a_response() {
    let mut test = test_server();
    test.server
        .handle(
            "GET",
            "/",
            |request: &mut Request, response: &mut Response| match request
                .query_string()
                .unwrap_or_default()
            {
                "json" => drop(response.set_json(&json!({"a": 1}))),
                "redirect" => drop(response.write("gone").set_redirect("/there", 302)),
                "type" => drop(response.write("x").set_content_type("text/css")),
                "write" => drop(response.write("a").write(b"b").write("c")),
                "reader" => *response = Response::reader(&b"from a reader"[..], Some(13)),
                "chunks" => *response = Response::reader(&b"from a reader"[..], None),
                _ => {}
            },
        )
        .unwrap();
    let response = test.get("/?json");
    assert_eq!(
        (header(&response, "content-type"), body(&response)),
        (Some("application/json"), "{\"a\":1}")
    );
    let response = test.get("/?redirect");
    assert_eq!(
        (
            status(&response),
            header(&response, "location"),
            body(&response)
        ),
        (302, Some("/there"), "")
    );
    assert_eq!(
        header(&test.get("/?type"), "content-type"),
        Some("text/css")
    );
    assert_eq!(body(&test.get("/?write")), "abc");
    assert_eq!(body(&test.get("/?reader")), "from a reader");
    assert_eq!(
        body(&test.get("/?chunks")),
        "d\r\nfrom a reader\r\n0\r\n\r\n"
    );
}

#[test]
fn unknown_status_codes_are_sent() {
    let mut test = test_server();
    test.server
        .route("GET", "/:code", |request: &mut Request| {
            Response::status(request.param("code").unwrap().parse().unwrap())
        })
        .unwrap();
    for code in [200, 218, 299, 444, 499, 599, 799, 999] {
        let response = test.get(&format!("/{code}"));
        assert_eq!(status(&response), code);
    }
    assert!(test.get("/218").starts_with("HTTP/1.1 218 \r\n"));
    assert_eq!(header(&test.get("/204"), "content-length"), None);
    assert_eq!(header(&test.get("/304"), "content-length"), None);
}

#[test]
fn codes_go_out_with_the_phrases_of_the_registry() {
    let mut test = test_server();
    test.server
        .route("GET", "/:code", |request: &mut Request| {
            Response::status(request.param("code").unwrap().parse().unwrap())
        })
        .unwrap();
    let finals = [
        200..=208,
        226..=226,
        300..=305,
        307..=308,
        400..=418,
        421..=424,
    ];
    let more = [
        426..=426,
        428..=429,
        431..=431,
        451..=451,
        500..=508,
        510..=511,
    ];
    for code in finals.into_iter().chain(more).flatten() {
        let phrase = http::StatusCode::from_u16(code).unwrap();
        let phrase = phrase.canonical_reason().unwrap_or_default();
        let line = format!("HTTP/1.1 {code} {phrase}\r\n");
        let answer = test.get(&format!("/{code}"));
        assert!(answer.starts_with(&line), "{answer}");
    }
}

#[test]
fn tables_of_handlers() {
    let mut routes = Routes::new();
    routes.route("GET", "/a", answers("got")).unwrap();
    routes
        .route("POST", "/a", |request: &mut Request| request.json())
        .unwrap();
    routes
        .route("GET", "/nothing", |_: &mut Request| ())
        .unwrap();
    routes
        .route(
            "GET",
            "/two",
            |_: &mut Request| -> Result<Response, httpoll::Error> {
                Response::text("x")
                    .with_header("Link", "a")?
                    .with_header("Link", "b")
            },
        )
        .unwrap();
    let mut test = test_server();
    test.server.merge(routes);
    let response = test.get("/a");
    assert_eq!(
        header(&response, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let response = test.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n[ 1]");
    assert_eq!(body(&response), "[1]");
    assert_eq!(headers(&test.get("/two"), "link"), ["a", "b"]);
    let response = test.get("/nothing");
    assert_eq!((status(&response), body(&response)), (200, ""));
}

#[test]
fn the_wrong_method_is_405_with_allow() {
    let mut test = test_server();
    test.server.route("GET", "/a", answers("a")).unwrap();
    test.server.route("PUT", "/a", answers("a")).unwrap();
    let response = test.ask("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&response), 405);
    assert_eq!(header(&response, "allow"), Some("GET, HEAD, PUT, OPTIONS"));
    let response = test.ask("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (status(&response), header(&response, "allow")),
        (204, Some("GET, HEAD, PUT, OPTIONS"))
    );
    let response = test.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (status(&response), header(&response, "allow")),
        (204, Some("GET, HEAD, PUT, OPTIONS"))
    );
    let response = test.ask("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (
            status(&response),
            header(&response, "content-length"),
            body(&response)
        ),
        (200, Some("1"), "")
    );
}

#[test]
fn a_handler_that_fails_or_panics_is_one_500_that_tells_nothing() {
    let mut test = test_server();
    test.server
        .route(
            "GET",
            "/fails",
            |_: &mut Request| -> Result<(), std::io::Error> {
                Err(std::io::Error::other("the secret reason"))
            },
        )
        .unwrap();
    test.server
        .handle(
            "GET",
            "/panics",
            |_: &mut Request, response: &mut Response| {
                response.write("half");
                if response.content_length() == Some(4) {
                    panic!("the secret reason");
                }
            },
        )
        .unwrap();
    test.server.route("GET", "/", answers("fine")).unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    let mut client = test.connect();
    for path in ["/fails", "/panics"] {
        let response = test.send(
            &mut client,
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!(status(&response), 500);
        assert!(!response.contains("secret") && !response.contains("half"));
    }
    // The connection and the server continue.
    assert_eq!(body(&test.send(&mut client, GET)), "fine");
    assert_eq!(
        notes.take(),
        [
            "a handler failed: the secret reason",
            "a handler panicked: the secret reason"
        ]
    );
}

#[test]
fn wildcards_by_depth() {
    let mut test = test_server();
    for path in ["/*", "/api/*", "/api/v1/*", "/api/exact"] {
        test.server.route("GET", path, answers(path)).unwrap();
    }
    for (asked, expected) in [
        ("/api/exact", "/api/exact"),
        ("/api/v1/x/y", "/api/v1/*"),
        ("/api/v2", "/api/*"),
        ("/other/z", "/*"),
        ("/", "/*"),
    ] {
        assert_eq!(body(&test.get(asked)), expected);
    }
}

#[test]
fn a_responder_answers_in_a_later_frame_and_blocks_nobody() {
    let mut test = test_server();
    let kept: Arc<Mutex<Vec<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/later",
            move |request: &mut Request, _: &mut Response| {
                keep.lock().unwrap().push(request.defer());
            },
        )
        .unwrap();
    test.server.route("GET", "/now", answers("now")).unwrap();
    let mut waiting = test.connect();
    assert_eq!(
        test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"),
        ""
    );
    assert_eq!(body(&test.get("/now")), "now");
    let responder = kept.lock().unwrap().pop().unwrap();
    assert!(!responder.is_aborted());
    std::thread::spawn(move || assert!(responder.respond(Response::text("later"))))
        .join()
        .unwrap();
    assert_eq!(body(&test.settle(&mut waiting)), "later");

    // Dropped: 500. Too late: 504, and the holder can see it.
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    kept.lock().unwrap().clear();
    assert_eq!(status(&test.settle(&mut waiting)), 500);
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    let notes = Notes::default();
    let errors = notes.clone();
    test.server.on_error(move |fault, _| {
        errors.add(format!(
            "{}",
            matches!(fault, ServerFault::TimedOut(TimeoutKind::Answer))
        ));
    });
    test.pass(Duration::from_secs(31));
    assert_eq!(status(&test.settle(&mut waiting)), 504);
    assert_eq!(notes.take(), ["true"]);
    let late = kept.lock().unwrap().pop().unwrap();
    assert!(late.is_aborted() && !late.respond(Response::new()));
    // The connection stays open.
    assert_eq!(
        body(&test.send(&mut waiting, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n")),
        "now"
    );

    // The client has gone: the holder can see it.
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting.reset();
    test.poll();
    assert!(kept.lock().unwrap().pop().unwrap().is_aborted());
}

#[test]
fn the_fallback_answers_what_the_own_routes_do_not() {
    let mut outer = Routes::new();
    outer.route("GET", "/a", answers("outer a")).unwrap();
    outer.route("GET", "/b", answers("outer b")).unwrap();
    outer.route("PUT", "/a", answers("outer put")).unwrap();
    let mut test = test_server();
    test.server.route("GET", "/a", answers("inner a")).unwrap();
    test.server.set_fallback(outer);
    assert_eq!(body(&test.get("/a")), "inner a");
    assert_eq!(body(&test.get("/b")), "outer b");
    assert_eq!(status(&test.get("/c")), 404);
    let response = test.ask("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(body(&response), "outer put");
}

#[test]
fn nothing_can_be_injected_into_a_response() {
    let mut response = Response::new();
    for (name, value) in [
        ("X", "a\r\nb: c"),
        ("X", "a\nb"),
        ("X", "a\0"),
        ("X\r\n", "a"),
        ("X:", "a"),
        ("", "a"),
    ] {
        assert!(response.set_header(name, value).is_err());
        assert!(response.append_header(name, value).is_err());
    }
    assert!(response.headers().is_empty());
    response.append_header("X", "  two  words ").unwrap();
    assert_eq!(response.headers().get("x"), Some(&b"two  words"[..]));
}

#[test]
fn handlers_run_in_the_poll_on_the_callers_thread() {
    let mut test = test_server();
    let notes = Notes::default();
    let handler = notes.clone();
    test.server
        .route("GET", "/", move |_: &mut Request| {
            handler.add(format!("{:?}", std::thread::current().id()));
            Response::new()
        })
        .unwrap();
    let mut client = test.connect();
    client.write(GET.as_bytes());
    assert_eq!(notes.take(), Vec::<String>::new());
    test.settle(&mut client);
    assert_eq!(notes.take(), [format!("{:?}", std::thread::current().id())]);
}

#[test]
fn a_server_that_is_dropped_closes_everything_and_fires_hooks_once() {
    let mut test = test_server();
    let notes = Notes::default();
    let gone = notes.clone();
    test.server.on_disconnect(move |_| gone.add("gone"));
    let kept: Arc<Mutex<Option<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                *keep.lock().unwrap() = Some(request.defer());
            },
        )
        .unwrap();
    let mut client = test.connect();
    test.send(&mut client, GET);
    drop(test.server);
    test.network.advance(Duration::from_millis(1));
    assert_eq!(notes.take(), ["gone"]);
    assert!(kept.lock().unwrap().take().unwrap().is_aborted());
}

#[test]
fn time_in_which_nobody_polled_is_not_the_clients() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("in time")).unwrap();
    let mut client = test.connect();
    test.send(&mut client, "GET / HTTP/1.1\r\n");
    // A loading screen, during which the rest arrives.
    client.write(b"Host: a\r\n\r\n");
    test.network.advance(Duration::from_secs(3600));
    assert_eq!(body(&test.settle(&mut client)), "in time");
    test.send(&mut client, "GET / HTTP/1.1\r\n");
    test.network.advance(Duration::from_secs(3600));
    assert_eq!(test.settle(&mut client), "");
    assert_eq!(body(&test.send(&mut client, "Host: a\r\n\r\n")), "in time");
}

#[test]
fn a_slow_handler_is_named() {
    let mut test = test_server_with(Server::builder().slow_handler(Duration::from_millis(8)));
    let network = test.network.clone();
    test.server
        .route("GET", "/slow", move |_: &mut Request| {
            network.advance(Duration::from_millis(9));
            Response::new()
        })
        .unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    test.get("/slow");
    assert_eq!(notes.take(), ["the handler of /slow took 9ms"]);
}
