//! An agent moves to a thread and back while requests are under way.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use httpoll::memory::MemoryNetwork;
use httpoll::{Agent, Budget, Download, Event, HttpClient, PollGroup, Request, Status};

use super::server::{Folder, Server};
use super::{content, finish};

#[test]
fn requests_continue_over_each_switch_and_every_event_is_delivered_once() {
    let whole = content(3_000_000);
    let served = whole.clone();
    let server = Server::new(move |head, stream| {
        let length = served.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        )
        .is_ok()
            && match head.target.as_str() {
                // In pieces, so that many switches fall into the middle.
                "/stream" => served.chunks(40_000).all(|piece| {
                    std::thread::sleep(Duration::from_millis(1));
                    stream.write_all(piece).is_ok()
                }),
                _ => stream.write_all(&served).is_ok(),
            }
    });
    let folder = Folder::new("thread-switch");
    let group = PollGroup::new();
    let mut agent = Agent::builder().group(&group).build();
    let stream = agent
        .send(Request::get(server.url("/stream")).stream())
        .unwrap();
    let file = folder.0.join("file");
    let saved = agent
        .send(Request::get(server.url("/file")).download_to(Download::to(&file)))
        .unwrap();
    let (mut received, mut done, mut switches) = (Vec::new(), Vec::new(), 0);
    while done.len() < 2 {
        agent.wait(Some(Duration::from_millis(2)));
        // Events that were not taken before a switch are taken after it.
        for _ in 0..2 {
            match agent.next_event() {
                Some(Event::Chunk { id, bytes }) if id == stream.id() => received.extend(bytes),
                Some(Event::Done { id, .. }) => done.push(id),
                Some(Event::Failed { error, .. }) => panic!("{error}"),
                _ => {}
            }
        }
        let is_on_thread = agent.is_on_thread();
        assert!(agent.set_on_thread(!is_on_thread));
        assert_eq!(agent.is_on_thread(), !is_on_thread);
        switches += 1;
    }
    done.sort();
    assert_eq!(done, [stream.id(), saved.id()]);
    assert!(received == whole, "{} bytes", received.len());
    assert!(std::fs::read(&file).unwrap() == whole);
    assert!(switches > 10, "{switches}");
    // A connection that was idle during a switch serves again.
    assert!(agent.set_on_thread(true));
    let opened = server.opened.load(std::sync::atomic::Ordering::SeqCst);
    let again = agent.get(server.url("/file")).send().unwrap();
    assert_eq!(finish(&mut agent, again).unwrap().body().len(), whole.len());
    let opened_now = server.opened.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(opened_now, opened);
}

#[test]
fn a_request_cancelled_right_before_the_way_back_is_cancelled() {
    let server = Server::new(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").is_ok()
    });
    let mut agent = Agent::new();
    for _ in 0..20 {
        assert!(agent.set_on_thread(true));
        let request = agent.get(server.url("/")).send().unwrap();
        let kept = agent.get(server.url("/")).send().unwrap();
        agent.cancel(request.id());
        assert!(agent.set_on_thread(false));
        agent.wait(Some(Duration::from_millis(5)));
        while let Some(event) = agent.next_event() {
            assert_ne!(event.id(), Some(request.id()), "{event:?}");
        }
        assert_eq!(agent.snapshot().requests.len(), 1);
        drop(kept);
        agent.poll();
    }
}

#[test]
fn an_agent_in_memory_stays_in_the_frame() {
    let mut agent = Agent::on_memory(&MemoryNetwork::new());
    assert!(agent.set_on_thread(false));
    assert!(!agent.set_on_thread(true));
    assert!(!agent.is_on_thread());
}

#[test]
fn a_function_that_is_called_for_events_is_called_in_both_places() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let server = Server::new(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").is_ok()
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let (sender, woken) = std::sync::mpsc::channel();
    let counted = Arc::clone(&calls);
    let mut agent = Agent::builder()
        .on_event(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = sender.send(());
        })
        .build();
    for on_thread in [false, true, false, true] {
        assert!(agent.set_on_thread(on_thread) && agent.calls_on_event());
        let before = calls.load(Ordering::SeqCst);
        let request = agent.get(server.url("/")).send().unwrap();
        agent.poll();
        'waiting: loop {
            while let Some(event) = agent.next_event() {
                if event.is_final() {
                    break 'waiting;
                }
            }
            // It would wait for ever if nobody called.
            woken.recv_timeout(Duration::from_secs(20)).unwrap();
            agent.poll();
        }
        drop(request);
        assert!(calls.load(Ordering::SeqCst) > before, "{on_thread}");
        while woken.try_recv().is_ok() {}
    }
}

#[test]
fn an_agent_on_a_thread_that_has_nothing_to_report_wakes_no_group() {
    let server = Server::new(|_, stream| {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        stream.write_all(response).is_ok()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let group = PollGroup::new();
    let mut node = HttpClient::in_group(&group);
    let port = listener.local_addr().unwrap().port();
    node.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    let mut agent = Agent::builder().group(&group).on_thread(true).build();
    // Its connection is kept.
    let handle = agent.get(server.url("/")).send().unwrap();
    agent.wait_for(handle).unwrap();
    while agent.next_event().is_some() {}
    while node.get_status() != Status::Connected {
        let budget = Budget::default();
        group.poll(&budget, &mut [&mut node, &mut agent]).unwrap();
    }
    let time = Duration::from_millis(100);
    let began = Instant::now();
    let mut waits = 0;
    while began.elapsed() < time {
        let left = time.saturating_sub(began.elapsed());
        group
            .wait(Some(left), &mut [&mut node, &mut agent])
            .unwrap();
        waits += 1;
    }
    assert!(waits < 20, "{waits}");
}
