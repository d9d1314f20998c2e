//! What an error says, whole sentences.

use std::io;

use super::*;

fn at(kind: impl Into<ErrorKind>, phase: Phase) -> Error {
    Error::new(kind.into()).at(phase, "https://game.example")
}

#[test]
fn an_error_names_the_step_its_object_and_the_cause() {
    let refused = io::Error::other("connection refused");
    let rows = [
        (
            at(ErrorKind::Network(NetworkFault::Unresolved), Phase::Resolve),
            "could not look up the host of https://game.example: the host name has no address; check \
             the spelling of the host and the network connection",
        ),
        (
            at(
                ErrorKind::Network(NetworkFault::ConnectFailed),
                Phase::Connect,
            )
            .with_source(refused),
            "could not connect to https://game.example: no address accepted the connection \
             (connection refused); check that the server runs and listens on this port, and that no \
             firewall blocks it",
        ),
        (
            at(ErrorKind::Proxy(ProxyFault::NotAllowed), Phase::Tunnel)
                .through(Some("socks5://10.9.0.3:1080")),
            "the proxy socks5://10.9.0.3:1080 opened no tunnel to https://game.example: the rules of the SOCKS \
             proxy do not allow this host (reply 2)",
        ),
        (
            at(TlsFault::CertificateExpired, Phase::TlsHandshake)
                .through(Some("http://10.9.0.3:3128")),
            "could not establish TLS with https://game.example through the proxy http://10.9.0.3:3128: the \
             server's certificate has expired",
        ),
        (
            at(TlsFault::CertificateExpired, Phase::TlsHandshake),
            "could not establish TLS with https://game.example: the server's certificate has expired",
        ),
        (
            at(ErrorKind::Timeout(Phase::TlsHandshake), Phase::TlsHandshake),
            "could not establish TLS with https://game.example: timed out (Timeouts::tls_handshake)",
        ),
        (
            at(PeerMisbehaved::NotHttp, Phase::AwaitHead),
            "got no valid response from https://game.example: the peer does not speak HTTP/1 \
             (RFC 9112 §4)",
        ),
        (
            at(
                ErrorKind::Truncated {
                    received: 5,
                    expected: Some(9),
                },
                Phase::ReceiveBody,
            ),
            "could not receive the response content from https://game.example: the connection closed \
             after 5 of 9 bytes of content",
        ),
        (
            Misuse::NotConnected.into(),
            "not connected: call connect_to_host first",
        ),
        (
            Error::new(ErrorKind::Internal("a hop ended without a response")),
            "a bug in httpoll: a hop ended without a response; please report it with this text",
        ),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}

#[cfg(feature = "agent")]
#[test]
fn an_error_of_a_request_names_its_url_and_one_of_a_file_its_path() {
    let url = || "https://game.example/scores".to_owned();
    let error = at(ErrorKind::Status(404), Phase::ReceiveBody).for_url(url);
    assert_eq!(
        error.to_string(),
        "https://game.example/scores: the server responded with status 404"
    );
    let error = at(ErrorKind::Timeout(Phase::AwaitHead), Phase::AwaitHead).for_url(url);
    assert_eq!(
        error.to_string(),
        "got no valid response from https://game.example/scores: timed out (Timeouts::head)"
    );
    // Before a request is sent, its path does not matter.
    let error = at(ErrorKind::Timeout(Phase::Connect), Phase::Connect).for_url(url);
    assert!(!error.to_string().contains("scores"), "{error}");
    let error = at(ErrorKind::File(DiskFault::NotAFile), Phase::ReceiveBody)
        .for_url(url)
        .about_file(std::path::Path::new("saves/replay.bin"));
    assert_eq!(
        error.to_string(),
        "https://game.example/scores: saves/replay.bin: the path does not name a regular file"
    );
}

#[test]
fn text_that_is_not_a_url_is_named_without_what_may_be_a_secret() {
    let long = format!("x{}", "y".repeat(200));
    for (given, shown) in [
        ("scores", "scores: "),
        ("", ""),
        ("ftp://game.example/x", "ftp://game.example/x: "),
        (
            "http://game.example:x/a?token=s#t",
            "http://game.example:x/a: ",
        ),
        ("http://ada:s@game.example:x/", "http://…@game.example:x/: "),
        ("ada:s@game.example", "…@game.example: "),
        (
            "http://ada:s/e@c@game.example:x/",
            "http://…@game.example:x/: ",
        ),
        ("http://ada:s#c@game.example/", "http://…: "),
        ("http://ada:s?c@game.example/", "http://…: "),
        ("a\r\nb", "a\u{fffd}\u{fffd}b: "),
        (&long, &format!("{}…: ", &long[..100])),
    ] {
        let error = Error::from(Misuse::InvalidUrl).for_text(given);
        let expected = "the URL must be absolute, with the scheme http or https";
        assert_eq!(error.to_string(), format!("{shown}{expected}"), "{given}");
    }
}
