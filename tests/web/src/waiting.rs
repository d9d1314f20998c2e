//! A page has no threads and cannot wait: neither freezes it.

use std::rc::Rc;
use std::time::Duration;

use httpoll::{Agent, ErrorKind, Request};

use crate::harness::{Env, Outcome, drive};
use crate::{cases, holds, same};

cases![
    an_agent_on_a_thread_works_without_one,
    an_agent_stays_without_a_thread_while_it_runs,
    wait_returns_at_once,
    waiting_for_a_response_is_refused,
];

async fn an_agent_on_a_thread_works_without_one(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::builder().on_thread(true).build();
    holds!(!agent.is_on_thread(), "a page has no threads");
    same!(
        drive(&mut agent, Request::get("/hello")).await?.text()?,
        "hello"
    );
    Ok(())
}

async fn an_agent_stays_without_a_thread_while_it_runs(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let mut moved = None;
    let request = Request::get("/late?pause=0.3");
    let ended = crate::harness::drive_with(&mut agent, request, |agent, _| {
        moved.get_or_insert_with(|| (agent.set_on_thread(true), agent.is_on_thread()));
    })
    .await?;
    same!(moved, Some((false, false)));
    same!(ended.text()?, "late");
    Ok(())
}

async fn wait_returns_at_once(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let sent = agent.send(Request::get("/late?pause=1"));
    sent.map_err(|error| error.to_string())?.detach();
    let began = httpoll::clock::Instant::now();
    for _ in 0..10 {
        agent.wait(None);
    }
    let took = began.elapsed();
    holds!(took < Duration::from_millis(500), "it took {took:?}");
    Ok(())
}

async fn waiting_for_a_response_is_refused(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let handle = agent
        .send(Request::get("/hello"))
        .map_err(|error| error.to_string())?;
    let error = agent.wait_for(handle).err();
    let what = httpoll::error::Misuse::NotOnWeb("waiting for a response");
    same!(
        error.map(|it| it.kind().clone()),
        Some(ErrorKind::Misuse(what))
    );
    Ok(())
}
