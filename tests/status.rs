//! Each method in each status: obeyed, or refused with nothing changed. Each transition.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::{
    ErrorKind, HttpClient, Method, Phase, Status,
    error::{Misuse, NetworkFault},
};
use support::{FRAME, address, connect, connected, content, listening, server, transitions, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Every status that this build can be in.
fn statuses() -> impl Iterator<Item = Status> {
    let tls = cfg!(feature = "tls");
    Status::ALL
        .into_iter()
        .filter(move |status| tls || *status != Status::TlsHandshakeError)
}

/// A client in the given status, with what keeps it there.
fn client_in(status: Status) -> (MemoryNetwork, HttpClient) {
    let network = MemoryNetwork::new();
    network.add_slow_name("slow.example", &[server().ip()], Duration::from_secs(3600));
    network.refuse(address("10.0.0.2:80"), ConnectError::BlackHole);
    network.listen(address("10.0.0.3:80"));
    support::serve(&network, server(), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    match status {
        Status::Disconnected => {}
        Status::Resolving => http.connect_to_host("slow.example", 80, None).unwrap(),
        Status::CantResolve => {
            http.connect_to_host("unknown.example", 80, None).unwrap();
            assert!(http.poll().is_err());
        }
        Status::Connecting => http.connect_to_host("10.0.0.2", 80, None).unwrap(),
        Status::CantConnect => {
            http.connect_to_host("10.0.0.9", 80, None).unwrap();
            assert!(http.poll().is_err());
        }
        Status::Connected => connect(&network, &mut http),
        Status::Requesting => {
            connect(&network, &mut http);
            http.request(Method::Get, "/", &[], "").unwrap();
        }
        Status::Body => {
            connect(&network, &mut http);
            http.request(Method::Get, "/", &[], "").unwrap();
            until(&network, &mut http, |http| {
                http.get_status() == Status::Body
            });
        }
        Status::ConnectionError => {
            http.connect_to_host("10.0.0.3", 80, None).unwrap();
            http.poll().unwrap();
            drop(network.accept(address("10.0.0.3:80")).unwrap());
            assert!(http.poll().is_err());
        }
        Status::TlsHandshakeError => {
            let garbage = address("10.0.0.4:443");
            network.serve(garbage, || {
                |peer: &mut httpoll::memory::Peer| peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            });
            http.connect_to_host("https://10.0.0.4", -1, None).unwrap();
            until(&network, &mut http, |_| false);
        }
    }
    assert_eq!(http.get_status(), status);
    while http.next_transition().is_some() {}
    (network, http)
}

/// A call, and the statuses in which it is obeyed.
type Call = (
    &'static str,
    fn(&mut HttpClient) -> Result<(), httpoll::Error>,
    &'static [Status],
);

#[test]
fn each_method_in_each_status_is_obeyed_or_changes_nothing() {
    const ACTIVE: &[Status] = &[
        Status::Resolving,
        Status::Connecting,
        Status::Connected,
        Status::Requesting,
        Status::Body,
    ];
    let calls: &[Call] = &[
        ("poll", |http| http.poll().map(drop), ACTIVE),
        (
            "request",
            |http| http.request(Method::Get, "/", &[], ""),
            &[Status::Connected],
        ),
        (
            "request_raw",
            |http| http.request_raw(Method::Post, "/", &[], b"\0"),
            &[Status::Connected],
        ),
        (
            "read_response_body_chunk",
            |http| http.read_response_body_chunk().map(drop),
            &[Status::Body],
        ),
        (
            "connect_to_host",
            |http| http.connect_to_host("10.0.0.1", 80, None),
            &Status::ALL,
        ),
        (
            "close",
            |http| {
                http.close();
                Ok(())
            },
            &Status::ALL,
        ),
        (
            "set_read_chunk_size",
            |http| http.set_read_chunk_size(256),
            &Status::ALL,
        ),
        (
            "set_http_proxy",
            |http| http.set_http_proxy("10.0.0.5", 80),
            &Status::ALL,
        ),
        (
            "set_https_proxy",
            |http| http.set_https_proxy("", -1),
            &Status::ALL,
        ),
    ];
    for (name, call, obeyed) in calls {
        for status in statuses() {
            let (_network, mut http) = client_in(status);
            let code = http.get_response_code();
            let result = call(&mut http);
            if obeyed.contains(&status) {
                assert!(result.is_ok(), "{name} in {status}: {result:?}");
                continue;
            }
            let error = result.expect_err(name);
            // In an error status, poll and read tell that status's error again.
            let retold = http.get_error() == Some(&error);
            assert!(error.is_misuse() || retold, "{name} in {status}: {error}");
            assert_eq!(http.get_status(), status, "{name}");
            assert_eq!(http.get_response_code(), code, "{name} in {status}");
            assert_eq!(http.next_transition(), None, "{name} in {status}");
        }
    }
}

#[test]
fn getters_never_move_anything() {
    for status in statuses() {
        let (_network, mut http) = client_in(status);
        for _ in 0..3 {
            let _ = http.get_status();
            let _ = http.has_response();
            let _ = http.get_response_code();
            let _ = http.get_response_headers();
            let _ = http.get_response_headers_as_dictionary();
            let _ = http.get_response_body_length();
            let _ = http.is_response_chunked();
            let _ = (http.peer_address(), http.local_address(), http.tls_info());
        }
        assert_eq!(http.get_status(), status);
        assert_eq!(http.next_transition(), None);
    }
}

#[test]
fn close_is_idempotent_and_leads_to_disconnected_from_everywhere() {
    for status in statuses() {
        let (network, mut http) = client_in(status);
        http.close();
        http.close();
        assert_eq!(http.get_status(), Status::Disconnected);
        assert!(!http.has_response());
        let expected = if status == Status::Disconnected {
            vec![]
        } else {
            vec![status, Status::Disconnected]
        };
        assert_eq!(transitions(&mut http), expected);
        http.close();
        connect(&network, &mut http);
        assert_eq!(
            support::get(&network, &mut http),
            (200, b"hi".to_vec()),
            "after {status}"
        );
    }
}

#[test]
fn statuses_have_godots_numbers_and_names() {
    for (number, status) in Status::ALL.into_iter().enumerate() {
        assert_eq!(status as usize, number);
    }
    assert_eq!(
        Status::TlsHandshakeError.to_string(),
        "STATUS_TLS_HANDSHAKE_ERROR"
    );
    assert_eq!(Status::default(), Status::Disconnected);
}

#[test]
fn nothing_moves_without_a_poll() {
    for status in [
        Status::Resolving,
        Status::Connecting,
        Status::Requesting,
        Status::Body,
    ] {
        let (network, mut http) = client_in(status);
        network.advance(Duration::from_secs(7200));
        assert_eq!(http.get_status(), status);
        assert_eq!(http.next_transition(), None);
    }
}

#[test]
fn each_transition_of_a_connection_by_name_is_reported() {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &[server().ip()]);
    support::serve(&network, server(), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("game.example", -1, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::Connected
    });
    assert_eq!(support::get(&network, &mut http).0, 200);
    http.close();
    use Status::{Body, Connected, Connecting, Disconnected, Requesting, Resolving};
    let life = [
        Disconnected,
        Resolving,
        Connecting,
        Connected,
        Requesting,
        Body,
        Connected,
        Disconnected,
    ];
    assert_eq!(transitions(&mut http), life);
}

#[test]
fn an_address_skips_resolving() {
    let (_network, mut http, _) = connected(&[OK]);
    use Status::{Connected, Connecting, Disconnected};
    assert_eq!(
        transitions(&mut http),
        [Disconnected, Connecting, Connected]
    );
}

#[test]
fn each_failure_has_its_status_and_its_cause() {
    let fails = |status: Status| {
        let (_, http) = client_in(status);
        http.get_error().unwrap().clone()
    };
    let error = fails(Status::CantResolve);
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Unresolved));
    assert_eq!(error.phase(), Some(Phase::Resolve));
    assert_eq!(error.origin(), Some("http://unknown.example"));
    assert!(error.is_retryable());
    let error = fails(Status::CantConnect);
    assert_eq!(
        error.kind(),
        &ErrorKind::Network(NetworkFault::ConnectFailed)
    );
    assert_eq!(error.phase(), Some(Phase::Connect));
    let error = fails(Status::ConnectionError);
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
    if cfg!(feature = "tls") {
        let error = fails(Status::TlsHandshakeError);
        assert_eq!(
            error.kind(),
            &ErrorKind::Tls(httpoll::error::TlsFault::NotTls)
        );
        assert_eq!(error.phase(), Some(Phase::TlsHandshake));
        assert!(!error.is_retryable());
    }
}

#[test]
fn each_failure_is_a_transition_from_where_it_happened() {
    use Status::{Body, Connected, Connecting, ConnectionError, Disconnected, Requesting};
    let (network, mut http, _) = connected(&[b"<reset>"]);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    let life = [
        Disconnected,
        Connecting,
        Connected,
        Requesting,
        ConnectionError,
    ];
    assert_eq!(transitions(&mut http), life);

    let (network, mut http, _) =
        connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf<close>"]);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    content(&network, &mut http).unwrap_err();
    let life = [
        Disconnected,
        Connecting,
        Connected,
        Requesting,
        Body,
        ConnectionError,
    ];
    assert_eq!(transitions(&mut http), life);

    let network = MemoryNetwork::new();
    network.refuse(server(), ConnectError::BlackHole);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    until(&network, &mut http, |_| false);
    let life = [Disconnected, Connecting, Status::CantConnect];
    assert_eq!(transitions(&mut http), life);
}

#[test]
fn content_that_ends_with_the_connection_ends_disconnected() {
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\n\r\nall of it<close>"]);
    assert_eq!(
        support::get(&network, &mut http),
        (200, b"all of it".to_vec())
    );
    assert_eq!(http.get_status(), Status::Disconnected);
    assert_eq!(http.get_response_code(), 200, "the response stays");
    assert_eq!(
        http.poll().unwrap_err().kind(),
        &ErrorKind::Misuse(Misuse::NotConnected)
    );
}

#[test]
fn a_response_that_closes_ends_disconnected() {
    for response in [
        &b"HTTP/1.1 200 OK\r\nConnection:close\r\nContent-Length: 2\r\n\r\nhi"[..],
        b"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let (network, mut http, _) = connected(&[response]);
        assert_eq!(support::get(&network, &mut http), (200, b"hi".to_vec()));
        assert_eq!(http.get_status(), Status::Disconnected);
    }
}

#[test]
fn no_content_is_connected_at_once() {
    for response in [
        &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
    ] {
        let (network, mut http, _) = connected(&[response]);
        transitions(&mut http);
        http.request(Method::Get, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert!(http.has_response());
        use Status::{Connected, Requesting};
        assert_eq!(transitions(&mut http), [Connected, Requesting, Connected]);
    }
}

#[test]
fn empty_content_passes_through_body_with_one_empty_read() {
    for (method, response) in [
        (
            Method::Get,
            &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..],
        ),
        (
            Method::Head,
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        ),
        (
            Method::Head,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            Method::Get,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ] {
        let (network, mut http, _) = connected(&[response]);
        http.request(method, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(http.get_status(), Status::Body);
        network.advance(Duration::from_secs(3600));
        http.poll().unwrap();
        assert_eq!(
            http.get_status(),
            Status::Body,
            "a poll does not end content"
        );
        assert!(http.read_response_body_chunk().unwrap().is_empty());
        assert_eq!(http.get_status(), Status::Connected);
    }
}

#[test]
fn an_idle_connection_that_the_peer_closes_is_a_connection_error() {
    let (_network, mut http, stream) = listening();
    drop(stream);
    let error = http.poll().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
    assert_eq!(http.get_status(), Status::ConnectionError);
    assert!(error.is_retryable());
}

#[test]
fn an_idle_connection_that_receives_data_is_not_used_again() {
    use std::io::Write;
    let (_network, mut http, mut stream) = listening();
    stream
        .write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        .unwrap();
    http.poll().unwrap_err();
    assert_eq!(http.get_status(), Status::ConnectionError);
}

#[test]
fn a_dirty_connection_is_not_used_again() {
    let (network, mut http, _) =
        connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more"]);
    assert_eq!(support::get(&network, &mut http), (200, b"hi".to_vec()));
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn a_poll_of_a_quiet_client_reports_no_change() {
    let (network, mut http, _) = connected(&[OK]);
    network.advance(FRAME);
    let polled = http.poll().unwrap();
    assert!(!polled.changed);
    assert_eq!(polled.next, httpoll::PollAt::Io);
    assert_eq!(content(&network, &mut http), Ok(Vec::new()));
}
