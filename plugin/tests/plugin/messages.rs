//! Content divided into messages, as typed events.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::ErrorKind;
use bevy_httpoll::httpoll::error::FrameFault;
use bevy_httpoll::httpoll::frames::LengthPrefix;
use bevy_httpoll::httpoll::mock::{MockResponse, MockStream};
use bevy_httpoll::prelude::*;
use serde::Deserialize;

use crate::support::{Game, unhurried, url};

#[derive(Deserialize, Debug, PartialEq)]
struct Move {
    x: i32,
}

/// Spawns a request for messages, and returns what its observer received.
fn watch(
    game: &mut Game,
    format: HttpFrameFormat,
) -> (Entity, mpsc::Receiver<Result<Move, ErrorKind>>) {
    let (sender, receiver) = mpsc::channel();
    let entity = game
        .app
        .world_mut()
        .spawn((
            HttpRequest::get(url("/")),
            HttpStream::Messages(HttpFraming::new(format)),
        ))
        .on_message(move |mut on: On<HttpMessage<Move>>| {
            assert_eq!(on.entity, on.request);
            let result = std::mem::replace(&mut on.result, Ok(Move { x: 0 }));
            sender
                .send(result.map_err(|error| error.kind().clone()))
                .unwrap();
        })
        .id();
    (entity, receiver)
}

#[test]
fn messages_of_each_format_are_values_before_the_response_ends() {
    use HttpFrameFormat::*;
    for (format, prefix) in [
        (JsonLines, None),
        (ServerSentEvents, None),
        (U16BigEndian, Some(LengthPrefix::U16BigEndian)),
        (U16LittleEndian, Some(LengthPrefix::U16LittleEndian)),
        (U32BigEndian, Some(LengthPrefix::U32BigEndian)),
        (U32LittleEndian, Some(LengthPrefix::U32LittleEndian)),
    ] {
        let mut game = Game::new();
        let stream = MockStream::new();
        let _rule = game
            .server
            .get("/")
            .reply(MockResponse::ok().stream(&stream));
        let (_, receiver) = watch(&mut game, format);
        for x in [1, 2] {
            let text = format!("{{\"x\":{x}}}");
            let mut content = Vec::new();
            match (format, prefix) {
                (_, Some(prefix)) => prefix.encode(text.as_bytes(), &mut content).unwrap(),
                (ServerSentEvents, _) => content = format!("data: {text}\n\n").into(),
                _ => content = format!("{text}\n").into(),
            }
            stream.send(content);
            game.frames(4);
            let observed: Vec<_> = receiver.try_iter().collect();
            assert_eq!(observed, [Ok(Move { x })], "{format:?}");
        }
        stream.close();
        game.until_finished(1);
        assert!(game.log().errors.is_empty(), "{:?}", game.log());
    }
}

#[test]
fn a_message_of_another_shape_and_an_error_at_the_end_keep_the_others() {
    let mut game = Game::with(HttpollPlugin {
        max_body_bytes: 5,
        ..unhurried()
    });
    let content = "{\"x\":1}\n{}\n{\"x\":3}\n{\"x\":";
    let _rule = game.server.get("/").reply(MockResponse::ok().text(content));
    let (_, receiver) = watch(&mut game, HttpFrameFormat::JsonLines);
    game.until_finished(1);
    let observed: Vec<_> = receiver.try_iter().collect();
    let invalid = Err(ErrorKind::InvalidJson);
    assert_eq!(observed, [Ok(Move { x: 1 }), invalid, Ok(Move { x: 3 })]);
    let cut = ErrorKind::Frame(FrameFault::Truncated);
    assert_eq!(game.log().errors[0].1, cut);
}

#[test]
fn observers_of_one_type_share_the_value_and_owners_see_the_bytes() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().text("1\n2\n"));
    let owner = game.app.world_mut().spawn_empty().id();
    let (sender, receiver) = mpsc::channel();
    let [raw, first, second] = [(); 3].map(|()| sender.clone());
    game.app
        .world_mut()
        .entity_mut(owner)
        .observe(move |on: On<HttpFramedMessage>| {
            if on.entity != on.request {
                raw.send(format!("owner {}", on.message.text())).unwrap();
            }
        });
    game.app
        .world_mut()
        .spawn((
            HttpRequest::get(url("/")),
            HttpStream::Messages(HttpFraming::default()),
            RequestedBy(owner),
        ))
        .on_message(move |on: On<HttpMessage<u32>>| {
            first
                .send(format!("first {:?}", on.result.as_ref().ok()))
                .unwrap();
        })
        .on_message(move |on: On<HttpMessage<u32>>| {
            second
                .send(format!("second {:?}", on.result.as_ref().ok()))
                .unwrap();
        });
    game.until_finished(1);
    let mut observed: Vec<_> = receiver.try_iter().collect();
    observed.sort();
    assert_eq!(
        observed,
        [
            "first Some(1)",
            "first Some(2)",
            "owner 1",
            "owner 2",
            "second Some(1)",
            "second Some(2)"
        ]
    );
}

#[test]
fn more_messages_than_a_frame_delivers_wait_and_none_is_lost() {
    let mut game = Game::with(HttpollPlugin {
        budget: Budget::frame(std::time::Duration::ZERO),
        ..unhurried()
    });
    let content: String = (0..200).map(|x| format!("{{\"x\":{x}}}\n")).collect();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().text(&content));
    let (_, receiver) = watch(&mut game, HttpFrameFormat::JsonLines);
    let mut received = Vec::new();
    for _ in 0..2000 {
        game.frame();
        let observed: Vec<_> = receiver.try_iter().collect();
        assert!(observed.len() <= 2, "{} in one frame", observed.len());
        received.extend(observed.into_iter().map(|it| it.unwrap().x));
    }
    assert_eq!(received, (0..200).collect::<Vec<_>>());
}
