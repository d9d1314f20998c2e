//! A fresh TLS 1.3 connection for each GET of 1 KiB, as fast as it goes.

use std::time::Instant;

use super::{Context, Scenario};
use crate::Outcome;
use crate::frames::micros;
use crate::measure::processor;
use crate::peer::{self, Ask, Seen};
use crate::report::Metrics;

pub fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "fresh-tls-tight".to_owned(),
        title: "a fresh TLS 1.3 connection and a GET of 1 KiB, tight loop".to_owned(),
        peers: vec![
            peer::FLOOR,
            peer::AGENT,
            peer::NODE,
            peer::CURL,
            peer::UREQ,
            peer::REQWEST,
            peer::HYPER,
        ],
        most_rounds: usize::MAX,
        run: Box::new(one_by_one),
    }]
}

fn one_by_one(context: &Context) -> Outcome<Metrics> {
    let mut client = context.client(1, None)?;
    let ask = Ask::new(context.tls, true, "/small")
        .keeping()
        .closing()
        .leak();
    let count = context.times(400, 40);
    let mut run = |count: usize| -> Outcome<()> {
        let mut seen = Seen::default();
        for turn in 1..=count {
            client.ask(ask)?;
            while seen.done < turn {
                client.wait(&mut seen)?;
            }
            client.release();
        }
        Ok(())
    };
    run(5)?;
    let (used, began) = (processor(), Instant::now());
    run(count)?;
    let (used, took) = (processor() - used, began.elapsed());
    let mut metrics = Metrics::default();
    metrics.add("time a request", "us", micros(took) / count as f64);
    metrics.add("CPU a request", "us", micros(used) / count as f64);
    Ok(metrics)
}
