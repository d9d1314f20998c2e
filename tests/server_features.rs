//! Listening, hooks, and how handlers run and respond.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::ErrorKind;
use httpoll::error::{Misuse, NetworkFault};
use httpoll::server::port_file::PortCandidates;
use httpoll::server::{Request, Responder, Response, Server, ServerFault, TimeoutKind};
use serving::{Notes, Raw, answers, body, header, headers, status, test_server, test_server_with};

const GET: &str = "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";

#[test]
fn a_server_listens_at_loopback_and_tells_its_port() {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    assert!(server.local_addr().ip().is_loopback());
    assert_ne!(server.local_addr().port(), 0);
    assert!(server.is_listening() && !server.is_closed());
    // The port is taken: binding a second server is an error.
    let listens = || ErrorKind::Network(NetworkFault::ListenFailed);
    let taken = Server::bind(server.local_addr()).unwrap_err();
    assert_eq!(*taken.kind(), listens());
    let no_port = Server::bind("no port").unwrap_err();
    assert_eq!(*no_port.kind(), Misuse::InvalidHost.into());
    server.close_now();
    assert!(server.is_closed());
    let port = server.local_addr().port();
    let again = Server::builder().bind_local(port).unwrap();
    assert_eq!(again.local_addr(), server.local_addr());
    // The search continues at the next port when one is taken.
    let hunted = Server::builder()
        .bind_first(PortCandidates::new(port).or_any())
        .unwrap();
    assert!(![0, port].contains(&hunted.local_addr().port()));
    let none_free = Server::builder()
        .bind_first(PortCandidates::new(port))
        .unwrap_err();
    assert_eq!(*none_free.kind(), listens());
}

#[test]
fn an_address_can_be_used_again_at_once() {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    let client = std::net::TcpStream::connect(address).unwrap();
    server.wait(None).unwrap();
    assert_eq!(server.metrics().open, 1);
    // With a connection still open, whose end stays in TIME_WAIT.
    drop(server);
    drop(client);
    assert!(Server::bind(address).is_ok());
}

#[test]
fn half_a_request_is_answered_408() {
    let mut test = test_server();
    let mut client = test.connect();
    assert_eq!(test.send(&mut client, "GET / HT"), "");
    test.pass(Duration::from_millis(9_900));
    assert_eq!(test.settle(&mut client), "");
    test.pass(Duration::from_millis(200));
    let response = test.settle(&mut client);
    assert_eq!(status(&response), 408);
    assert_eq!(header(&response, "connection"), Some("close"));
    assert!(client.closed);
}

#[test]
fn hooks_of_connections_run_in_order_and_once() {
    let mut test = test_server();
    let notes = Notes::default();
    for which in ["first", "second"] {
        let (up, down) = (notes.clone(), notes.clone());
        test.server
            .on_connect(move |client| up.add(format!("{which} +{}", client.number())));
        test.server
            .on_disconnect(move |client| down.add(format!("{which} -{}", client.number())));
    }
    let errors = notes.clone();
    test.server.on_error(move |fault, client| {
        errors.add(format!(
            "error {} {}",
            client.is_some(),
            matches!(fault, ServerFault::Request(_))
        ));
    });
    let mut client = test.connect();
    assert_eq!(notes.take(), ["first +1", "second +1"]);
    test.send(&mut client, "nonsense\r\n\r\n");
    client.hang_up();
    test.poll();
    assert_eq!(notes.take(), ["error true true", "first -1", "second -1"]);
    test.connect();
    test.server.close_now();
    drop(test);
    assert_eq!(
        notes.take(),
        ["first +2", "second +2", "first -2", "second -2"]
    );
}

#[test]
fn an_error_ends_no_more_than_its_own_connection() {
    // Without a hook for errors, too.
    let mut test = test_server();
    test.server.route("GET", "/", answers("alive")).unwrap();
    for nonsense in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let mut client = test.connect();
        let answer = test.send(&mut client, nonsense);
        assert!(
            answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
            "{answer}"
        );
        client.hang_up();
        test.poll();
        assert_eq!(body(&test.get("/")), "alive");
    }
}

#[test]
fn receive_hooks_run_before_the_handler_and_sent_hooks_behind_the_last_byte() {
    let mut test = test_server();
    let notes = Notes::default();
    for which in ["one", "two"] {
        let notes = notes.clone();
        test.server.on_receive(move |request, response| {
            notes.add(format!("{which} {}", request.path()));
            response.append_header("X-Hook", which).unwrap();
        });
    }
    let handler = notes.clone();
    test.server
        .handle(
            "GET",
            "/",
            move |_: &mut Request, response: &mut Response| {
                handler.add("handler");
                response.write("body");
            },
        )
        .unwrap();
    let (sent, reply) = (notes.clone(), notes.clone());
    test.server.on_sent(move |it| {
        sent.add(format!(
            "sent {:?} {} {} {}",
            it.method, it.path, it.status, it.complete
        ));
    });
    test.server
        .on_reply(move |it| reply.add(format!("reply {}", it.bytes)));
    let response = test.get("/?q=secret");
    assert_eq!(headers(&response, "x-hook"), ["one", "two"]);
    assert_eq!(
        notes.take(),
        [
            "one /".to_owned(),
            "two /".to_owned(),
            "handler".to_owned(),
            "sent Some(GET) / 200 OK true".to_owned(),
            format!("reply {}", response.len())
        ]
    );
}

#[test]
fn a_response_that_its_client_leaves_is_reported_once_as_cut() {
    let mut test = test_server();
    let streams = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&streams);
    test.server
        .route("GET", "/events", move |request: &mut Request| {
            let stream = request.event_stream(Response::new());
            kept.lock().unwrap().push(stream);
        })
        .unwrap();
    test.server
        .route("GET", "/long", |_: &mut Request| {
            Response::content("text/plain", vec![b'x'; 1 << 20])
        })
        .unwrap();
    let notes = Notes::default();
    let sent = notes.clone();
    test.server
        .on_sent(move |it| sent.add(format!("{} {} {}", it.path, it.status, it.complete)));
    for leaves in [Raw::half_close, Raw::reset, Raw::hang_up] {
        let mut client = test.connect();
        test.send(
            &mut client,
            "GET /events HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
        );
        assert_eq!(notes.take(), Vec::<String>::new());
        leaves(&mut client);
        test.pass(Duration::from_millis(100));
        assert_eq!(notes.take(), ["/events 200 OK false"]);
    }
    test.network.set_capacity(16 * 1024);
    let mut client = test.connect();
    client.write(b"GET /long HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n");
    test.poll();
    client.reset();
    test.pass(Duration::from_millis(100));
    assert_eq!(notes.take(), ["/long 200 OK false"]);
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_receive_hook_can_answer_for_the_route() {
    let mut test = test_server();
    test.server.on_receive(|request, response| {
        if request.header("authorization").is_none() {
            response.set_status(401).end();
        }
    });
    test.server.route("GET", "/", answers("in")).unwrap();
    assert_eq!(status(&test.get("/")), 401);
    let response = test.ask("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n");
    assert_eq!(body(&response), "in");
}

#[test]
fn a_malformed_request_is_400_without_hooks_and_closes() {
    let mut test = test_server();
    let notes = Notes::default();
    let hook = notes.clone();
    test.server.on_receive(move |_, _| hook.add("hook"));
    let mut client = test.connect();
    let response = test.send(&mut client, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_eq!(status(&response), 400);
    assert!(client.closed && !client.reset);
    assert_eq!(notes.take(), Vec::<String>::new());
}

#[test]
fn a_handler_that_fails_or_panics_is_one_500_that_tells_nothing() {
    let mut test = test_server();
    test.server
        .route(
            "GET",
            "/fails",
            |_: &mut Request| -> Result<(), std::io::Error> {
                Err(std::io::Error::other("the secret reason"))
            },
        )
        .unwrap();
    test.server
        .handle(
            "GET",
            "/panics",
            |_: &mut Request, response: &mut Response| {
                response.write("half");
                if response.content_length() == Some(4) {
                    panic!("the secret reason");
                }
            },
        )
        .unwrap();
    test.server.route("GET", "/", answers("fine")).unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    let mut client = test.connect();
    for path in ["/fails", "/panics"] {
        let response = test.send(
            &mut client,
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!(status(&response), 500);
        assert!(!response.contains("secret") && !response.contains("half"));
    }
    // The connection and the server continue.
    assert_eq!(body(&test.send(&mut client, GET)), "fine");
    assert_eq!(
        notes.take(),
        [
            "a handler failed: the secret reason",
            "a handler panicked: the secret reason"
        ]
    );
}

#[test]
fn a_responder_answers_in_a_later_frame_and_blocks_nobody() {
    let mut test = test_server();
    let kept: Arc<Mutex<Vec<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/later",
            move |request: &mut Request, _: &mut Response| {
                keep.lock().unwrap().push(request.defer());
            },
        )
        .unwrap();
    test.server.route("GET", "/now", answers("now")).unwrap();
    let mut waiting = test.connect();
    assert_eq!(
        test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"),
        ""
    );
    assert_eq!(body(&test.get("/now")), "now");
    let responder = kept.lock().unwrap().pop().unwrap();
    assert!(!responder.is_aborted());
    std::thread::spawn(move || assert!(responder.respond(Response::text("later"))))
        .join()
        .unwrap();
    assert_eq!(body(&test.settle(&mut waiting)), "later");

    // Dropped: 500. Too late: 504, and the holder can see it.
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    kept.lock().unwrap().clear();
    assert_eq!(status(&test.settle(&mut waiting)), 500);
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    let notes = Notes::default();
    let errors = notes.clone();
    test.server.on_error(move |fault, _| {
        errors.add(format!(
            "{}",
            matches!(fault, ServerFault::TimedOut(TimeoutKind::Answer))
        ));
    });
    test.pass(Duration::from_secs(31));
    assert_eq!(status(&test.settle(&mut waiting)), 504);
    assert_eq!(notes.take(), ["true"]);
    let late = kept.lock().unwrap().pop().unwrap();
    assert!(late.is_aborted() && !late.respond(Response::new()));
    // The connection stays open.
    assert_eq!(
        body(&test.send(&mut waiting, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n")),
        "now"
    );

    // The client has gone: the holder can see it.
    test.send(&mut waiting, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting.reset();
    test.poll();
    assert!(kept.lock().unwrap().pop().unwrap().is_aborted());
}

#[test]
fn handlers_run_in_the_poll_on_the_callers_thread() {
    let mut test = test_server();
    let notes = Notes::default();
    let handler = notes.clone();
    test.server
        .route("GET", "/", move |_: &mut Request| {
            handler.add(format!("{:?}", std::thread::current().id()));
            Response::new()
        })
        .unwrap();
    let mut client = test.connect();
    client.write(GET.as_bytes());
    assert_eq!(notes.take(), Vec::<String>::new());
    test.settle(&mut client);
    assert_eq!(notes.take(), [format!("{:?}", std::thread::current().id())]);
}

#[test]
fn a_server_that_is_dropped_closes_everything_and_fires_hooks_once() {
    let mut test = test_server();
    let notes = Notes::default();
    let gone = notes.clone();
    test.server.on_disconnect(move |_| gone.add("gone"));
    let kept: Arc<Mutex<Option<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                *keep.lock().unwrap() = Some(request.defer());
            },
        )
        .unwrap();
    let mut client = test.connect();
    test.send(&mut client, GET);
    drop(test.server);
    test.network.advance(Duration::from_millis(1));
    assert_eq!(notes.take(), ["gone"]);
    assert!(kept.lock().unwrap().take().unwrap().is_aborted());
}

#[test]
fn time_in_which_nobody_polled_is_not_the_clients() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("in time")).unwrap();
    let mut client = test.connect();
    test.send(&mut client, "GET / HTTP/1.1\r\n");
    // A loading screen, during which the rest arrives.
    client.write(b"Host: a\r\n\r\n");
    test.network.advance(Duration::from_secs(3600));
    assert_eq!(body(&test.settle(&mut client)), "in time");
    test.send(&mut client, "GET / HTTP/1.1\r\n");
    test.network.advance(Duration::from_secs(3600));
    assert_eq!(test.settle(&mut client), "");
    assert_eq!(body(&test.send(&mut client, "Host: a\r\n\r\n")), "in time");
}

#[test]
fn a_slow_handler_is_named() {
    let mut test = test_server_with(Server::builder().slow_handler(Duration::from_millis(8)));
    let network = test.network.clone();
    test.server
        .route("GET", "/slow", move |_: &mut Request| {
            network.advance(Duration::from_millis(9));
            Response::new()
        })
        .unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    test.get("/slow");
    assert_eq!(notes.take(), ["the handler of /slow took 9ms"]);
}
