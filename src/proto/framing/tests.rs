use super::*;
use CloseReason::{CloseDelimited, TransferEncodingInHttp10, TransferEncodingWithoutContent};
use Framing::{Chunked, Empty, Length, Tunnel, UntilClose};
use PeerMisbehaved::{
    ConflictingContentLength, ContentLengthWithTransferEncoding, InvalidContentLength,
    InvalidTransferEncoding, UnsupportedTransferCoding,
};

fn fields(lines: &[&str]) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    fields
}

fn response(method: &Method, version: Version, status: u16, lines: &[&str]) -> Outcome {
    let head = ResponseHead {
        version,
        status: StatusCode::from_u16(status).unwrap(),
        reason: "".into(),
        fields: fields(lines),
    };
    of_response(method, &head).map(|framed| (framed.framing, framed.close))
}

fn request(version: Version, lines: &[&str]) -> Outcome {
    let head = RequestHead {
        method: Method::POST,
        target: "/".to_owned(),
        version,
        fields: fields(lines),
    };
    of_request(&head).map(|framed| (framed.framing, framed.close))
}

type Outcome = Result<(Framing, Option<CloseReason>), PeerMisbehaved>;

const TE: &str = "Transfer-Encoding: chunked";
const CL: &str = "Content-Length: 5";

#[test]
fn response_framing_depends_on_method_and_status() {
    let (get, head, connect) = (Method::GET, Method::HEAD, Method::CONNECT);
    let empty = Ok((Empty, None));
    let tunnel = Ok((Tunnel, Some(CloseReason::Switched)));
    let to_close = Ok((UntilClose, Some(CloseDelimited)));
    let cases: [(&Method, u16, &[&str], Outcome); 24] = [
        (&get, 200, &[], to_close),
        (&get, 200, &[CL], Ok((Length(5), None))),
        (&get, 200, &[TE], Ok((Chunked, None))),
        (&get, 205, &[CL], Ok((Length(5), None))),
        (&get, 799, &[CL], Ok((Length(5), None))),
        (&get, 404, &["Content-Length: 0"], Ok((Length(0), None))),
        (
            &get,
            204,
            &[CL],
            Ok((Empty, Some(CloseReason::ContentLengthWithoutContent))),
        ),
        (&get, 204, &["Content-Length: 0"], empty),
        (
            &get,
            204,
            &["Content-Length: junk"],
            Ok((Empty, Some(CloseReason::ContentLengthWithoutContent))),
        ),
        (
            &get,
            204,
            &[TE],
            Ok((Empty, Some(TransferEncodingWithoutContent))),
        ),
        (&get, 304, &[CL], empty),
        (&get, 304, &["Content-Length: junk"], empty),
        (&get, 100, &[CL], empty),
        (&get, 101, &[TE], empty),
        (&get, 103, &[TE, CL], empty),
        (&head, 200, &[CL], empty),
        (&head, 200, &[TE], empty),
        (&head, 200, &["Transfer-Encoding: gzip"], empty),
        (&head, 404, &["Content-Length: -1"], empty),
        (&connect, 200, &[CL], tunnel),
        (&connect, 201, &[TE], tunnel),
        (&connect, 299, &[], tunnel),
        (&connect, 407, &[CL], Ok((Length(5), None))),
        (&connect, 302, &[], to_close),
    ];
    for (method, status, lines, expected) in cases {
        assert_eq!(
            response(method, Version::HTTP_11, status, lines),
            expected,
            "{method} {status} {lines:?}"
        );
    }
}

/// Each `Transfer-Encoding` with the persistence on a response and on a request.
#[test]
fn transfer_codings() {
    let to_close: Outcome = Ok((UntilClose, Some(CloseDelimited)));
    let chunked: Outcome = Ok((Chunked, None));
    let (unsupported, invalid) = (Err(UnsupportedTransferCoding), Err(InvalidTransferEncoding));
    let cases: [(&[&str], Outcome, Outcome); 18] = [
        (&["chunked"], chunked, chunked),
        (&["Chunked"], chunked, chunked),
        (&["CHUNKED \t"], chunked, chunked),
        (&["chunked,"], chunked, invalid),
        (&[", chunked"], chunked, invalid),
        (&["", "chunked"], chunked, invalid),
        (&[""], to_close, invalid),
        (&[","], to_close, invalid),
        (&["gzip"], to_close, unsupported),
        (&["identity"], to_close, unsupported),
        (&["xchunked"], to_close, unsupported),
        (&["chunked;q=1"], to_close, unsupported),
        (&["\"chunked\""], to_close, unsupported),
        (&["chunked, gzip"], to_close, invalid),
        (&["chunked", "identity"], to_close, invalid),
        (&["gzip, chunked"], unsupported, unsupported),
        (&["gzip", "deflate", "chunked"], unsupported, unsupported),
        (&["chunked, chunked"], invalid, invalid),
    ];
    for (values, of_response, of_request) in cases {
        let lines: Vec<_> = values
            .iter()
            .map(|value| format!("Transfer-Encoding: {value}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(
            response(&Method::GET, Version::HTTP_11, 200, &lines),
            of_response,
            "response {values:?}"
        );
        assert_eq!(
            request(Version::HTTP_11, &lines),
            of_request,
            "request {values:?}"
        );
    }
}

#[test]
fn lengths() {
    let cases: [(&[&str], Result<u64, PeerMisbehaved>); 24] = [
        (&["0"], Ok(0)),
        (&["42"], Ok(42)),
        (&[" 42\t"], Ok(42)),
        (&["0042"], Ok(42)),
        (&["42, 42"], Ok(42)),
        (&["42", "42"], Ok(42)),
        (&["42", "42,42"], Ok(42)),
        (&["18446744073709551615"], Ok(u64::MAX)),
        (&["42, 43"], Err(ConflictingContentLength)),
        (&["42", "0"], Err(ConflictingContentLength)),
        (&["18446744073709551616"], Err(InvalidContentLength)),
        (&["99999999999999999999999"], Err(InvalidContentLength)),
        (&["+5"], Err(InvalidContentLength)),
        (&["-1"], Err(InvalidContentLength)),
        (&[""], Err(InvalidContentLength)),
        (&["5,"], Err(InvalidContentLength)),
        (&[",5"], Err(InvalidContentLength)),
        (&["5,,5"], Err(InvalidContentLength)),
        (&["5 5"], Err(InvalidContentLength)),
        (&["5", ""], Err(InvalidContentLength)),
        (&["0x5"], Err(InvalidContentLength)),
        (&["5.0"], Err(InvalidContentLength)),
        (&["\"5\""], Err(InvalidContentLength)),
        (&["five"], Err(InvalidContentLength)),
    ];
    for (values, expected) in cases {
        let lines: Vec<_> = values
            .iter()
            .map(|value| format!("content-length: {value}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let expected = expected.map(|length| (Length(length), None));
        assert_eq!(
            response(&Method::GET, Version::HTTP_11, 200, &lines),
            expected,
            "response {values:?}"
        );
        assert_eq!(
            request(Version::HTTP_11, &lines),
            expected,
            "request {values:?}"
        );
    }
}

#[test]
fn combinations() {
    let get = Method::GET;
    let both = [CL, TE];
    let (v10, v11) = (Version::HTTP_10, Version::HTTP_11);
    let doubtful = Some(CloseReason::ContentLengthWithTransferEncoding);
    assert_eq!(response(&get, v11, 200, &both), Ok((Chunked, doubtful)));
    assert_eq!(
        response(&get, v11, 200, &["Content-Length: junk", TE]),
        Ok((Chunked, doubtful))
    );
    assert_eq!(
        response(&get, v11, 200, &["Transfer-Encoding: gzip", CL]),
        Ok((UntilClose, Some(CloseDelimited)))
    );
    assert_eq!(
        response(&get, v10, 200, &[TE]),
        Ok((Chunked, Some(TransferEncodingInHttp10)))
    );
    assert_eq!(response(&get, v10, 200, &[CL]), Ok((Length(5), None)));
    assert_eq!(
        response(&get, v10, 200, &[]),
        Ok((UntilClose, Some(CloseDelimited)))
    );

    assert_eq!(request(v11, &both), Err(ContentLengthWithTransferEncoding));
    assert_eq!(
        request(v11, &["Transfer-Encoding: gzip", CL]),
        Err(ContentLengthWithTransferEncoding)
    );
    for lines in [&both[..], &[TE], &["Transfer-Encoding:"]] {
        assert_eq!(
            request(v10, lines),
            Err(PeerMisbehaved::TransferEncodingInHttp10)
        );
    }
    assert_eq!(request(v10, &[CL]), Ok((Length(5), None)));
    assert_eq!(request(v11, &[]), Ok((Empty, None)));
}

#[test]
fn identity_in_a_response_is_no_coding() {
    let lines = ["Transfer-Encoding: identity", "Content-Length: 5"];
    assert_eq!(
        response(&Method::GET, Version::HTTP_11, 200, &lines),
        Ok((Length(5), None))
    );
    let lines = ["Transfer-Encoding: Identity, identity"];
    assert_eq!(
        response(&Method::GET, Version::HTTP_11, 204, &lines),
        Ok((Empty, None))
    );
    // A request with it could be interpreted in two ways.
    assert_eq!(
        request(Version::HTTP_11, &["Transfer-Encoding: identity"]),
        Err(UnsupportedTransferCoding)
    );
}

#[test]
fn a_response_without_content_that_declares_a_coding_ends_the_connection() {
    let lines = ["Transfer-Encoding: chunked"];
    let to_close = Ok((Empty, Some(TransferEncodingWithoutContent)));
    for status in [204, 304] {
        assert_eq!(
            response(&Method::GET, Version::HTTP_11, status, &lines),
            to_close,
            "{status}"
        );
    }
    // In a response to HEAD, the coding is that of the response to GET.
    assert_eq!(
        response(&Method::HEAD, Version::HTTP_11, 200, &lines),
        Ok((Empty, None))
    );
    assert_eq!(
        response(&Method::HEAD, Version::HTTP_11, 200, &["Content-Length: 9"]),
        Ok((Empty, None))
    );
}
