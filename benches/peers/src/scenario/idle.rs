//! Requests that the server holds open, at 60 frames a second: what waiting costs.

use std::time::{Duration, Instant};

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::{Frames, Pace};
use crate::measure::{allocations, count_allocations, memory, processor, sockets, threads};
use crate::peer::{self, Ask, Seen};
use crate::report::Metrics;

const BUDGET: Duration = Duration::from_millis(1);
/// Asked for in one frame.
const BUNCH: usize = 100;

pub fn scenarios() -> Vec<Scenario> {
    [1, 100, 1000, 10_000]
        .into_iter()
        .map(|count| {
            let mut peers = vec![peer::FLOOR, peer::AGENT, peer::AGENT_THREAD];
            if count <= 100 {
                peers.push(peer::NODE);
            }
            if count <= 1000 {
                peers.extend([peer::CURL, peer::UREQ, peer::REQWEST, peer::HYPER]);
            }
            Scenario {
                name: format!("idle-{count}"),
                title: format!("{count} requests held open by the server, 60 fps"),
                peers,
                most_rounds: usize::MAX,
                run: Box::new(move |context| held_open(context, count)),
            }
        })
        .collect()
}

fn held_open(context: &Context, count: usize) -> Outcome<Metrics> {
    let sockets_before = sockets();
    count_allocations();
    let mut client = context.patient_client(count, Some(BUDGET))?;
    let ask = Ask::new(context.silent, false, "/").leak();
    let mut seen = Seen::default();
    let mut frames = Frames::new(Pace::Idle);
    let (heap, resident) = (allocations().live, memory("VmRSS"));
    let mut asked = 0;
    let began = Instant::now();
    let mut settled = 0;
    // A second of frames behind the last connection, so that nothing is left of the start.
    while settled < 60 {
        frames.work(|| {
            for _ in 0..BUNCH.min(count - asked) {
                client.ask(ask)?;
                asked += 1;
            }
            client.poll(&mut seen)
        })?;
        frames.next();
        if asked < count || sockets() < sockets_before + count {
            if began.elapsed() > Duration::from_secs(60) {
                return Err(format!("{} sockets for {count} requests", sockets()).into());
            }
        } else {
            settled += 1;
        }
    }
    frames.forget();
    let heap_before_frames = allocations();
    let (used, began) = (processor(), Instant::now());
    let seconds = context.times(if count >= 1000 { 10 } else { 3 }, 1);
    for _ in 0..seconds * 60 {
        frames.work(|| client.poll(&mut seen))?;
        frames.next();
    }
    let share = (processor() - used).as_secs_f64() / began.elapsed().as_secs_f64();
    let after = allocations();
    if seen.done > 0 {
        return Err("an answer of a server that has none".into());
    }
    let each = |bytes: f64| bytes / count as f64;
    let made = after.taken - heap_before_frames.taken;
    let number_of_frames = frames.count() as f64;
    let mut metrics = Metrics::default();
    frames.tell(&mut metrics);
    metrics.add("CPU", "%", share * 100.0);
    metrics.add("allocations a frame", "", made as f64 / number_of_frames);
    metrics.add(
        "heap a request",
        "KiB",
        each((after.live - heap) as f64 / 1024.0),
    );
    metrics.add("RSS a request", "KiB", each(memory("VmRSS") - resident));
    metrics.add("threads", "", threads() as f64);
    Ok(metrics)
}
