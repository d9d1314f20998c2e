#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::limits::Limits;
use crate::proto::{BodyLength, Exchange, ExchangeEvent};

/// The nonce of RFC 6455 §1.3, its key and its accept value.
const NONCE: [u8; 16] = *b"the sample nonce";
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn fields(lines: &[&str]) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    fields
}

fn shown(fields: &FieldLines) -> Vec<String> {
    fields
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
        .collect()
}

fn request(lines: &[&str]) -> RequestHead {
    RequestHead {
        method: Method::GET,
        target: "/chat".to_owned(),
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

#[test]
fn the_client_sends_the_request_fields() {
    let handshake = ClientHandshake::new(NONCE, &["chat.v2", "chat"]).unwrap();
    let asked = handshake
        .request_fields(&fields(&["Origin: https://game.example"]))
        .unwrap();
    assert_eq!(
        shown(&asked),
        [
            "Origin: https://game.example",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: chat.v2, chat",
        ]
    );
    let handshake = ClientHandshake::new(NONCE, &[]).unwrap();
    let asked = handshake.request_fields(&FieldLines::new()).unwrap();
    assert!(!asked.contains(PROTOCOL));
}

#[test]
fn subprotocols_are_distinct_tokens() {
    for protocols in [&[""][..], &["a b"], &["a,b"], &["a", "b", "a"], &["ä"]] {
        assert_eq!(
            ClientHandshake::new(NONCE, protocols).unwrap_err(),
            WebSocketFault::InvalidSubprotocol,
            "{protocols:?}"
        );
    }
    assert!(ClientHandshake::new(NONCE, &["a", "A"]).is_ok());
}

#[test]
fn the_handshakes_own_fields_cannot_be_overridden() {
    let client = ClientHandshake::new(NONCE, &[]).unwrap();
    let server = UpgradeRequest {
        key: SAMPLE_KEY.to_owned(),
        protocols: Vec::new(),
    };
    for line in [
        "connection: close",
        "UPGRADE: h2c",
        "Sec-WebSocket-Accept: x",
        "Sec-WebSocket-Key: x",
        "Sec-WebSocket-Version: 8",
        "Sec-WebSocket-Protocol: x",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
    ] {
        let extra = fields(&[line]);
        let refused = WebSocketFault::ReservedHeader;
        assert_eq!(
            client.request_fields(&extra).unwrap_err(),
            refused,
            "{line}"
        );
        assert_eq!(server.accept(None, &extra).unwrap_err(), refused, "{line}");
    }
}

#[test]
fn the_client_checks_the_response() {
    let upgrade = "Upgrade: WebSocket";
    let connection = "Connection: keep-alive, upgrade";
    let accept = &*format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    let rows: &[(u16, &[&str], Result<Option<&str>, WebSocketFault>)] = &[
        // RFC 6455 §4.1, the client's checks 1 to 6.
        (101, &[upgrade, connection, accept], Ok(None)),
        (
            200,
            &[upgrade, connection, accept],
            Err(WebSocketFault::NotSwitched { status: 200 }),
        ),
        (401, &[], Err(WebSocketFault::NotSwitched { status: 401 })),
        (101, &[connection, accept], Err(WebSocketFault::NoUpgrade)),
        (
            101,
            &["Upgrade: h2c", connection, accept],
            Err(WebSocketFault::NoUpgrade),
        ),
        (101, &[upgrade, accept], Err(WebSocketFault::NoUpgrade)),
        (
            101,
            &[upgrade, connection],
            Err(WebSocketFault::WrongAccept),
        ),
        (
            101,
            &[upgrade, connection, accept, accept],
            Err(WebSocketFault::WrongAccept),
        ),
        (
            101,
            &[
                upgrade,
                connection,
                "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
            ],
            Err(WebSocketFault::WrongAccept),
        ),
        (
            101,
            &[
                upgrade,
                connection,
                accept,
                "Sec-WebSocket-Extensions: permessage-deflate",
            ],
            Err(WebSocketFault::UnexpectedExtension),
        ),
        (
            101,
            &[upgrade, connection, accept, "Sec-WebSocket-Protocol: chat"],
            Ok(Some("chat")),
        ),
        (
            101,
            &[upgrade, connection, accept, "Sec-WebSocket-Protocol: Chat"],
            Err(WebSocketFault::UnexpectedSubprotocol),
        ),
        (
            101,
            &[
                upgrade,
                connection,
                accept,
                "Sec-WebSocket-Protocol: chat, chat.v2",
            ],
            Err(WebSocketFault::UnexpectedSubprotocol),
        ),
        (
            101,
            &[
                upgrade,
                connection,
                accept,
                "Sec-WebSocket-Protocol: chat",
                "Sec-WebSocket-Protocol: chat",
            ],
            Err(WebSocketFault::UnexpectedSubprotocol),
        ),
        (
            101,
            &[upgrade, connection, accept, "Sec-WebSocket-Protocol:"],
            Err(WebSocketFault::UnexpectedSubprotocol),
        ),
    ];
    let handshake = ClientHandshake::new(NONCE, &["chat.v2", "chat"]).unwrap();
    for (status, lines, expected) in rows {
        assert_eq!(
            handshake.verify(&response(*status, lines)),
            *expected,
            "{status} {lines:?}"
        );
    }
    let offers_none = ClientHandshake::new(NONCE, &[]).unwrap();
    assert_eq!(
        offers_none.verify(&response(
            101,
            &[upgrade, connection, accept, "Sec-WebSocket-Protocol: chat"]
        )),
        Err(WebSocketFault::UnexpectedSubprotocol)
    );
}

#[test]
fn the_server_checks_the_request() {
    let upgrade = "Upgrade: h2c, WebSocket";
    let connection = "Connection: Keep-Alive, Upgrade";
    let version = "Sec-WebSocket-Version: 13";
    let key = &*format!("Sec-WebSocket-Key: {SAMPLE_KEY}");
    let ok: [&str; 4] = [upgrade, connection, version, key];
    let checked = UpgradeRequest::check(&request(&ok)).unwrap();
    assert_eq!(checked.key, SAMPLE_KEY);
    let rows: &[(&[&str], WebSocketFault)] = &[
        // RFC 6455 §4.2.1.
        (&[connection, version, key], WebSocketFault::NoUpgrade),
        (
            &["Upgrade: websockets", connection, version, key],
            WebSocketFault::NoUpgrade,
        ),
        (&[upgrade, version, key], WebSocketFault::NoUpgrade),
        (
            &[upgrade, "Connection: keep-alive", version, key],
            WebSocketFault::NoUpgrade,
        ),
        (
            &[upgrade, connection, key],
            WebSocketFault::UnsupportedVersion,
        ),
        (
            &[upgrade, connection, "Sec-WebSocket-Version: 8", key],
            WebSocketFault::UnsupportedVersion,
        ),
        (
            &[upgrade, connection, "Sec-WebSocket-Version: 13, 8", key],
            WebSocketFault::UnsupportedVersion,
        ),
        (&[upgrade, connection, version], WebSocketFault::InvalidKey),
        (
            &[upgrade, connection, version, key, key],
            WebSocketFault::InvalidKey,
        ),
        (
            &[upgrade, connection, version, "Sec-WebSocket-Key: x"],
            WebSocketFault::InvalidKey,
        ),
        (
            // 15 bytes.
            &[
                upgrade,
                connection,
                version,
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA",
            ],
            WebSocketFault::InvalidKey,
        ),
        (
            &[
                upgrade,
                connection,
                version,
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ",
            ],
            WebSocketFault::InvalidKey,
        ),
        (
            &[
                upgrade,
                connection,
                version,
                key,
                "Sec-WebSocket-Protocol: a b",
            ],
            WebSocketFault::InvalidSubprotocol,
        ),
    ];
    for (lines, fault) in rows {
        let refusal = UpgradeRequest::check(&request(lines)).unwrap_err();
        assert_eq!(refusal.fault, *fault, "{lines:?}");
        if *fault == WebSocketFault::UnsupportedVersion {
            assert_eq!(refusal.status, 426);
            assert_eq!(
                shown(&refusal.fields),
                [
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    "Sec-WebSocket-Version: 13"
                ]
            );
        } else {
            assert_eq!(refusal.status, 400);
            assert!(refusal.fields.is_empty());
        }
    }
    let mut post = request(&ok);
    post.method = Method::POST;
    let mut old = request(&ok);
    old.version = Version::HTTP_10;
    for head in [post, old] {
        assert!(UpgradeRequest::is_asked_for(&head));
        let refusal = UpgradeRequest::check(&head).unwrap_err();
        assert_eq!(refusal.fault, WebSocketFault::NoUpgradeRequest);
        assert_eq!(refusal.status, 400);
    }
    assert!(!UpgradeRequest::is_asked_for(&request(&["Upgrade: h2c"])));
}

#[test]
fn the_server_accepts_a_request() {
    let checked = UpgradeRequest::check(&request(&[
        "Upgrade: websocket",
        "Connection: upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: b, a",
        "Sec-WebSocket-Protocol: c",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ]))
    .unwrap();
    assert_eq!(checked.protocols().collect::<Vec<_>>(), ["b", "a", "c"]);
    assert_eq!(
        checked.choose(&["a", "b"]),
        Some("b"),
        "the client's choice"
    );
    assert_eq!(checked.choose(&["x", "c"]), Some("c"));
    assert_eq!(checked.choose(&["A"]), None);
    let head = checked
        .accept(Some("a"), &fields(&["Set-Cookie: a=1", "Set-Cookie: b=2"]))
        .unwrap();
    assert_eq!(head.status, 101);
    assert_eq!(
        shown(&head.fields),
        [
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: a",
        ]
    );
    assert_eq!(
        checked.accept(Some("x"), &FieldLines::new()).unwrap_err(),
        WebSocketFault::InvalidSubprotocol
    );
}

#[test]
fn both_sides_agree() {
    let client = ClientHandshake::new([7; 16], &["a", "b"]).unwrap();
    let mut asked = request(&[]);
    asked.fields = client.request_fields(&FieldLines::new()).unwrap();
    let server = UpgradeRequest::check(&asked).unwrap();
    for protocol in [None, Some("a"), Some("b")] {
        let answer = server.accept(protocol, &FieldLines::new()).unwrap();
        assert_eq!(client.verify(&answer), Ok(protocol));
    }
}

#[test]
fn the_handshake_passes_both_http_state_machines() {
    let handshake = ClientHandshake::new(NONCE, &["chat"]).unwrap();
    let asked = RequestHead {
        fields: handshake
            .request_fields(&fields(&["Host: game.example"]))
            .unwrap(),
        ..request(&[])
    };
    let mut client = Exchange::client(Limits::default());
    let mut server = Exchange::server(Limits::default());
    let mut wire = Vec::new();
    client
        .send_request(&asked, BodyLength::None, &mut wire)
        .unwrap();

    let mut offset = 0;
    let mut seen = None;
    loop {
        let received = server.receive(&wire[offset..]).unwrap();
        offset += received.consumed;
        match received.event {
            Some(ExchangeEvent::Request(head)) => seen = Some(head),
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(offset, wire.len());
    let checked = UpgradeRequest::check(&seen.unwrap()).unwrap();
    let head = checked.accept(Some("chat"), &FieldLines::new()).unwrap();
    let mut wire = Vec::new();
    server
        .send_response(&head, BodyLength::None, &mut wire)
        .unwrap();
    wire.extend_from_slice(b"\x81\x02hi");

    let mut offset = 0;
    let mut verified = None;
    loop {
        let received = client.receive(&wire[offset..]).unwrap();
        offset += received.consumed;
        match received.event {
            Some(ExchangeEvent::Switched) => break,
            Some(ExchangeEvent::Response(head)) => {
                verified = Some(handshake.verify(&head).map(|it| it.map(str::to_owned)));
            }
            Some(_) => {}
            None => panic!("it does not switch"),
        }
    }
    assert_eq!(verified, Some(Ok(Some("chat".to_owned()))));
    assert_eq!(&wire[offset..], b"\x81\x02hi", "the first frame is left");
}
