//! Forms with files (RFC 7578).

use httpoll::mock::{MockRequest, MockResponse};
use httpoll::{
    ErrorKind, Request, RetryPolicy,
    error::Misuse,
    multipart::{Form, Part},
};

use crate::support::{Folder, pattern, run, setup};

/// Boundary and parts of a multipart request.
fn parts(request: &MockRequest) -> (String, Vec<(String, Vec<u8>)>) {
    let content_type = request.header("content-type").unwrap();
    let (kind, boundary) = content_type.split_once("boundary=").unwrap();
    assert_eq!(kind, "multipart/form-data; ");
    let boundary = boundary.trim_matches('"').to_owned();
    let body = request.body.to_vec();
    let end = format!("\r\n--{boundary}--\r\n");
    assert!(
        body.ends_with(end.as_bytes()),
        "RFC 2046 §5.1.1: the last line is ended"
    );
    let mut parts = Vec::new();
    let mut rest = &body[..body.len() - end.len()];
    let opening = format!("--{boundary}\r\n");
    rest = rest.strip_prefix(opening.as_bytes()).unwrap();
    let between = format!("\r\n--{boundary}\r\n");
    loop {
        let at = rest
            .windows(between.len())
            .position(|it| it == between.as_bytes());
        let part = &rest[..at.unwrap_or(rest.len())];
        let head = part.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        parts.push((
            String::from_utf8(part[..head].to_vec()).unwrap(),
            part[head + 4..].to_vec(),
        ));
        match at {
            Some(at) => rest = &rest[at + between.len()..],
            None => return (boundary, parts),
        }
    }
}

#[test]
fn a_file_makes_it_multipart_whatever_the_type_says() {
    let folder = Folder::new("form");
    std::fs::write(folder.path("a.png"), pattern(1000)).unwrap();
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for content_type in [
        None,
        Some("application/json"),
        Some("multipart/form-data; boundary=mine"),
    ] {
        let mut request = Request::post("http://game.example/")
            .form([("a", "1"), ("b", "x y")])
            .form_file("f", folder.path("a.png"));
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        let (_, parts) = parts(&sent);
        assert_eq!(
            parts[0],
            (
                "Content-Disposition: form-data; name=\"a\"".to_owned(),
                b"1".to_vec()
            )
        );
        assert_eq!(parts[1].1, b"x y");
        assert!(
            parts[2].0.contains("name=\"f\"; filename=\"a.png\"")
                && parts[2].0.contains("Content-Type: image/png"),
            "{}",
            parts[2].0
        );
        assert!(parts[2].1 == pattern(1000));
        assert_eq!(
            sent.header("content-length"),
            Some(sent.body.len().to_string().as_str())
        );
        assert_eq!(sent.header("expect"), Some("100-continue"));
    }
}

#[test]
fn multipart_without_files() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::post("http://game.example/")
        .header("Content-Type", "multipart/form-data")
        .form([("a", "1")]);
    run(&network, &mut agent, request).response();
    let (_, parts) = parts(&server.requests()[0]);
    assert_eq!(parts.len(), 1);
}

#[test]
fn content_in_addition_to_files_is_refused() {
    let (_network, _server, mut agent) = setup();
    let request = Request::post("http://game.example/")
        .body("x")
        .form_file("f", "a");
    let error = agent.send(request).unwrap_err();
    assert_eq!(*error.kind(), Misuse::ConflictingContent.into());
}

#[test]
fn names_cannot_inject_and_boundaries_differ() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let mut boundaries = Vec::new();
    for _ in 0..2 {
        let form = Form::new()
            .text("a\"; x=\"\r\nEvil: 1", "1")
            .part("f", Part::bytes("x").filename("b\"\r\nEvil: 1\r\n\r\n"));
        let request = Request::post("http://game.example/").multipart(form);
        run(&network, &mut agent, request).response();
        let (boundary, parts) = parts(&server.requests().pop().unwrap());
        let heads: Vec<_> = parts.iter().map(|(head, _)| head.as_str()).collect();
        assert_eq!(
            heads[0],
            "Content-Disposition: form-data; name=\"a%22; x=%22%0D%0AEvil: 1\""
        );
        assert!(
            heads[1].starts_with(
                "Content-Disposition: form-data; name=\"f\"; filename=\"b%22%0D%0AEvil: 1%0D%0A%0D%0A\""
            ),
            "{}",
            heads[1]
        );
        assert_eq!((&parts[0].1[..], &parts[1].1[..]), (&b"1"[..], &b"x"[..]));
        assert_eq!(parts.len(), 2);
        boundaries.push(boundary);
    }
    assert_ne!(boundaries[0], boundaries[1]);
}

#[test]
fn a_missing_file_is_an_error_and_a_form_is_sent_again() {
    let folder = Folder::new("form-again");
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::ok());
    let request = Request::post("http://game.example/").form_file("f", folder.path("missing"));
    let outcome = run(&network, &mut agent, request);
    let error = outcome.error();
    assert!(matches!(error.kind(), ErrorKind::Form(_)), "{error}");
    assert_eq!(error.path(), Some(folder.path("missing").as_path()));
    assert!(!error.is_retryable());
    assert!(server.requests().is_empty());
    std::fs::write(folder.path("a.txt"), "content").unwrap();
    let mut policy = RetryPolicy::standard();
    policy.non_idempotent = true;
    let request = Request::post("http://game.example/")
        .form_file("f", folder.path("a.txt"))
        .retries(policy);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().attempts(), 2);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for sent in requests {
        assert_eq!(parts(&sent).1[0].1, b"content");
    }
}
