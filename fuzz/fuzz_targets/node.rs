//! The whole `HttpClient` against a server that sends anything: a request ends, the status stays true,
//! and what is read is never more than what came.

#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{HttpClient, Limits, Method, PollAt, Status, Timeouts};
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const REQUESTS: usize = 3;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let network = MemoryNetwork::new();
    let sent: Vec<Vec<u8>> = pieces(&choices, bytes).map(<[u8]>::to_vec).collect();
    let ending = choices.bits(2);
    let method =
        [Method::Get, Method::Head, Method::Post, Method::Options][choices.bits(2) as usize];
    let speaks_first = choices.flag();
    network.serve("10.0.0.1:80".parse().unwrap(), move || {
        let mut sent: VecDeque<Vec<u8>> = sent.iter().cloned().collect();
        let mut has_begun = speaks_first;
        move |peer: &mut Peer| {
            has_begun |= !peer.take_received().is_empty();
            if !has_begun || peer.is_closed() {
                return;
            }
            match sent.pop_front() {
                Some(piece) => {
                    peer.send(&piece);
                    peer.wake_after(Duration::ZERO);
                }
                None if ending == 0 => peer.close(),
                None if ending == 1 => peer.reset(),
                None => {}
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    http.set_timeouts(Timeouts::with(|it| {
        it.head = Some(Duration::from_secs(2));
        it.stall = Some(Duration::from_secs(1));
    }));
    let mut limits = Limits::default();
    limits.head_bytes = 512;
    http.set_limits(limits);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    let (mut asked, mut read) = (0, 0);
    for _ in 0..2000 {
        match http.get_status() {
            Status::Connected if asked == REQUESTS => break,
            Status::Connected => {
                asked += 1;
                let body = if method == Method::Post { "hello" } else { "" };
                let _ = http.request(method, "/a?b", &[], body);
            }
            Status::Body => match http.read_response_body_chunk() {
                Ok(chunk) => {
                    read += chunk.len();
                    assert!(read <= bytes.len() * REQUESTS, "more than came");
                }
                Err(error) => assert!(!format!("{error} {error:?}").is_empty()),
            },
            status if status.is_error() || status == Status::Disconnected => break,
            _ => {}
        }
        if http.get_status() == Status::Disconnected {
            break;
        }
        match http.wait(Some(Duration::from_secs(1))) {
            Ok(polled) => {
                let status = http.get_status();
                let is_over = status.is_error() || status == Status::Disconnected;
                assert!(is_over || polled.next != PollAt::Idle, "{status:?}");
            }
            Err(error) => {
                assert!(!format!("{error} {error:?}").is_empty());
                break;
            }
        }
        let _ = http.get_response_headers_as_dictionary();
        while http.next_transition().is_some() {}
    }
    let status = http.get_status();
    let is_at_rest =
        status.is_error() || matches!(status, Status::Connected | Status::Disconnected);
    assert!(is_at_rest, "{status:?} for ever");
});
