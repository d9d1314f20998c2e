//! Answers of 1 KiB over connections that are kept, as fast as it goes.

use std::time::Instant;

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::micros;
use crate::measure::{allocations, count_allocations, processor};
use crate::peer::{self, Ask, Peer, Seen};
use crate::report::Metrics;

pub fn scenarios() -> Vec<Scenario> {
    [(1, 1), (64, 6)]
        .into_iter()
        .map(|(in_flight, connections)| {
            let mut peers = vec![peer::FLOOR, peer::AGENT];
            if connections == 1 {
                peers.push(peer::NODE);
            }
            peers.extend([peer::CURL, peer::UREQ, peer::REQWEST, peer::HYPER]);
            Scenario {
                name: format!("small-{in_flight}-on-{connections}"),
                title: format!(
                    "1 KiB keep-alive GETs, {in_flight} in flight on {connections} connections, tight loop"
                ),
                peers,
                most_rounds: usize::MAX,
                run: Box::new(move |context| exchanges(context, in_flight, connections)),
            }
        })
        .collect()
}

fn exchanges(context: &Context, in_flight: usize, connections: usize) -> Outcome<Metrics> {
    let mut client = context.client(connections, None)?;
    let client = client.as_mut();
    let ask = Ask::new(context.plain, false, "/small").keeping().leak();
    // Connections are opened, and tables grown.
    run(client, ask, in_flight, 500)?;

    let count = context.times(if in_flight == 1 { 20_000 } else { 60_000 }, 2000);
    let (used, began) = (processor(), Instant::now());
    run(client, ask, in_flight, count)?;
    let (used, took) = (processor() - used, began.elapsed());

    let counted = 2000;
    count_allocations();
    let before = allocations();
    let kept = run(client, ask, in_flight, counted)?;
    let made = allocations().taken - before.taken;
    let each = |number: u64| number as f64 / counted as f64;
    let mut metrics = Metrics::default();
    metrics.add("rate", "requests/s", count as f64 / took.as_secs_f64());
    metrics.add("CPU a request", "us", micros(used) / count as f64);
    metrics.add("allocations a request", "", each(made));
    metrics.add("of them kept by the caller", "", each(kept));
    metrics.add("over what is kept", "", each(made) - each(kept));
    Ok(metrics)
}

/// Answers how many allocations the answers held.
fn run(client: &mut dyn Peer, ask: &'static Ask, in_flight: usize, count: usize) -> Outcome<u64> {
    let mut asked = 0;
    let mut done = 0;
    let mut kept = 0;
    let mut bytes = 0;
    while asked < in_flight.min(count) {
        client.ask(ask)?;
        asked += 1;
    }
    while done < count {
        let mut seen = Seen::default();
        client.wait(&mut seen)?;
        done += seen.done;
        bytes += seen.bytes;
        let before = allocations().given_back;
        client.release();
        kept += allocations().given_back - before;
        for _ in 0..seen.done.min(count - asked) {
            client.ask(ask)?;
            asked += 1;
        }
    }
    if bytes != 1024 * count as u64 {
        return Err(format!("{bytes} bytes by {count} requests").into());
    }
    Ok(kept)
}
