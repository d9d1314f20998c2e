//! The last bytes of real connections: a kept connection that has ended, and what arrived before an end or a
//! reset.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use httpoll::{Agent, Download, Event, Request, node::RequestBody};

use crate::{Folder, finish};

/// A listener whose connections the test plays itself.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

const HI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Reads a request without content, and responds.
fn respond(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "no request");
        request.extend_from_slice(&piece[..count]);
    }
    stream.write_all(HI).unwrap();
}

/// A request whose content closes this connection when it is read, which is in the middle of a poll.
fn closing(url: &str, stream: TcpStream) -> Request {
    struct Closing(Option<TcpStream>);
    impl Read for Closing {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            drop(self.0.take());
            (&b"x"[..]).read(into)
        }
    }
    Request::put(url).body(RequestBody::reader(Closing(Some(stream)), Some(1)))
}

#[test]
fn a_post_notices_that_its_kept_connection_has_ended() {
    let (first, first_url) = listener();
    let (second, second_url) = listener();
    let mut agent = Agent::new();
    let mut streams = Vec::new();
    for (listener, url) in [(&first, &first_url), (&second, &second_url)] {
        let accepting = listener.try_clone().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = accepting.accept().unwrap();
            respond(&mut stream);
            stream
        });
        let get = agent.get(url).send().unwrap();
        assert_eq!(agent.wait_for(get).unwrap().text(), "hi");
        streams.push(server.join().unwrap());
    }
    // Both start in the next poll: the content of the first is read after the sockets were polled, and
    // before the second is sent.
    let put = agent
        .send(closing(&first_url, streams.pop().unwrap()))
        .unwrap();
    let post = agent.send(Request::post(&second_url)).unwrap();
    agent.poll();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = second.accept().unwrap();
        respond(&mut stream);
    });
    assert_eq!(agent.wait_for(post).unwrap().text(), "hi");
    server.join().unwrap();
    drop((put, streams));
}

/// How a server ends its connection after its last byte.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Fin,
    /// By closing while something of the request is unread.
    Reset,
}

/// Serves one connection: sends these bytes and ends. Returns the URL.
fn ending(response: &'static [u8], ending: Ending) -> (String, std::thread::JoinHandle<()>) {
    let (listener, url) = listener();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Otherwise the last bytes wait for an acknowledgement, and the reset discards them.
        stream.set_nodelay(true).unwrap();
        match ending {
            Ending::Fin => {
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).unwrap() > 0);
            }
            Ending::Reset => stream.read_exact(&mut [0; 8]).unwrap(),
        }
        stream.write_all(response).unwrap();
    });
    (url, thread)
}

#[test]
fn what_arrived_is_delivered_before_the_end_of_the_connection() {
    use Ending::{Fin, Reset};
    // A response, how the connection ends, the content, and whether an error follows.
    let table: [(&[u8], Ending, &str, bool); 8] = [
        (HI, Fin, "hi", false),
        (HI, Reset, "hi", false),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            Fin,
            "half",
            true,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            Reset,
            "half",
            true,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nwhole", Fin, "whole", false),
        (b"HTTP/1.1 200 OK\r\n\r\nwhole", Reset, "whole", true),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Reset,
            "hi",
            false,
        ),
        (
            b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno",
            Reset,
            "no",
            false,
        ),
    ];
    for (response, end, content, fails) in table {
        for streams in [false, true] {
            let (url, thread) = ending(response, end);
            let mut agent = Agent::new();
            let request = match response.starts_with(b"HTTP/1.1 413") {
                true => Request::put(&url).body(vec![1; 1_000_000]),
                false => Request::get(&url),
            };
            let request = if streams { request.stream() } else { request };
            let handle = agent.send(request).unwrap();
            let mut got = Vec::new();
            let has_failed = 'over: loop {
                agent.wait(None);
                while let Some(event) = agent.next_event() {
                    match event {
                        Event::Chunk { bytes, .. } => got.extend_from_slice(&bytes),
                        Event::Done { response, .. } => {
                            got.extend_from_slice(response.body());
                            break 'over false;
                        }
                        Event::Failed { response, .. } => {
                            if let Some(response) = response {
                                got.extend_from_slice(response.body());
                            }
                            break 'over true;
                        }
                        _ => {}
                    }
                }
            };
            let what = format!("{end:?} after {}", String::from_utf8_lossy(response));
            thread.join().unwrap();
            if cfg!(windows) && end == Reset && has_failed {
                // With a reset Windows discards what was not read. Wine does not.
                assert!(content.as_bytes().starts_with(&got), "{what}");
                continue;
            }
            assert_eq!(String::from_utf8_lossy(&got), content, "{what}");
            assert_eq!(has_failed, fails, "{what}");
            drop(handle);
        }
    }
}

#[test]
fn events_and_files_keep_what_arrived_before_a_reset() {
    let events =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\ndata: two\n\nda";
    for end in [Ending::Fin, Ending::Reset] {
        let (url, thread) = ending(events, end);
        let mut agent = Agent::new();
        let handle = agent.send(Request::get(&url).event_stream()).unwrap();
        let mut reported = Vec::new();
        while reported.last().is_none_or(|last| last != "again") {
            agent.wait(None);
            while let Some(event) = agent.next_event() {
                match event {
                    Event::ServerSent { event, .. } => reported.push(event.data),
                    Event::WillRetry { .. } => reported.push("again".to_owned()),
                    Event::Failed { error, .. } => panic!("{end:?}: {error}"),
                    _ => {}
                }
            }
        }
        assert_eq!(reported, ["one", "two", "again"], "{end:?}");
        thread.join().unwrap();
        drop(handle);

        let folder = Folder::new("reset");
        let (url, thread) = ending(
            b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 9\r\n\r\nhalf",
            end,
        );
        let to = Download::to(folder.0.join("file")).resume(true);
        let handle = agent.send(Request::get(&url).download_to(to)).unwrap();
        finish(&mut agent, handle).unwrap_err();
        assert!(agent.finish_files(Duration::from_secs(10)));
        assert_eq!(
            fs::read(folder.0.join("file.part")).unwrap(),
            b"half",
            "{end:?}"
        );
        thread.join().unwrap();
    }
}
