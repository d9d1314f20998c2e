use super::*;
use BodyLength::{Known, None as NoBody, Unknown};
use Misuse::{FramingHeader, InvalidHost, InvalidTarget, TooMuchContent};

fn fields(lines: &[&str]) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    fields
}

fn request(method: Method, target: &str, lines: &[&str]) -> RequestHead {
    RequestHead {
        method,
        target: target.to_owned(),
        version: Version::HTTP_11,
        fields: fields(lines),
    }
}

fn response(status: u16, lines: &[&str]) -> ResponseHead {
    ResponseHead {
        version: Version::HTTP_11,
        status: StatusCode::from_u16(status).unwrap(),
        reason: "".into(),
        fields: fields(lines),
    }
}

type Outcome = Result<(Added, Outgoing), Misuse>;

const TE: &str = "transfer-encoding: Chunked";
const CL5: &str = "Content-Length: 5";

fn plain(length: u64) -> Outcome {
    Ok((Added::ContentLength(length), Outgoing::length(length)))
}

#[test]
fn requests_get_the_framing_that_their_content_needs() {
    let nothing: Outcome = Ok((Added::Nothing, Outgoing::Nothing));
    let given: Outcome = Ok((Added::Nothing, Outgoing::length(5)));
    let cases: [(Method, BodyLength, &[&str], Outcome); 30] = [
        (Method::GET, NoBody, &[], nothing),
        (Method::DELETE, NoBody, &[], nothing),
        (Method::GET, NoBody, &["Content-Length: 0"], nothing),
        (Method::POST, NoBody, &[], plain(0)),
        (Method::PUT, NoBody, &[], plain(0)),
        (Method::PATCH, NoBody, &[], plain(0)),
        (Method::POST, NoBody, &["content-length: 0"], nothing),
        (Method::POST, Known(0), &[], plain(0)),
        (Method::POST, Known(5), &[], plain(5)),
        (Method::GET, Known(5), &[], plain(5)),
        (Method::POST, Known(5), &[CL5], given),
        (
            Method::POST,
            Unknown,
            &[],
            Ok((Added::Chunked, Outgoing::Chunked)),
        ),
        (
            Method::POST,
            Unknown,
            &[TE],
            Ok((Added::Nothing, Outgoing::Chunked)),
        ),
        (Method::CONNECT, NoBody, &[], nothing),
        (Method::CONNECT, Known(0), &[], nothing),
        (Method::CONNECT, Known(5), &[], Err(TooMuchContent)),
        (Method::TRACE, Unknown, &[], Err(TooMuchContent)),
        (Method::GET, NoBody, &[CL5], Err(FramingHeader)),
        (Method::GET, NoBody, &[TE], Err(FramingHeader)),
        (Method::POST, Known(4), &[CL5], Err(FramingHeader)),
        (Method::POST, Known(5), &[CL5, CL5], Err(FramingHeader)),
        (
            Method::POST,
            Known(5),
            &["Content-Length: +5"],
            Err(FramingHeader),
        ),
        (
            Method::POST,
            Known(5),
            &["Content-Length:"],
            Err(FramingHeader),
        ),
        (Method::POST, Known(5), &[TE], Err(FramingHeader)),
        (Method::POST, Known(5), &[CL5, TE], Err(FramingHeader)),
        (Method::POST, Unknown, &[CL5], Err(FramingHeader)),
        (Method::POST, Unknown, &[TE, TE], Err(FramingHeader)),
        (
            Method::POST,
            Unknown,
            &["Transfer-Encoding: gzip, chunked"],
            Err(FramingHeader),
        ),
        (
            Method::POST,
            Unknown,
            &["Transfer-Encoding: gzip"],
            Err(FramingHeader),
        ),
        (
            Method::POST,
            Unknown,
            &["Transfer-Encoding:"],
            Err(FramingHeader),
        ),
    ];
    for (method, body, lines, expected) in cases {
        let target = if method == Method::CONNECT {
            "a:1"
        } else {
            "/"
        };
        let mut head = request(method, target, lines);
        head.fields.append("Host", "a").unwrap();
        let plan = plan_request(&head, body).map(|plan| (plan.added, plan.outgoing));
        assert_eq!(plan, expected, "{} {body:?} {lines:?}", head.method);
    }
}

#[test]
fn requests_that_would_inject_or_confuse_are_refused() {
    let host = &["Host: a"][..];
    let cases: [(Method, &str, &[&str], Misuse); 14] = [
        (Method::GET, "", host, InvalidTarget),
        (Method::GET, "a", host, InvalidTarget),
        (Method::GET, "/a b", host, InvalidTarget),
        (Method::GET, "/\r\nEvil: 1", host, InvalidTarget),
        (Method::GET, "/ HTTP/1.1\r\nEvil: 1", host, InvalidTarget),
        (Method::GET, "/\0", host, InvalidTarget),
        (Method::GET, "/\u{e4}", host, InvalidTarget),
        (Method::GET, "/#a", host, InvalidTarget),
        (Method::GET, "*", host, InvalidTarget),
        (Method::CONNECT, "/", host, InvalidTarget),
        (Method::GET, "/", &[], InvalidHost),
        (Method::GET, "/", &["Host: a", "host: a"], InvalidHost),
        (Method::GET, "/", &["Host: a/b"], InvalidHost),
        (Method::GET, "/", &["Host:"], InvalidHost),
    ];
    for (method, target, lines, expected) in cases {
        let head = request(method, target, lines);
        assert_eq!(
            plan_request(&head, NoBody),
            Err(expected),
            "{target} {lines:?}"
        );
    }
}

#[test]
fn http10_requests_have_no_chunks_and_need_no_host() {
    let mut head = request(Method::POST, "/", &[]);
    head.version = Version::HTTP_10;
    assert!(plan_request(&head, Known(5)).is_ok());
    assert_eq!(plan_request(&head, Unknown), Err(FramingHeader));
}

#[test]
fn responses_get_the_framing_that_their_content_needs() {
    let nothing: Outcome = Ok((Added::Nothing, Outgoing::Nothing));
    let dropped: Outcome = Ok((Added::Nothing, Outgoing::Suppressed));
    let announced: Outcome = Ok((Added::ContentLength(5), Outgoing::Suppressed));
    let (get, head, connect) = (Method::GET, Method::HEAD, Method::CONNECT);
    let cases: [(&Method, u16, BodyLength, &[&str], Outcome); 38] = [
        (&get, 200, NoBody, &[], plain(0)),
        (&get, 200, Known(0), &[], plain(0)),
        (&get, 200, Known(5), &[], plain(5)),
        (
            &get,
            200,
            Known(5),
            &[CL5],
            Ok((Added::Nothing, Outgoing::length(5))),
        ),
        (
            &get,
            200,
            Unknown,
            &[],
            Ok((Added::Chunked, Outgoing::Chunked)),
        ),
        (
            &get,
            200,
            Unknown,
            &[TE],
            Ok((Added::Nothing, Outgoing::Chunked)),
        ),
        (&get, 200, NoBody, &[CL5], Err(FramingHeader)),
        (&get, 200, Known(4), &[CL5], Err(FramingHeader)),
        (&get, 200, Known(5), &[TE], Err(FramingHeader)),
        (&get, 200, Unknown, &[CL5], Err(FramingHeader)),
        (
            &get,
            200,
            Unknown,
            &["Transfer-Encoding: gzip"],
            Err(FramingHeader),
        ),
        (&get, 204, NoBody, &[], nothing),
        (&get, 204, Known(5), &[], dropped),
        (&get, 204, Unknown, &[], dropped),
        (
            &get,
            204,
            NoBody,
            &["Content-Length: 0"],
            Err(FramingHeader),
        ),
        (&get, 205, NoBody, &[], plain(0)),
        (&get, 205, Known(5), &[], Err(TooMuchContent)),
        (&get, 205, Unknown, &[], Err(TooMuchContent)),
        (&get, 304, NoBody, &[], nothing),
        (&get, 304, NoBody, &[CL5], nothing),
        (&get, 304, Known(5), &[], announced),
        (&get, 304, Known(4), &[CL5], Err(FramingHeader)),
        (&head, 200, NoBody, &[], nothing),
        (&head, 200, NoBody, &[CL5], nothing),
        (&head, 200, Known(5), &[], announced),
        (&head, 200, Known(5), &[CL5], dropped),
        (&head, 200, Unknown, &[], dropped),
        (&head, 200, Unknown, &[TE], dropped),
        (&head, 200, Known(5), &[TE], Err(FramingHeader)),
        (&get, 100, NoBody, &[], nothing),
        (&get, 103, Known(0), &[], nothing),
        (&get, 103, Known(5), &[], Err(TooMuchContent)),
        (
            &get,
            100,
            NoBody,
            &["Content-Length: 0"],
            Err(FramingHeader),
        ),
        (&get, 101, NoBody, &[TE], Err(FramingHeader)),
        (&connect, 200, NoBody, &[], nothing),
        (&connect, 200, Known(5), &[], Err(TooMuchContent)),
        (
            &connect,
            200,
            NoBody,
            &["Content-Length: 0"],
            Err(FramingHeader),
        ),
        (&connect, 407, Known(5), &[], plain(5)),
    ];
    for (method, status, body, lines, expected) in cases {
        let answered = Answered {
            method,
            understands_chunks: true,
        };
        let plan = plan_response(&response(status, lines), body, answered)
            .map(|plan| (plan.added, plan.outgoing));
        assert_eq!(plan, expected, "{method} {status} {body:?} {lines:?}");
    }
}

#[test]
fn a_peer_without_chunks_gets_content_until_we_close() {
    let answered = Answered {
        method: &Method::GET,
        understands_chunks: false,
    };
    let plan = plan_response(&response(200, &[]), Unknown, answered).unwrap();
    assert_eq!(
        (plan.added, plan.outgoing),
        (Added::Nothing, Outgoing::UntilClose)
    );
    assert_eq!(
        plan_response(&response(200, &[TE]), Unknown, answered),
        Err(FramingHeader)
    );
}

#[test]
fn reasons_cannot_inject() {
    let answered = Answered {
        method: &Method::GET,
        understands_chunks: true,
    };
    for reason in ["OK\r\nEvil: 1", "OK\n", "O\0K", "\x7f"] {
        let mut head = response(200, &[]);
        head.reason = reason.to_owned().into();
        assert_eq!(
            plan_response(&head, NoBody, answered),
            Err(Misuse::InvalidHeader)
        );
    }
}

#[test]
fn heads_are_written_byte_for_byte() {
    let mut out = Vec::new();
    let mut head = request(Method::GET, "/a?b", &["host: a", "X-Y:z"]);
    write_request(&head, Added::ContentLength(7), &mut out);
    head.version = Version::HTTP_10;
    write_request(&head, Added::Nothing, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "GET /a?b HTTP/1.1\r\nhost: a\r\nX-Y: z\r\nContent-Length: 7\r\n\r\n\
         GET /a?b HTTP/1.0\r\nhost: a\r\nX-Y: z\r\n\r\n"
    );

    let mut out = Vec::new();
    let mut head = response(404, &["A: b"]);
    write_response(&head, Added::Chunked, Some("close"), &mut out);
    head.reason = "Not Found".into();
    head.version = Version::HTTP_2;
    write_response(&head, Added::Nothing, None, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 404 \r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n"
    );
}
