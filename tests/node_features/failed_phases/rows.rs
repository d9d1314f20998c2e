//! What fails, phase by phase.

use super::*;

pub(super) fn connecting() -> Vec<Row> {
    let silent = |phase, kind: fn(&ErrorKind) -> bool, host, status| {
        row("a silent host", Server::At(host), phase, kind)
            .status(status)
            .retryable()
    };
    let proxy = |name, response: &str, ending, kind| {
        let server = Server::Proxy(response.to_owned(), ending);
        row(name, server, Phase::Tunnel, kind).status(Status::CantConnect)
    };
    vec![
        row(
            "an unknown name",
            Server::At("nobody.example"),
            Phase::Resolve,
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::Unresolved)),
        )
        .status(Status::CantResolve)
        .retryable(),
        silent(
            Phase::Resolve,
            |kind| matches!(kind, ErrorKind::Timeout(Phase::Resolve)),
            "slow.example",
            Status::CantResolve,
        ),
        row(
            "a refused connection",
            Server::At("game.example"),
            Phase::Connect,
            |kind| matches!(kind, ErrorKind::Network(NetworkFault::ConnectFailed)),
        )
        .status(Status::CantConnect)
        .retryable(),
        silent(
            Phase::Connect,
            |kind| matches!(kind, ErrorKind::Timeout(Phase::Connect)),
            "10.0.0.9",
            Status::CantConnect,
        ),
        proxy(
            "a proxy that refuses",
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            Close,
            |kind| matches!(kind, ErrorKind::Proxy(_)),
        ),
        proxy("a proxy that closes", "", Close, is_closed).retryable(),
        proxy("a proxy that resets", "", Reset, is_broken).retryable(),
        proxy("a silent proxy", "", Open, |kind| {
            matches!(kind, ErrorKind::Timeout(Phase::Tunnel))
        })
        .retryable(),
        proxy("a peer that is not a proxy", "SSH-2.0-x\r\n", Open, is_peer),
        proxy(
            "a proxy with too large a head",
            &format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(100_000)),
            Open,
            is_limit,
        ),
        row(
            "TLS to a plain port",
            Server::PlainPort,
            Phase::TlsHandshake,
            |kind| matches!(kind, ErrorKind::Tls(TlsFault::NotTls)),
        )
        .status(Status::TlsHandshakeError),
    ]
}

pub(super) fn sending() -> Vec<Row> {
    let once = |content: &'static [u8], length| RequestBody::reader(content, Some(length));
    let expects = &["Expect: 100-continue"][..];
    vec![
        row(
            "a head that cannot be sent",
            Server::Full(20),
            Phase::SendHead,
            |kind| matches!(kind, ErrorKind::Timeout(Phase::SendHead)),
        )
        .moved(true, false)
        .retryable(),
        row(
            "content that cannot be sent",
            Server::Full(10_000),
            Phase::SendBody,
            |kind| matches!(kind, ErrorKind::Timeout(Phase::SendBody)),
        )
        .method(Method::Put)
        .body(vec![1; LARGE])
        .moved(true, false)
        .retryable(),
        row(
            "the same for a POST",
            Server::Full(10_000),
            Phase::SendBody,
            |kind| matches!(kind, ErrorKind::Timeout(Phase::SendBody)),
        )
        .method(Method::Post)
        .body(vec![1; LARGE])
        .moved(true, false),
        row(
            "a reset while content is sent",
            responds("", Reset),
            Phase::SendBody,
            is_broken,
        )
        .method(Method::Put)
        .body(vec![1; LARGE])
        .moved(true, false)
        .retryable(),
        row(
            "a source that ends early",
            responds("", Open),
            Phase::SendBody,
            is_body,
        )
        .method(Method::Put)
        .body(once(b"short", 100))
        .moved(true, false),
        row(
            "a source that has too much",
            responds("", Open),
            Phase::SendBody,
            is_body,
        )
        .method(Method::Put)
        .body(once(b"much too long", 4))
        .moved(true, false),
        row(
            "no 100 Continue but the end",
            responds("", Close),
            Phase::AwaitContinue,
            is_closed,
        )
        .method(Method::Put)
        .headers(expects)
        .body("content")
        .retryable(),
        row(
            "no 100 Continue but a reset",
            responds("", Reset),
            Phase::AwaitContinue,
            is_broken,
        )
        .method(Method::Put)
        .headers(expects)
        .body("content")
        .retryable(),
        row(
            "an invalid 100 Continue",
            responds("HTTP/1.1 100\r\nno colon\r\n\r\n", Open),
            Phase::AwaitContinue,
            is_peer,
        )
        .method(Method::Put)
        .headers(expects)
        .body("content"),
    ]
}

pub(super) fn awaiting_the_head() -> Vec<Row> {
    let before = |name, response: &str, ending, kind| {
        row(name, responds(response, ending), Phase::AwaitHead, kind)
    };
    let large = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    vec![
        before("a connection that closes", "", Close, is_closed).retryable(),
        before("the same for a POST", "", Close, is_closed).method(Method::Post),
        before("the same with a key", "", Close, is_closed)
            .method(Method::Post)
            .headers(&["Idempotency-Key: 1"])
            .retryable(),
        before("a connection that is reset", "", Reset, is_broken).retryable(),
        before(
            "a head that is cut",
            "HTTP/1.1 200 OK\r\nX-A: ",
            Close,
            is_truncated,
        )
        .retryable(),
        before(
            "a head cut by a reset",
            "HTTP/1.1 200 OK\r\nX-A: ",
            Reset,
            is_broken,
        )
        .retryable(),
        before("the head timeout", "HTTP/1.1 200 OK\r\n", Open, |kind| {
            matches!(kind, ErrorKind::Timeout(Phase::AwaitHead))
        })
        .retryable(),
        before(
            "an invalid head",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            Open,
            is_peer,
        ),
        before("too large a head", &large, Open, is_limit).moved(true, true),
        row(
            "an invalid record",
            Server::Tls(""),
            Phase::AwaitHead,
            |kind| matches!(kind, ErrorKind::Tls(_)),
        )
        .moved(true, false),
    ]
}

pub(super) fn receiving() -> Vec<Row> {
    let ten = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let after = |name, response: &str, ending, kind| {
        row(name, responds(response, ending), Phase::ReceiveBody, kind).got(200, "abc")
    };
    let trailers = format!(
        "{chunked}3\r\nabc\r\n0\r\nX: {}\r\n\r\n",
        "a".repeat(100_000)
    );
    vec![
        after("content that is cut", ten, Close, is_truncated).retryable(),
        after("the same for a POST", ten, Close, is_truncated).method(Method::Post),
        after("content cut by a reset", ten, Reset, is_broken).retryable(),
        after(
            "content without a length cut by a reset",
            "HTTP/1.1 200 OK\r\n\r\nabc",
            Reset,
            is_broken,
        )
        .retryable(),
        after(
            "a chunk that is cut",
            &format!("{chunked}a\r\nabc"),
            Close,
            is_truncated,
        )
        .retryable(),
        after("content that stalls", ten, Open, |kind| {
            matches!(kind, ErrorKind::Timeout(Phase::ReceiveBody))
        })
        .retryable(),
        after(
            "an invalid chunk",
            &format!("{chunked}3\r\nabc\r\nzz\r\n"),
            Open,
            is_peer,
        ),
        after(
            "an invalid trailer",
            &format!("{chunked}3\r\nabc\r\n0\r\nno colon\r\n\r\n"),
            Open,
            is_peer,
        ),
        after("too large a trailer section", &trailers, Open, is_limit).moved(true, true),
        after(
            "an unknown transfer coding under chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Open,
            is_peer,
        )
        .got(200, ""),
        row(
            "an invalid record",
            Server::Tls(ten),
            Phase::ReceiveBody,
            |kind| matches!(kind, ErrorKind::Tls(_)),
        )
        .got(200, "abc")
        .moved(true, true),
    ]
}
