//! A thousand GETs of 1 KiB asked in one frame, at 60 frames a second: the frame that asks, and the
//! longest of all until everything is answered.

use std::time::{Duration, Instant};

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::{Frames, Pace, micros};
use crate::peer::{self, Ask, Seen};
use crate::report::Metrics;

const COUNT: usize = 1000;
const BUDGET: Duration = Duration::from_millis(1);

pub fn scenarios() -> Vec<Scenario> {
    [
        (COUNT, "ask-1000", "a fresh connection each", Pace::Idle),
        (6, "ask-1000-on-6", "6 connections", Pace::Idle),
        (6, "ask-1000-on-6-busy", "6 connections", Pace::Busy),
    ]
    .into_iter()
    .map(|(connections, name, how, pace)| Scenario {
        name: name.to_owned(),
        title: format!(
            "{COUNT} GETs of 1 KiB asked in one frame, {how}, 60 fps, 1 ms for each poll, {}",
            match pace {
                Pace::Idle => "frames that sleep",
                Pace::Busy => "frames that compute",
            }
        ),
        peers: [
            Some(peer::FLOOR),
            // How far a client gets that busy-polls like the agent and does next to nothing else.
            (connections < COUNT).then_some(peer::FLOOR_LINGERING),
            Some(peer::AGENT),
            Some(peer::AGENT_THREAD),
            Some(peer::CURL),
            Some(peer::UREQ),
            Some(peer::REQWEST),
            Some(peer::HYPER),
        ]
        .into_iter()
        .flatten()
        .collect(),
        most_rounds: usize::MAX,
        run: Box::new(move |context| at_once(context, connections, pace)),
    })
    .collect()
}

fn at_once(context: &Context, connections: usize, pace: Pace) -> Outcome<Metrics> {
    let mut client = context.client(connections, Some(BUDGET))?;
    let mut ask = Ask::new(context.plain, false, "/small").keeping();
    if connections == COUNT {
        ask = ask.closing();
    }
    let ask = ask.leak();
    let mut frames = Frames::new(pace);
    let mut seen = Seen::default();
    // A request before the storm: what is set up once is not the storm's.
    client.ask(ask)?;
    while seen.done == 0 {
        client.poll(&mut seen)?;
        frames.next();
    }
    client.release();

    seen = Seen::default();
    let mut asking = Duration::ZERO;
    let mut first = Duration::ZERO;
    let (mut longest, mut longest_poll) = (Duration::ZERO, Duration::ZERO);
    let mut number = 0;
    loop {
        let mut polling = Duration::ZERO;
        let took = frames.work(|| {
            if number == 0 {
                let began = Instant::now();
                for _ in 0..COUNT {
                    client.ask(ask)?;
                }
                asking = began.elapsed();
            }
            let began = Instant::now();
            client.poll(&mut seen)?;
            polling = began.elapsed();
            Ok(())
        })?;
        if number == 0 {
            first = took;
        }
        longest = longest.max(took);
        longest_poll = longest_poll.max(polling);
        if seen.done == COUNT {
            break;
        }
        number += 1;
        if number > 3600 {
            return Err(format!("{} of {COUNT} answers", seen.done).into());
        }
        frames.next();
    }
    let mut metrics = Metrics::default();
    metrics.add("first frame", "us", micros(first));
    metrics.add("asking in it", "us", micros(asking));
    metrics.add("longest frame", "us", micros(longest));
    metrics.add("longest poll", "us", micros(longest_poll));
    metrics.add("frames", "", number as f64);
    Ok(metrics)
}
