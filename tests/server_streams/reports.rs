//! Which ends of responses are reported, and how often.

use httpoll::server::websocket::Options as WebSocketOptions;

use crate::serving::{Notes, TestServer, test_server};
use crate::{GET, frame, handshake, take, with_events, with_sockets};

/// What `on_sent` reports: the status and whether the whole response was sent.
fn sent_notes(test: &mut TestServer) -> Notes {
    let notes = Notes::default();
    let sent = notes.clone();
    test.server
        .on_sent(move |it| sent.add(format!("{} {}", it.status.as_u16(), it.complete)));
    notes
}

#[test]
fn a_response_that_is_cut_by_its_client_is_reported_once() {
    for reset in [true, false] {
        let mut test = test_server();
        let notes = sent_notes(&mut test);
        let kept = with_events(&mut test);
        let mut client = test.connect();
        test.send(&mut client, GET);
        let stream = take(&kept);
        match reset {
            true => client.reset(),
            false => client.hang_up(),
        }
        test.poll();
        test.poll();
        assert!(stream.is_closed());
        drop(stream);
        test.poll();
        assert_eq!(notes.take(), ["200 false"], "reset {reset}");
    }
}

#[test]
fn a_response_that_is_cut_by_its_server_is_reported_once() {
    let mut test = test_server();
    let notes = sent_notes(&mut test);
    let _kept = with_events(&mut test);
    let mut client = test.connect();
    test.send(&mut client, GET);
    let _nothing_asked = test.connect();
    test.server.close_now();
    assert_eq!(notes.take(), ["200 false"]);
}

#[test]
fn a_web_socket_is_reported_at_its_end() {
    for (ends_well, expected) in [(true, "101 true"), (false, "101 false")] {
        let mut test = test_server();
        let notes = sent_notes(&mut test);
        let kept = with_sockets(&mut test, WebSocketOptions::default());
        let (mut client, _) = handshake(&mut test, "");
        let _socket = take(&kept);
        assert_eq!(notes.take(), Vec::<String>::new());
        if ends_well {
            client.write(&frame(0x88, b"\x03\xe9bye"));
            test.settle(&mut client);
        } else {
            client.reset();
            test.poll();
            test.poll();
        }
        assert_eq!(test.server.metrics().open, 0);
        assert_eq!(notes.take(), [expected]);
    }
}
