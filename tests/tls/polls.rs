//! How many polls TLS takes, and that it keeps to the budget.

use super::{Server, authority, trusting};
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{Budget, HttpClient, Method, Status, budget::BusyPoll};
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A TLS server in memory that responds to each request head with the response.
fn serve_in_memory(network: &MemoryNetwork, at: SocketAddr, config: &Arc<ServerConfig>) {
    let config = config.clone();
    network.serve(at, move || {
        let mut session = ServerConnection::new(config.clone()).unwrap();
        let mut request = Vec::new();
        move |peer: &mut Peer| {
            let received = peer.take_received();
            let mut ciphertext = &received[..];
            while !ciphertext.is_empty() {
                session.read_tls(&mut ciphertext).unwrap();
                let _ = session.process_new_packets();
                let _ = session.reader().read_to_end(&mut request);
            }
            while let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") {
                request.drain(..end + 4);
                session
                    .writer()
                    .write_all(Server::default().response)
                    .unwrap();
            }
            let mut out = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut out).unwrap();
            }
            peer.send(&out);
        }
    });
}

/// How many polls a fresh TLS 1.3 GET takes, from `connect_to_host` to the last byte.
fn polls_of_a_fresh_get(budget: &Budget) -> usize {
    let network = MemoryNetwork::new();
    let at: SocketAddr = "10.0.0.1:443".parse().unwrap();
    let authority = authority();
    let server = Server {
        names: vec!["10.0.0.1".to_owned()],
        ..Server::default()
    };
    serve_in_memory(&network, at, &server.config(&authority));
    let mut http = HttpClient::on_memory(&network);
    let options = trusting(&authority.pem());
    http.connect_to_host("10.0.0.1", -1, Some(options)).unwrap();
    for polls in 1..20 {
        http.poll_at(network.now(), budget).unwrap();
        if http.get_status() == Status::Connected && !http.has_response() {
            http.request(Method::Get, "/", &[], "").unwrap();
        } else if http.get_status() == Status::Body {
            assert_eq!(http.read_response_body_chunk().unwrap(), "hi");
            assert_eq!(http.get_status(), Status::Connected);
            return polls;
        }
    }
    panic!("no end");
}

#[test]
fn a_fresh_tls_get_takes_four_polls_and_two_when_busy_polling() {
    let looks_once = Budget::default().with_busy_poll(BusyPoll::Off);
    assert_eq!(polls_of_a_fresh_get(&looks_once), 4);
    let busy_polls = BusyPoll::Exchange(Duration::from_micros(500));
    let budget = Budget::default().with_busy_poll(busy_polls);
    assert_eq!(polls_of_a_fresh_get(&budget), 2);
}

#[test]
fn a_tls_download_under_a_small_budget_is_whole() {
    const SIZE: usize = 3 << 20;
    let content: Vec<u8> = (0..SIZE).map(|i| (i / 199) as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    let response: &'static [u8] =
        Box::leak([head.as_bytes(), &content].concat().into_boxed_slice());
    let authority = authority();
    let (port, thread) = Server {
        response,
        ..Server::default()
    }
    .start(&authority, 1);
    let mut http = HttpClient::new();
    http.set_budget(Budget::frame(Duration::from_micros(20)).with_bytes(50_000));
    http.connect_to_host("localhost", port, Some(trusting(&authority.pem())))
        .unwrap();
    let mut received = Vec::new();
    while received.len() < SIZE {
        http.poll().unwrap();
        if http.get_status() == Status::Connected && !http.has_response() {
            http.request(Method::Get, "/", &[], "").unwrap();
        }
        while http.get_status() == Status::Body {
            let chunk = http.read_response_body_chunk().unwrap();
            if chunk.is_empty() {
                break;
            }
            received.extend_from_slice(&chunk);
        }
    }
    assert!(received == content);
    drop(http);
    thread.join().unwrap();
}
