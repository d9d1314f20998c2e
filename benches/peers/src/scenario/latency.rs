//! How many frames an answer takes at 60 frames a second, and what the longest of them costs. Frame 0
//! asks and polls; an answer that the next poll sees took 1 frame.

use std::time::Duration;

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::{Frames, Pace, at, micros};
use crate::peer::{self, Ask, Seen};
use crate::report::Metrics;

/// What is asked for in one frame.
#[derive(Clone, Copy)]
struct Batch {
    count: usize,
    connections: usize,
    is_tls: bool,
    is_fresh: bool,
    /// Of each poll, in milliseconds; 1 is httpoll's default.
    budget: u64,
    pace: Pace,
}

pub fn scenarios() -> Vec<Scenario> {
    let one = Batch {
        count: 1,
        connections: 1,
        is_tls: false,
        is_fresh: true,
        budget: 1,
        pace: Pace::Idle,
    };
    let batches = [
        ("fresh-plain-60fps", "a fresh plain GET of 1 KiB", one),
        (
            "keepalive-60fps",
            "a keep-alive GET of 1 KiB",
            Batch {
                is_fresh: false,
                ..one
            },
        ),
        (
            "keepalive-60fps-busy",
            "a keep-alive GET of 1 KiB",
            Batch {
                is_fresh: false,
                pace: Pace::Busy,
                ..one
            },
        ),
        (
            "64-on-6-60fps",
            "64 GETs of 1 KiB asked in one frame, 6 connections that are open",
            Batch {
                count: 64,
                connections: 6,
                is_fresh: false,
                ..one
            },
        ),
        (
            "64-on-6-60fps-busy",
            "64 GETs of 1 KiB asked in one frame, 6 connections that are open",
            Batch {
                count: 64,
                connections: 6,
                is_fresh: false,
                pace: Pace::Busy,
                ..one
            },
        ),
        (
            "64-on-6-60fps-4ms",
            "64 GETs of 1 KiB asked in one frame, 6 connections that are open",
            Batch {
                count: 64,
                connections: 6,
                is_fresh: false,
                budget: 4,
                ..one
            },
        ),
        (
            "fresh-tls-60fps",
            "a fresh TLS 1.3 connection and a GET of 1 KiB",
            Batch {
                is_tls: true,
                ..one
            },
        ),
        (
            "handshakes-32",
            "32 fresh TLS 1.3 connections with a GET of 1 KiB each, asked in one frame",
            Batch {
                count: 32,
                connections: 32,
                is_tls: true,
                ..one
            },
        ),
    ];
    batches
        .into_iter()
        .map(|(name, title, batch)| {
            let mut peers = vec![
                peer::FLOOR,
                peer::FLOOR_LINGERING,
                peer::AGENT,
                peer::AGENT_LINGERING,
                peer::AGENT_THREAD,
            ];
            if batch.count == 1 {
                peers.push(peer::NODE);
            }
            peers.extend([
                peer::CURL,
                peer::CURL_ONCE,
                peer::UREQ,
                peer::REQWEST,
                peer::HYPER,
            ]);
            Scenario {
                name: name.to_owned(),
                title: format!(
                    "{title}, 60 fps, {} ms for each poll, {}",
                    batch.budget,
                    match batch.pace {
                        Pace::Idle => "frames that sleep",
                        Pace::Busy => "frames that compute",
                    }
                ),
                peers,
                most_rounds: usize::MAX,
                run: Box::new(move |context| in_frames(context, batch)),
            }
        })
        .collect()
}

fn in_frames(context: &Context, batch: Batch) -> Outcome<Metrics> {
    let mut client =
        context.client(batch.connections, Some(Duration::from_millis(batch.budget)))?;
    let port = if batch.is_tls {
        context.tls
    } else {
        context.plain
    };
    let mut ask = Ask::new(port, batch.is_tls, "/small").keeping();
    if batch.is_fresh {
        ask = ask.closing();
    }
    let ask = ask.leak();
    let mut frames = Frames::new(batch.pace);
    let (mut counts, mut longest, mut longest_poll) = (Vec::new(), Vec::new(), Vec::new());
    let trials = context.times(if batch.count == 1 { 60 } else { 20 }, 5);
    // The first opens what is kept and grows tables: it does not count.
    for trial in 0..=trials {
        let mut seen = Seen::default();
        let (mut most, mut most_polling) = (Duration::ZERO, Duration::ZERO);
        let mut number = 0;
        loop {
            let mut polling = Duration::ZERO;
            let took = frames.work(|| {
                if number == 0 {
                    for _ in 0..batch.count {
                        client.ask(ask)?;
                    }
                }
                let began = std::time::Instant::now();
                client.poll(&mut seen)?;
                polling = began.elapsed();
                Ok(())
            })?;
            most = most.max(took);
            most_polling = most_polling.max(polling);
            if seen.done == batch.count {
                break;
            }
            number += 1;
            if number > 600 {
                return Err(format!("{} of {} answers", seen.done, batch.count).into());
            }
            frames.next();
        }
        if seen.bytes != 1024 * batch.count as u64 {
            return Err(format!("{} bytes", seen.bytes).into());
        }
        if trial > 0 {
            counts.push(number);
            longest.push(most);
            longest_poll.push(most_polling);
        }
        client.release();
        // Whatever closing leaves behind belongs to no trial.
        frames.next();
        client.poll(&mut seen)?;
        frames.next();
    }
    counts.sort_unstable();
    longest.sort_unstable();
    longest_poll.sort_unstable();
    let mut metrics = Metrics::default();
    metrics.add("frames p50", "", at::<usize>(&counts, 50) as f64);
    metrics.add("frames max", "", at::<usize>(&counts, 100) as f64);
    metrics.add("longest frame p50", "us", micros(at(&longest, 50)));
    metrics.add("longest frame max", "us", micros(at(&longest, 100)));
    metrics.add("longest poll p50", "us", micros(at(&longest_poll, 50)));
    metrics.add("longest poll max", "us", micros(at(&longest_poll, 100)));
    Ok(metrics)
}
