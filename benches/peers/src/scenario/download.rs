//! One large file: as fast as it goes, and at 60 frames a second.

use std::time::{Duration, Instant};

use super::{Context, Scenario, large_mebibytes};
use crate::Outcome;
use crate::frames::{Frames, Pace};
use crate::measure::{memory, processor};
use crate::peer::{self, Ask, Peer, Seen};
use crate::report::Metrics;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = vec![
        Scenario {
            name: "download-plain-tight".to_owned(),
            title: "256 MiB, tight loop, 4 in a row".to_owned(),
            peers: vec![
                peer::FLOOR,
                peer::AGENT,
                peer::NODE,
                peer::CURL,
                peer::CURL_LARGE,
                peer::UREQ,
                peer::REQWEST,
                peer::HYPER,
            ],
            most_rounds: usize::MAX,
            run: Box::new(|context| tight(context, false, 4)),
        },
        Scenario {
            name: "download-tls-tight".to_owned(),
            title: "256 MiB over TLS 1.3, tight loop, 2 in a row".to_owned(),
            peers: vec![
                peer::FLOOR,
                peer::AGENT,
                peer::NODE,
                peer::CURL,
                peer::CURL_LARGE,
                peer::UREQ,
                peer::REQWEST,
                peer::HYPER,
            ],
            most_rounds: usize::MAX,
            run: Box::new(|context| tight(context, true, 2)),
        },
    ];
    let paces = [
        (Pace::Idle, 1),
        (Pace::Idle, 2),
        (Pace::Idle, 4),
        (Pace::Busy, 1),
    ];
    for (pace, milliseconds) in paces {
        let (infix, way) = match pace {
            Pace::Idle => ("", "frames that sleep"),
            Pace::Busy => ("-busy", "frames that compute"),
        };
        let mut peers = vec![
            peer::FLOOR,
            peer::AGENT,
            peer::AGENT_ON,
            peer::AGENT_FILE,
            peer::NODE,
        ];
        if pace == Pace::Idle {
            peers.extend([
                peer::AGENT_THREAD,
                peer::AGENT_THREAD_FILE,
                peer::CURL,
                peer::CURL_LARGE,
            ]);
            if milliseconds == 1 {
                // It takes half a minute, with each budget.
                peers.push(peer::CURL_ONCE);
            }
            peers.extend([peer::UREQ, peer::REQWEST, peer::HYPER]);
        }
        all.push(Scenario {
            name: format!("download-60fps{infix}-{milliseconds}ms"),
            title: format!("256 MiB at 60 fps, {milliseconds} ms for each poll, {way}"),
            peers,
            most_rounds: usize::MAX,
            run: Box::new(move |context| {
                in_frames(context, pace, Duration::from_millis(milliseconds))
            }),
        });
    }
    all
}

fn tight(context: &Context, is_tls: bool, count: u64) -> Outcome<Metrics> {
    let mut client = context.client(6, None)?;
    let port = if is_tls { context.tls } else { context.plain };
    let ask = Ask::new(port, is_tls, "/large").leak();
    let mut seen = Seen::default();
    let (began, used) = (Instant::now(), processor());
    for turn in 1..=count as usize {
        client.ask(ask)?;
        while seen.done < turn {
            client.wait(&mut seen)?;
        }
    }
    let (took, used) = (began.elapsed(), processor() - used);
    check(context, seen, count)?;
    let mut metrics = Metrics::default();
    let rate = ("rate", "MB/s", seen.bytes as f64 / 1e6 / took.as_secs_f64());
    let cpu = ("CPU", "s", used.as_secs_f64());
    // Over TLS the server is the limit of the rate.
    let (first, second) = if is_tls { (cpu, rate) } else { (rate, cpu) };
    metrics.add(first.0, first.1, first.2);
    metrics.add(second.0, second.1, second.2);
    metrics.add("peak RSS", "MiB", memory("VmHWM") / 1024.0);
    Ok(metrics)
}

fn in_frames(context: &Context, pace: Pace, budget: Duration) -> Outcome<Metrics> {
    let mut client = context.client(6, Some(budget))?;
    let ask = Ask::new(context.plain, false, "/large").leak();
    let mut frames = Frames::new(pace);
    let mut seen = Seen::default();
    let (began, used) = (Instant::now(), processor());
    let mut is_asked = false;
    while seen.done == 0 {
        if is_asked {
            frames.next();
        }
        let client: &mut dyn Peer = client.as_mut();
        frames.work(|| {
            if !std::mem::replace(&mut is_asked, true) {
                client.ask(ask)?;
            }
            client.poll(&mut seen)
        })?;
    }
    let (took, used) = (began.elapsed(), processor() - used);
    check(context, seen, 1)?;
    let megabytes = seen.bytes as f64 / 1e6;
    let mut metrics = Metrics::default();
    metrics.add("rate", "MB/s", megabytes / took.as_secs_f64());
    metrics.add(
        "per ms of work",
        "MB",
        megabytes / (frames.total().as_secs_f64() * 1e3),
    );
    // What a game has of each millisecond that it grants.
    let granted = budget.as_secs_f64() * 1e3 * frames.count() as f64;
    metrics.add("per ms of budget", "MB", megabytes / granted);
    frames.tell(&mut metrics);
    metrics.add("CPU", "s", used.as_secs_f64());
    metrics.add("peak RSS", "MiB", memory("VmHWM") / 1024.0);
    Ok(metrics)
}

fn check(context: &Context, seen: Seen, count: u64) -> Outcome<()> {
    let expected = count * (large_mebibytes(context.quick) << 20);
    if seen.bytes == expected {
        Ok(())
    } else {
        Err(format!("{} bytes instead of {expected}", seen.bytes).into())
    }
}
