//! GETs of 1 KiB to a server that is 40 ms away over 20 Mbit/s, at 60 frames a second, with no connection open when
//! they are asked for.

use std::time::{Duration, Instant};

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::{Frames, Pace, micros};
use crate::peer::{self, Ask, Seen};
use crate::report::Metrics;

const BUDGET: Duration = Duration::from_millis(1);

pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for count in [1000, 64] {
        for connections in [6, 16, 32] {
            let mut peers = vec![peer::FLOOR, peer::AGENT];
            if connections == 6 {
                peers.push(peer::AGENT_BURST);
            }
            if connections != 16 {
                peers.push(peer::REQWEST);
            }
            all.push(Scenario {
                name: format!("distant-{count}-on-{connections}"),
                title: format!(
                    "{count} GETs of 1 KiB asked in one frame, at most {connections} connections, 40 ms each way and \
                     20 Mbit/s, 60 fps, 1 ms for each poll"
                ),
                peers,
                most_rounds: 2,
                run: Box::new(move |context| queue(context, count, connections)),
            });
        }
    }
    all
}

fn queue(context: &Context, count: usize, connections: usize) -> Outcome<Metrics> {
    let relay = crate::distant::Distant::start(context.plain)?;
    let mut client = context.client(connections, Some(BUDGET))?;
    let ask = Ask::new(relay.port, false, "/small").keeping().leak();
    let count = context.times(count, 32);
    let mut frames = Frames::new(Pace::Idle);
    let mut seen = Seen::default();
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    for _ in 0..count {
        client.ask(ask)?;
    }
    while seen.done < count {
        let took = frames.work(|| client.poll(&mut seen))?;
        longest = longest.max(took);
        if began.elapsed() > Duration::from_secs(100) {
            return Err(format!("{} of {count} answers", seen.done).into());
        }
        if seen.done < count {
            frames.next();
        }
    }
    let took = began.elapsed();
    let mut metrics = Metrics::default();
    metrics.add("time", "s", took.as_secs_f64());
    metrics.add("frames", "", frames.count() as f64);
    metrics.add("longest poll", "us", micros(longest));
    Ok(metrics)
}
