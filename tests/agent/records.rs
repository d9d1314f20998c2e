//! Records (lines of JSON, frames with a length) that are parsed while a response streams.

use std::time::Duration;

use httpoll::mock::{MockResponse, MockStream};
use httpoll::{
    Event, Request,
    error::FrameFault,
    frames::{JsonLines, LengthPrefix, LengthPrefixed},
};

use crate::support::{frames, run, setup};

#[test]
fn lines_of_json_are_there_before_the_response_ends() {
    let (network, server, mut agent) = setup();
    network.set_transfer_limit(Some(5));
    let stream = MockStream::new();
    server.get("/").reply(MockResponse::ok().stream(&stream));
    let handle = agent
        .send(Request::get("http://game.example/").stream())
        .unwrap();
    frames(&network, &mut agent, 10);
    let mut lines = JsonLines::new();
    let mut values = Vec::new();
    for (piece, expected) in [
        ("{\"score\":1}\n{\"sco", 1),
        ("re\":2}\r\n\n", 2),
        ("nonsense\n[3]", 2),
        ("\n", 3),
    ] {
        stream.send(piece);
        for event in frames(&network, &mut agent, 20) {
            let Event::Chunk { bytes, .. } = event else {
                continue;
            };
            lines.push(&bytes);
            loop {
                match lines.next_value() {
                    Ok(Some(value)) => values.push(value),
                    Ok(None) => break,
                    Err(fault) => assert!(matches!(fault, FrameFault::NotJson { .. })),
                }
            }
        }
        assert_eq!(values.len(), expected, "{piece}");
    }
    assert_eq!(values[1]["score"], 2);
    drop(handle);
}

#[test]
fn frames_with_a_length() {
    let (network, server, mut agent) = setup();
    let mut content = Vec::new();
    for size in [0, 1, 300, 70_000] {
        LengthPrefix::U32BigEndian
            .encode(&vec![7; size], &mut content)
            .unwrap();
    }
    server.get("/").reply(
        MockResponse::ok()
            .bytes(content)
            .drip(999, Duration::from_millis(10)),
    );
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").stream(),
    );
    let mut reader = LengthPrefixed::new(LengthPrefix::U32BigEndian);
    let mut sizes = Vec::new();
    for event in &outcome.events {
        if let Event::Chunk { bytes, .. } = event {
            reader.push(bytes);
            while let Some(frame) = reader.next_frame().unwrap() {
                sizes.push(frame.len());
            }
        }
    }
    reader.finish().unwrap();
    assert_eq!(sizes, [0, 1, 300, 70_000]);
}

#[test]
fn a_record_without_end_is_a_fault_and_not_memory() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![b'x'; 50_000]));
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").stream(),
    );
    let mut lines = JsonLines::with_line_bytes(1000);
    let mut frames = LengthPrefixed::with_frame_bytes(LengthPrefix::U32BigEndian, 1000);
    for event in &outcome.events {
        if let Event::Chunk { bytes, .. } = event {
            lines.push(bytes);
            frames.push(bytes);
        }
    }
    assert_eq!(lines.next_line().unwrap_err(), FrameFault::TooLong(1000));
    assert_eq!(frames.next_frame().unwrap_err(), FrameFault::TooLong(1000));
}
