//! Both exchange machines against each other: what one sends, the other receives, however it is cut.

#![no_main]

use http::{Method, StatusCode, Version};
use httpoll::Limits;
use httpoll::proto::{BodyLength, Exchange, ExchangeEvent, FieldLines, RequestHead, ResponseHead};
use httpoll_fuzz::{Choices, pieces, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let (line, content) = bytes.split_at(bytes.len().min(16));
    let line = String::from_utf8_lossy(line);
    // A client may ask for anything; a server need not take it.
    let line = line.to_ascii_lowercase().replace("expect", "x-expect");
    let mut client = Exchange::client(Limits::default());
    let mut server = Exchange::server(Limits::default());

    let mut fields = FieldLines::new();
    fields.append("Host", "a.example").unwrap();
    let _ = fields.append_line(&line);
    let method =
        [Method::GET, Method::POST, Method::HEAD, Method::PUT][choices.bits(2) as usize].clone();
    let request = RequestHead {
        method: method.clone(),
        target: "/a?b".to_owned(),
        version: Version::HTTP_11,
        fields,
    };
    let body = length(&mut choices, content);
    let mut out = Vec::new();
    if client.send_request(&request, body, &mut out).is_err() {
        return;
    }
    let sent = if body == BodyLength::None {
        &[][..]
    } else {
        content
    };
    for piece in pieces(&choices, sent) {
        client.send_content(piece, &mut out).unwrap();
    }
    client.finish(&trailers(body), &mut out).unwrap();
    let (got, received, ended) = take(&mut server, &choices, &out);
    assert!(matches!(&got[..], [ExchangeEvent::Request(head)] if head.target == request.target));
    assert_eq!((&received[..], ended), (sent, Some(trailers(body))));

    let mut fields = FieldLines::new();
    let _ = fields.append_line(&line);
    let response = ResponseHead {
        version: Version::HTTP_11,
        status: StatusCode::OK,
        reason: "Fine".into(),
        fields,
    };
    let body = length(&mut choices, content);
    out.clear();
    if server.send_response(&response, body, &mut out).is_err() {
        return;
    }
    let sent = if body == BodyLength::None {
        &[][..]
    } else {
        content
    };
    for piece in pieces(&choices, sent) {
        server.send_content(piece, &mut out).unwrap();
    }
    server.finish(&trailers(body), &mut out).unwrap();
    let (got, received, ended) = take(&mut client, &choices, &out);
    assert!(matches!(&got[..], [ExchangeEvent::Response(head)] if head.reason == "Fine"));
    if method == Method::HEAD {
        assert_eq!((&received[..], ended), (&[][..], Some(FieldLines::new())));
    } else {
        assert_eq!((&received[..], ended), (sent, Some(trailers(body))));
    }
    assert_eq!(client.next_cycle().is_ok(), server.next_cycle().is_ok());
});

fn length(choices: &mut Choices, content: &[u8]) -> BodyLength {
    match choices.bits(2) {
        0 => BodyLength::None,
        1 => BodyLength::Known(content.len() as u64),
        _ => BodyLength::Unknown,
    }
}

fn trailers(body: BodyLength) -> FieldLines {
    let mut trailers = FieldLines::new();
    if body == BodyLength::Unknown {
        trailers.append("X-Sum", "1").unwrap();
    }
    trailers
}

/// Heads, content and trailers that a machine makes of these bytes.
fn take(
    exchange: &mut Exchange,
    choices: &Choices,
    bytes: &[u8],
) -> (Vec<ExchangeEvent>, Vec<u8>, Option<FieldLines>) {
    let (mut heads, mut content, mut ended) = (Vec::new(), Vec::new(), None);
    let mut unread = Vec::new();
    for piece in pieces(choices, bytes) {
        unread.extend_from_slice(piece);
        loop {
            let received = exchange.receive(&unread).unwrap();
            match received.event {
                Some(ExchangeEvent::Content(range)) => content.extend_from_slice(&unread[range]),
                Some(ExchangeEvent::End { trailers }) => ended = Some(trailers),
                Some(head) => heads.push(head),
                None => {
                    unread.drain(..received.consumed);
                    break;
                }
            }
            unread.drain(..received.consumed);
        }
    }
    assert!(unread.is_empty());
    (heads, content, ended)
}
