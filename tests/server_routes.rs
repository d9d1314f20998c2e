//! Routes: patterns, methods, tables, fallbacks, and requests that are pulled.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use httpoll::ErrorKind;
use httpoll::error::Misuse;
use httpoll::server::{NotFoundPolicy, Request, Response, Routes, Server};
use serde_json::Value;
use serving::{DATE, answers, body, header, headers, status, test_server, test_server_with};

const GET: &str = "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";

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
    let invalid = test
        .server
        .route("NO GOOD", "/", answers(""))
        .err()
        .unwrap();
    assert_eq!(*invalid.kind(), ErrorKind::Misuse(Misuse::InvalidMethod));
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
fn tables_of_handlers() {
    let mut routes = Routes::new();
    routes.route("GET", "/a", answers("got")).unwrap();
    routes
        .route("POST", "/a", |request: &mut Request| {
            request.json::<Value>()
        })
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
