//! Responses that are cut short, broken connections, and the text of errors.

use httpoll::{ErrorKind, Method, Status, error::NetworkFault};

use crate::support::{connected, content, failure, get, server};
use crate::{OK, responses::body_of, support};

#[test]
fn content_cut_short_is_an_error_after_what_came() {
    for (response, came, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf<close>"[..],
            &b"half"[..],
            Some(10),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n<close>",
            b"half",
            None,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf<close>",
            b"half",
            None,
        ),
    ] {
        let (network, mut http, _) = connected(&[response, OK]);
        http.request(Method::Get, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        let (received, error) = content(&network, &mut http).unwrap_err();
        assert_eq!(received, came);
        assert_eq!(
            error.kind(),
            &ErrorKind::Truncated {
                received: 4,
                expected
            }
        );
        assert_eq!(http.get_status(), Status::ConnectionError);
        assert_eq!(http.get_response_code(), 200, "what came stays");
        assert!(error.is_retryable());
        // Nothing of it is left for the next connection.
        support::serve(&network, server(), &[OK]);
        support::connect(&network, &mut http);
        assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    }
}

#[test]
fn a_server_that_closes_right_after_the_last_chunk_is_tolerated() {
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n<close>";
    assert_eq!(body_of(response), (200, b"hi".to_vec()));
}

#[test]
fn errors_tell_apart_what_failed() {
    for (response, kind) in [
        (&b"<close>"[..], ErrorKind::Network(NetworkFault::Closed)),
        (b"<reset>", ErrorKind::Network(NetworkFault::Broken)),
        (
            b"HTTP/1.1 200<close>",
            ErrorKind::Truncated {
                received: 0,
                expected: None,
            },
        ),
    ] {
        let error = failure(response);
        assert_eq!(error.kind(), &kind);
        assert_eq!(error.origin(), Some("http://10.0.0.1"));
        assert!(error.bytes_sent() > 0);
    }
}

#[test]
fn errors_hold_no_secrets() {
    let (network, mut http, _) = connected(&[b"<reset>"]);
    http.request(
        Method::Get,
        "/?token=hunter2",
        &["Authorization: Bearer hunter2", "Cookie: a=hunter2"],
        "",
    )
    .unwrap();
    support::until_head(&network, &mut http);
    let error = http.get_error().unwrap();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    assert!(!format!("{http:?}").contains("hunter2"), "{http:?}");
}
