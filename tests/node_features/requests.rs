//! What a node sends, apart from content.

use httpoll::{ErrorKind, HttpClient, Method, Status, error::Misuse, node::query_string_from_dict};
use serde_json::json;

use crate::support::connected;
use crate::{OK, support};

#[test]
fn the_target_is_sent_as_given() {
    let (network, mut http, log) = connected(&[OK]);
    http.request(Method::Get, "/a b?x=ü#part", &["Accept: text/plain"], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(
        log.text(),
        format!(
            "GET /a%20b?x=%C3%BC HTTP/1.1\r\nAccept: text/plain\r\nHost: 10.0.0.1\r\nUser-Agent: {}\r\n\r\n",
            http.user_agent()
        )
    );
}

#[test]
fn each_method_goes_out_by_name_and_others_do_too() {
    for method in Method::ALL {
        let (network, mut http, log) =
            connected(&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]);
        let target = if method == Method::Connect {
            "a.b:80"
        } else {
            "/"
        };
        http.request(method, target, &[], "").unwrap();
        support::until_head(&network, &mut http);
        let name = http::Method::from(method);
        assert!(
            log.text()
                .starts_with(&format!("{name} {target} HTTP/1.1\r\n")),
            "{}",
            log.text()
        );
        assert_eq!(http.get_response_code(), 404);
    }
    let (network, mut http, log) = connected(&[OK]);
    http.request(http::Method::from_bytes(b"PROPFIND").unwrap(), "/", &[], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert!(log.text().starts_with("PROPFIND / HTTP/1.1\r\n"));
}

#[test]
fn a_request_before_connected_is_refused() {
    let mut http = HttpClient::new();
    let error = http.request(Method::Get, "/", &[], "").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::WrongStatus));
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn a_post_without_content_has_a_length_of_zero() {
    for (method, says) in [
        (Method::Post, true),
        (Method::Put, true),
        (Method::Patch, true),
        (Method::Get, false),
        (Method::Delete, false),
    ] {
        let (network, mut http, log) = connected(&[OK]);
        http.request(method, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(
            log.text().contains("Content-Length: 0\r\n"),
            says,
            "{method:?}"
        );
    }
}

#[test]
fn query_strings() {
    let query = query_string_from_dict([
        ("single", json!(123)),
        ("not_valued", json!(null)),
        ("multiple", json!([22, 33, 44])),
    ]);
    assert_eq!(
        query,
        "single=123&not_valued&multiple=22&multiple=33&multiple=44"
    );
}

#[test]
fn values_keep_inner_spaces_and_lose_outer_ones() {
    let (network, mut http, log) =
        connected(&[b"HTTP/1.1 200 OK\r\nX: \t a  b\t \r\nContent-Length: 0\r\n\r\n"]);
    http.request(Method::Get, "/", &["Y: \t c  d "], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_headers()[0], "X: a  b");
    assert!(log.text().contains("\r\nY: c  d\r\n"), "{}", log.text());
}
