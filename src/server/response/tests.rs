#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::ErrorKind;

fn body(response: Response) -> Bytes {
    match response.into_parts().3 {
        Body::Bytes(bytes) => bytes,
        _ => Bytes::new(),
    }
}

#[test]
fn write_appends() {
    let mut response = Response::text("a");
    response.write("b").write(b"c");
    assert_eq!(response.content_length(), Some(3));
    assert_eq!(body(response), "abc");
}

#[test]
fn content_in_memory_can_be_read() {
    let mut response = Response::text("a");
    assert_eq!(response.body(), Some(&b"a"[..]));
    response.write("b");
    assert_eq!(response.body(), Some(&b"ab"[..]));
    assert_eq!(Response::new().body(), Some(&b""[..]));
    assert_eq!(Response::reader(&b"read"[..], Some(4)).body(), None);
    assert_eq!(Response::file("file").body(), None);
}

#[test]
fn types() {
    let json = Response::json(&serde_json::json!({"a": [1]}));
    assert_eq!(
        json.headers().get("content-type"),
        Some(&b"application/json"[..])
    );
    let mut response = Response::html("x");
    response.set_content_type("text/css").unwrap();
    assert!(
        response
            .headers()
            .get_all("content-type")
            .eq([&b"text/css"[..]])
    );
    let invalid = response.set_content_type("a\r\nb: c").unwrap_err();
    assert_eq!(*invalid.kind(), ErrorKind::Misuse(Misuse::InvalidHeader));
    assert_eq!(response.headers().len(), 1);
}

#[test]
fn json_of_any_value_that_can_be_serialized() {
    use std::collections::BTreeMap;
    let points = BTreeMap::from([("Ada", 7), ("Bob", 5)]);
    assert_eq!(body(Response::json(&points)), r#"{"Ada":7,"Bob":5}"#);
    assert_eq!(body(Response::json("text")), "\"text\"");

    let unwritable = BTreeMap::from([([1, 2], 3)]);
    let response = Response::json(&unwritable);
    assert_eq!(response.status_code(), 500);
    assert_eq!(body(response), "");
    let mut response = Response::text("a");
    let error = response.set_json(&unwritable).unwrap_err();
    assert_eq!(*error.kind(), Misuse::InvalidContent.into());
    assert_eq!(body(response), "a", "unchanged");
}

#[test]
fn a_singleton_field_is_sent_once() {
    let made = [
        Response::text("a"),
        Response::html("a"),
        Response::json(&serde_json::json!({})),
    ];
    for response in made {
        let response = response.with_header("content-type", "text/csv").unwrap();
        let types: Vec<_> = response.headers().get_all("content-type").collect();
        assert_eq!(types, [b"text/csv"]);
    }
    let mut response = Response::redirect("/a").unwrap();
    response.append_header("Location", "/b").unwrap();
    response.append_header("Vary", "a").unwrap();
    response.append_header("Vary", "b").unwrap();
    assert_eq!(response.headers().get_all("location").count(), 1);
    assert_eq!(response.headers().get_all("vary").count(), 2);
}

#[test]
fn redirects() {
    let mut response = Response::text("gone");
    response.set_redirect("/there", 307).unwrap();
    assert_eq!(response.status_code(), 307);
    assert_eq!(response.content_length(), Some(0));
    for status in [200, 299, 400] {
        assert!(
            Response::redirect_with("/", status)
                .unwrap_err()
                .is_misuse()
        );
    }
    for location in ["/a\r\nSet-Cookie: x", "/a\nb", "", "/a b"] {
        let error = Response::redirect(location).unwrap_err();
        assert_eq!(*error.kind(), Misuse::InvalidHeader.into(), "{location:?}");
    }
}

#[test]
fn any_final_status_can_be_set() {
    for (code, expected) in [
        (200, 200),
        (444, 444),
        (799, 799),
        (999, 999),
        (100, 500),
        (1000, 500),
        (0, 500),
    ] {
        assert_eq!(Response::status(code).status_code(), expected);
    }
}

#[test]
fn several_lines_of_a_name_stay_in_order() {
    let mut response = Response::new();
    response.append_header("Set-Cookie", "a=1").unwrap();
    response.append_header("set-cookie", "b=2").unwrap();
    assert!(
        response
            .headers()
            .get_all("Set-Cookie")
            .eq([&b"a=1"[..], b"b=2"])
    );
    response.set_header("SET-COOKIE", "c=3").unwrap();
    assert!(response.headers().get_all("Set-Cookie").eq([&b"c=3"[..]]));
}

#[test]
fn a_response_as_text() {
    let mut response = Response::text("hi\n").with_status(404);
    assert_eq!(
        response.to_string(),
        "404 Not Found\nContent-Type: text/plain; charset=utf-8\n\nhi\n"
    );
    response.set_reason("Gone fishing").write([0xff]);
    assert!(response.to_string().starts_with("404 Gone fishing\n"));
    assert!(response.to_string().ends_with("\n(4 bytes)"));
    let stream = Response::reader(std::io::empty(), None);
    assert_eq!(stream.to_string(), "200 OK\n\n(a stream)");
}
