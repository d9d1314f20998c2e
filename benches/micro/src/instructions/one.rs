//! One exchange after another over a socket of the loopback interface. What the other side does is not counted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use httpoll::server::{Request, Response, Server};
use httpoll::{Agent, Budget, Bytes, Event, HttpClient, Method, Status};

use crate::counted;

const WARM: usize = 100;

/// As by default, but for longer than callgrind takes.
fn budget() -> Budget {
    Budget::frame(Duration::from_secs(3600))
}

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.24.0 (Ubuntu)\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/octet-stream\r\n\
    Content-Length: 1024\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Connection: keep-alive\r\nETag: \"2ebd1191-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

fn respond(peer: &mut TcpStream) {
    let mut request = [0; 4096];
    let length = peer.read(&mut request).unwrap();
    assert!(request[..length].ends_with(b"\r\n\r\n"));
    let mut response = RESPONSE.to_vec();
    response.resize(RESPONSE.len() + 1024, b'x');
    peer.write_all(&response).unwrap();
}

/// A keep-alive GET.
pub(crate) fn agent_get(iterations: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/1k", listener.local_addr().unwrap());
    let mut agent = Agent::builder().budget(budget()).build();
    agent_sends(&mut agent, &url);
    let (mut peer, _) = listener.accept().unwrap();
    agent.poll();
    respond(&mut peer);
    agent_receives(&mut agent);
    for _ in 0..WARM {
        agent_sends(&mut agent, &url);
        respond(&mut peer);
        agent_receives(&mut agent);
    }
    for _ in 0..iterations {
        counted(|| agent_sends(&mut agent, &url));
        respond(&mut peer);
        counted(|| agent_receives(&mut agent));
    }
}

/// A GET on a connection of its own.
pub(crate) fn agent_fresh(iterations: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/1k", listener.local_addr().unwrap());
    let mut pool = httpoll::agent::PoolLimits::default();
    pool.idle_age = Duration::ZERO;
    let mut agent = Agent::builder().budget(budget()).pool(pool).build();
    for _ in 0..iterations {
        counted(|| agent_sends(&mut agent, &url));
        let (mut peer, _) = listener.accept().unwrap();
        counted(|| {
            agent.poll();
        });
        respond(&mut peer);
        counted(|| agent_receives(&mut agent));
    }
}

fn agent_sends(agent: &mut Agent, url: &str) {
    agent.get(url).send().unwrap().detach();
    agent.poll();
}

fn agent_receives(agent: &mut Agent) {
    loop {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => {
                    assert_eq!(response.body().len(), 1024);
                    return;
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }
}

/// The same by an `HttpClient`.
pub(crate) fn node_get(iterations: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut http = HttpClient::new();
    http.set_budget(budget());
    http.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    let (mut peer, _) = listener.accept().unwrap();
    for number in 0..WARM + iterations {
        let mut run = |work: &mut dyn FnMut(&mut HttpClient)| {
            if number < WARM {
                work(&mut http);
            } else {
                counted(|| work(&mut http));
            }
        };
        run(&mut |http| {
            http.request(Method::Get, "/1k", &[], "").unwrap();
            http.poll().unwrap();
        });
        respond(&mut peer);
        run(&mut |http| {
            while http.get_status() == Status::Requesting {
                http.poll().unwrap();
            }
            let content = http.read_response_body_chunk().unwrap();
            assert_eq!(content.len(), 1024);
            while http.get_status() == Status::Body {
                http.poll().unwrap();
            }
        });
    }
}

/// A server's response to a keep-alive GET.
pub(crate) fn server_get(iterations: usize) {
    let mut server = Server::builder().bind_local(0).unwrap();
    server.set_budget(budget());
    let body = Bytes::from(vec![b'x'; 1024]);
    server
        .route("GET", "/1k", move |_: &mut Request| {
            Response::content("text/plain", body.clone())
        })
        .unwrap();
    let mut client = TcpStream::connect(server.local_addr()).unwrap();
    while server.metrics().open == 0 {
        server.poll().unwrap();
    }
    let mut response = [0; 4096];
    for number in 0..WARM + iterations {
        client
            .write_all(
                b"GET /1k HTTP/1.1\r\nHost: 127.0.0.1:80\r\nUser-Agent: GodotEngine\r\nAccept: */*\r\n\r\n",
            )
            .unwrap();
        if number < WARM {
            server.poll().unwrap();
        } else {
            counted(|| server.poll()).unwrap();
        }
        let length = client.read(&mut response).unwrap();
        assert!(response[..length].ends_with(b"xxx"));
    }
}
