//! The agent over real sockets and a real disk: what only a kernel does.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod agent_sockets {
    #[cfg(unix)]
    mod descriptors;
    mod last_bytes;
}
#[cfg(unix)]
mod few_descriptors;
#[path = "agent_sockets/thread_switch.rs"]
mod thread_switch;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use httpoll::{
    Agent, Download, ErrorKind, Event, Request, RequestHandle, RequestId, error::RequestRefused,
    node::RequestBody,
};

#[path = "agent_sockets/server.rs"]
mod server;

use server::{Folder, Head, Server};

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

/// Serves `content` with ranges and an entity tag; `cut` says how many bytes of an answer come before
/// the connection ends.
fn serve_file(content: &[u8], head: &Head, stream: &mut TcpStream, cut: Option<usize>) -> bool {
    let range = head
        .get("range")
        .filter(|_| head.get("if-range") == Some("\"v1\""));
    let first = range
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0usize);
    let rest = &content[first..];
    let status = if range.is_some() {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {first}-{}/{}",
            content.len() - 1,
            content.len()
        )
    } else {
        "200 OK".to_owned()
    };
    let sent = match cut {
        Some(cut) => &rest[..cut.min(rest.len())],
        None => rest,
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"v1\"\r\nContent-Length: {}\r\n\r\n",
        rest.len()
    );
    stream.write_all(head.as_bytes()).is_ok() && stream.write_all(sent).is_ok() && cut.is_none()
}

fn finish(agent: &mut Agent, handle: RequestHandle) -> Result<httpoll::Response, httpoll::Error> {
    agent.wait_for(handle)
}

fn on_thread() -> Agent {
    let agent = Agent::builder().on_thread(true).build();
    assert!(agent.is_on_thread());
    agent
}

fn kill_at_each_kibibyte(mut agent: Agent, folder: &str) {
    let whole = content(64 * 1024);
    let served = whole.clone();
    let asked = AtomicUsize::new(0);
    // Odd requests are cut short; even ones succeed.
    let server = Server::new(move |head, stream| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let cut = head
            .target
            .trim_start_matches('/')
            .parse::<usize>()
            .unwrap();
        serve_file(
            &served,
            head,
            stream,
            number.is_multiple_of(2).then_some(cut),
        )
    });
    let folder = Folder::new(folder);
    let target = folder.0.join("deep/er/levels.pak");
    for kibibyte in 0..64 {
        let url = server.url(&format!("/{}", kibibyte * 1024));
        let request = |url: &str| {
            Request::get(url).download_to(Download::to(&target).resume(true).expected_size(65536))
        };
        let handle = agent.send(request(&url)).unwrap();
        let error = finish(&mut agent, handle).unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(!target.exists(), "a partial file at {kibibyte} KiB");
        let handle = agent.send(request(&url)).unwrap();
        let response = finish(&mut agent, handle).unwrap();
        let saved = response.saved().unwrap();
        assert_eq!(saved.resumed_from, kibibyte * 1024, "{kibibyte}");
        assert_eq!(saved.bytes, 64 * 1024);
        assert_eq!(fs::read(&target).unwrap(), whole, "{kibibyte}");
        assert!(agent.finish_files(Duration::from_secs(10)));
        fs::remove_file(&target).unwrap();
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
    }
}

#[test]
fn a_server_killed_at_each_kibibyte_is_resumed_to_the_same_bytes() {
    kill_at_each_kibibyte(Agent::new(), "kill");
}

#[test]
fn the_same_on_a_thread() {
    kill_at_each_kibibyte(on_thread(), "kill-on-thread");
}

fn five_hundred_over_six(mut agent: Agent) {
    let server = Server::new(|head, stream| {
        let body = &head.target;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .is_ok()
    });
    let handles: Vec<_> = (0..500)
        .map(|number| agent.get(server.url(&format!("/{number}"))).send().unwrap())
        .collect();
    let mut done = 0;
    while done < 500 {
        agent.wait(None);
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { id, response } => {
                    let number = handles.iter().position(|handle| handle.id() == id).unwrap();
                    assert_eq!(response.text(), format!("/{number}"));
                    done += 1;
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }
    assert!(server.most_open.load(Ordering::SeqCst) <= 6);
    assert_eq!(server.opened.load(Ordering::SeqCst), 6);
    drop(agent);
    server.wait_until_closed();
}

#[test]
fn five_hundred_at_once_over_six_connections_all_finish() {
    five_hundred_over_six(Agent::new());
}

#[test]
fn five_hundred_at_once_on_a_thread_all_finish() {
    five_hundred_over_six(on_thread());
}

fn cancel_half(mut agent: Agent, folder: &str) {
    let body = content(100_000);
    let server = Server::new(move |_, stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .is_ok()
            && stream.write_all(&body).is_ok()
    });
    let folder = Folder::new(folder);
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut running: Vec<Option<RequestHandle>> = Vec::new();
    for number in 0..500 {
        let request = Request::get(server.url(&format!("/{number}")))
            .download_to(folder.0.join(format!("{number}.bin")));
        running.push(Some(agent.send(request).unwrap()));
    }
    let mut cancelled: Vec<RequestId> = Vec::new();
    let mut done = 0;
    while cancelled.len() + done < 500 {
        agent.wait(Some(Duration::from_millis(5)));
        while let Some(event) = agent.next_event() {
            assert!(
                event.id().is_none_or(|id| !cancelled.contains(&id)),
                "an event of a cancelled request: {event:?}"
            );
            match event {
                Event::Done { id, .. } => {
                    done += 1;
                    let index = usize::try_from(next() % 500).unwrap();
                    running.iter_mut().for_each(|slot| {
                        if slot.as_ref().is_some_and(|handle| handle.id() == id) {
                            slot.take().unwrap().detach();
                        }
                    });
                    // One is cancelled for each that is done: by its handle, or by dropping that.
                    let victim = (index..500)
                        .chain(0..index)
                        .find(|at| running[*at].is_some());
                    if let Some(handle) = victim.and_then(|at| running[at].take()) {
                        cancelled.push(handle.id());
                        if next() % 2 == 0 {
                            agent.cancel(handle.id());
                        }
                    }
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }
    assert!(cancelled.len() >= 200, "{} cancelled", cancelled.len());
    agent.poll();
    assert!(agent.finish_files(Duration::from_secs(10)));
    // One that was cancelled after its file had got its name keeps it; none is partial.
    assert!(folder.names().len() >= done);
    for name in folder.names() {
        assert!(name.ends_with(".bin"), "{name}");
        assert_eq!(
            fs::metadata(folder.0.join(&name)).unwrap().len(),
            100_000,
            "{name}"
        );
    }
    agent.close_idle_connections();
    server.wait_until_closed();
}

#[test]
fn cancelling_half_at_random_leaves_no_socket_and_no_file() {
    cancel_half(Agent::new(), "cancel");
}

#[test]
fn cancelling_half_at_random_on_a_thread_leaves_no_socket_and_no_file() {
    cancel_half(on_thread(), "cancel-on-thread");
}

#[test]
fn on_a_thread_of_its_own_a_request_moves_between_polls() {
    let server = Server::new(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .is_ok()
    });
    let mut agent = on_thread();
    let handle = agent.get(server.url("/")).send().unwrap();
    let response = finish(&mut agent, handle).unwrap();
    assert_eq!(response.text(), "hi");
    // A stream is held back until it is pulled, here as there.
    let big = Server::new(|_, stream| {
        let chunk = vec![7; 16 * 1024 * 1024];
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            chunk.len()
        )
        .is_ok()
            && stream.write_all(&chunk).is_ok()
    });
    let stream = agent.send(Request::get(big.url("/")).stream()).unwrap();
    let (mut received, mut over) = (0, false);
    while !over {
        agent.wait(None);
        while let Some(event) = agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => received += bytes.len(),
                Event::Done { .. } => over = true,
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }
    assert_eq!(received, 16 * 1024 * 1024);
    drop(stream);
    drop(agent);
    server.wait_until_closed();
    big.wait_until_closed();
}

#[test]
fn the_owner_of_an_agent_on_a_thread_is_notified_of_events() {
    let server = Server::new(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .is_ok()
    });
    let (wake, woken) = std::sync::mpsc::channel();
    let mut agent = Agent::builder()
        .on_thread(true)
        .on_event(move || {
            let _ = wake.send(());
        })
        .build();
    assert!(agent.is_on_thread());
    assert_eq!(
        woken.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Empty),
        "nothing has happened yet"
    );
    let handle = agent.get(server.url("/")).send().unwrap();
    let text = 'events: loop {
        // Nothing but the notification makes this loop run.
        woken.recv_timeout(Duration::from_secs(20)).unwrap();
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => break 'events response.text(),
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    };
    assert_eq!(text, "hi");
    drop(handle);
}

#[test]
fn a_panic_on_the_thread_of_the_agent_fails_its_requests() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("a reader that panics");
        }
    }

    let server = Server::new(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .is_ok()
    });
    let mut agent = on_thread();
    let handle = agent.get(server.url("/")).send().unwrap();
    assert_eq!(finish(&mut agent, handle).unwrap().text(), "hi");
    let broken = agent
        .send(Request::put(server.url("/")).body(RequestBody::reader(Broken, Some(2))))
        .unwrap();
    let panicked = ErrorKind::Refused(RequestRefused::ThreadPanicked);
    let error = finish(&mut agent, broken).unwrap_err();
    assert_eq!(*error.kind(), panicked);
    // Later requests fail, too, and nothing waits for ever.
    let later = agent.get(server.url("/")).send().unwrap();
    let error = finish(&mut agent, later).unwrap_err();
    assert_eq!(*error.kind(), panicked);
    assert!(agent.next_event().is_none());
    agent.wait(None);
    agent.finish_files(Duration::from_secs(10));
}

#[test]
fn a_file_is_uploaded_from_disk_with_its_length() {
    let folder = Folder::new("upload");
    let whole = content(3 * 1024 * 1024);
    let path = folder.0.join("save.bin");
    fs::write(&path, &whole).unwrap();
    let expected = whole.clone();
    let server = Server::new(move |head, stream| {
        let length: usize = head.get("content-length").unwrap().parse().unwrap();
        assert_eq!(head.get("content-type"), Some("application/octet-stream"));
        assert_eq!(head.get("expect"), Some("100-continue"));
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        assert!(body == expected);
        stream
            .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            .is_ok()
    });
    let mut agent = Agent::new();
    let handle = agent
        .send(Request::put(server.url("/save")).file(&path))
        .unwrap();
    let mut most_sent = 0;
    'over: loop {
        agent.wait(None);
        while let Some(event) = agent.next_event() {
            match event {
                Event::Progress { progress, .. } => {
                    assert!(progress.sent >= most_sent);
                    most_sent = progress.sent;
                    assert_eq!(progress.to_send, Some(3 * 1024 * 1024));
                }
                Event::Done { response, .. } => {
                    assert_eq!(response.status(), 201);
                    assert_eq!(response.transferred().sent, 3 * 1024 * 1024);
                    break 'over;
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }
    assert!(most_sent > 0);
    drop(handle);
}
