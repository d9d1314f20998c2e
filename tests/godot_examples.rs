//! The two examples of Godot's documentation of `HTTPClient`, translated line by line, and this library's
//! own loop.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use httpoll::memory::MemoryNetwork;
use httpoll::{HttpClient, Method, Status, node::query_string_from_dict};
use serde_json::json;
use support::server;

fn network() -> (MemoryNetwork, support::Log) {
    let network = MemoryNetwork::new();
    network.set_latency(support::FRAME);
    network.add_name("www.php.net", &[server().ip()]);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n7\r\n, world\r\n0\r\n\r\n";
    let log = support::serve(&network, server(), &[chunked]);
    (network, log)
}

#[test]
fn a_simple_get_loop() -> Result<(), httpoll::Error> {
    let (network, _) = network();
    let next_frame = || network.advance(support::FRAME);

    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("www.php.net", 80, None)?;
    while http.get_status() == Status::Connecting || http.get_status() == Status::Resolving {
        http.poll()?;
        next_frame();
    }
    assert_eq!(http.get_status(), Status::Connected);

    let headers = ["User-Agent: Pirulo/1.0 (Godot)", "Accept: */*"];
    http.request(Method::Get, "/ChangeLog-5.php", &headers, "")?;
    while http.get_status() == Status::Requesting {
        http.poll()?;
        next_frame();
    }
    assert!(http.get_status() == Status::Body || http.get_status() == Status::Connected);

    let mut response_body = Vec::new();
    if http.has_response() {
        let _headers = http.get_response_headers_as_dictionary();
        assert_eq!(http.get_response_code(), 200);
        if http.is_response_chunked() {
            assert_eq!(http.get_response_body_length(), -1);
        }
        while http.get_status() == Status::Body {
            http.poll()?;
            let chunk = http.read_response_body_chunk()?;
            if chunk.is_empty() {
                next_frame();
            } else {
                response_body.extend_from_slice(&chunk);
            }
        }
    }
    assert_eq!(response_body, b"Hello, world");
    Ok(())
}

#[test]
fn a_post_with_a_query_string() -> Result<(), httpoll::Error> {
    let (network, log) = network();
    let mut http_client = HttpClient::on_memory(&network);
    support::connect(&network, &mut http_client);

    let fields = [("username", json!("user")), ("password", json!("pass"))];
    let query_string = query_string_from_dict(fields);
    let content_length = format!("Content-Length: {}", query_string.len());
    let headers = [
        "Content-Type: application/x-www-form-urlencoded",
        &content_length,
    ];
    http_client.request(Method::Post, "/index.php", &headers, query_string)?;

    support::until_head(&network, &mut http_client);
    let sent = log.text();
    assert!(sent.starts_with("POST /index.php HTTP/1.1\r\n"), "{sent}");
    assert_eq!(sent.matches("Content-Length: 27\r\n").count(), 1, "{sent}");
    Ok(())
}

#[test]
fn the_loop_of_the_readme_ends_in_each_framing() -> Result<(), httpoll::Error> {
    for (response, expected) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..], "hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", ""),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end<close>", "to the end"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "hi",
        ),
    ] {
        let network = MemoryNetwork::new();
        network.set_latency(support::FRAME);
        support::serve(&network, server(), &[response]);
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("10.0.0.1", 80, None)?;
        let mut body = Vec::new();
        while http.get_status() == Status::Body || !http.has_response() {
            http.poll()?;
            if http.get_status() == Status::Connected && !http.has_response() {
                http.request(Method::Get, "/leaderboard.json", &[], "")?;
            }
            while http.get_status() == Status::Body {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() {
                    break;
                }
                body.extend_from_slice(&chunk);
            }
            network.advance(support::FRAME);
        }
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }
    Ok(())
}
