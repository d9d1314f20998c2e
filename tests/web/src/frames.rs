//! What polls cost a frame.

use std::rc::Rc;
use std::time::Duration;

use httpoll::clock::Instant;
use httpoll::{Agent, Budget, Event, Request};

use crate::harness::{Env, Outcome, figure, frame};
use crate::{cases, holds, same};

cases![
    a_stream_of_64_mib_keeps_its_budget,
    an_idle_agent_costs_next_to_nothing,
    many_requests_end_within_a_frame_loop,
];

/// The times between animation frames, in milliseconds, as the browser stamps them.
fn frame_times(stamps: &[f64]) -> String {
    let mut times: Vec<f64> = stamps.windows(2).map(|two| two[1] - two[0]).collect();
    times.sort_by(f64::total_cmp);
    let part = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1));
    match (part(50), part(95), part(100)) {
        (Some(half), Some(most), Some(longest)) => format!(
            "{} frame times: half within {half:.1} ms, 95 % within {most:.1} ms, the longest {longest:.1} ms",
            times.len()
        ),
        _ => "too few frames".to_owned(),
    }
}

/// Streams 64 MiB with a budget of 1 ms. `performance.now()` counts in steps of 0.1 ms here.
async fn a_stream_of_64_mib_keeps_its_budget(_: Rc<Env>) -> Outcome {
    const BYTES: usize = 64 * 1024 * 1024;
    let mut budget = Budget::default();
    budget.time = Some(Duration::from_millis(1));
    let mut agent = Agent::builder().budget(budget).build();
    let mut idle = Vec::new();
    for _ in 0..60 {
        agent.poll();
        idle.push(frame().await);
    }
    figure(format!("an agent without requests: {}", frame_times(&idle)));
    let request = Request::get(format!("/bytes?count={BYTES}"))
        .stream()
        .max_body(0);
    agent
        .send(request)
        .map_err(|error| error.to_string())?
        .detach();
    let began = Instant::now();
    let (mut received, mut frames, mut done) = (0, 0_u32, false);
    let mut polls: Vec<Duration> = Vec::new();
    let mut stamps = Vec::new();
    while !done {
        let poll = Instant::now();
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => received += bytes.len(),
                Event::Done { .. } => done = true,
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        polls.push(poll.elapsed());
        frames += 1;
        holds!(
            began.elapsed() < Duration::from_secs(60),
            "{received} bytes in 60 s"
        );
        stamps.push(frame().await);
    }
    let took = began.elapsed();
    same!(received, BYTES);
    polls.sort();
    let longest = polls.last().copied().unwrap_or_default();
    let late = polls[polls.len() * 9 / 10];
    figure(format!(
        "64 MiB under a budget of 1 ms: {:.2} s, {frames} frames; a poll with its reads: 90 % within {:.1} ms, at most {:.1} ms",
        took.as_secs_f64(),
        late.as_secs_f64() * 1000.0,
        longest.as_secs_f64() * 1000.0,
    ));
    figure(format!("the same: {}", frame_times(&stamps)));
    let median = polls[polls.len() / 2];
    // Twice the budget, because the machine that runs this has other work.
    holds!(
        median <= Duration::from_millis(2),
        "half of the polls take more than {median:?}"
    );
    Ok(())
}

async fn an_idle_agent_costs_next_to_nothing(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let sent = agent.send(Request::get("/late?pause=1"));
    sent.map_err(|error| error.to_string())?.detach();
    for _ in 0..5 {
        agent.poll();
        frame().await;
    }
    let began = Instant::now();
    for _ in 0..1000 {
        agent.poll();
    }
    let each = began.elapsed() / 1000;
    figure(format!("an idle poll: {:.1} µs", each.as_secs_f64() * 1e6));
    holds!(
        each < Duration::from_micros(100),
        "an idle poll takes {each:?}"
    );
    Ok(())
}

async fn many_requests_end_within_a_frame_loop(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    for number in 0..100 {
        let sent = agent.send(Request::get(format!("/echo?{number}")));
        sent.map_err(|error| error.to_string())?.detach();
    }
    let (mut done, mut frames) = (0, 0);
    while done < 100 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { .. } => done += 1,
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        frames += 1;
        holds!(frames < 1500, "{done} of 100 after {frames} frames");
        frame().await;
    }
    Ok(())
}
