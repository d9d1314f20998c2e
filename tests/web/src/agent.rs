//! What an agent does with requests: heads, statuses, retries, timeouts, priorities, credentials, caches.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::agent::{CacheMode, CredentialsMode, PoolLimits};
use httpoll::auth::Credentials;
use httpoll::cache::HttpCache;
use httpoll::error::NetworkFault;
use httpoll::redirect::RedirectPolicy;
use httpoll::{Agent, ErrorKind, Event, Phase, Priority, Request, RetryPolicy, Timeouts};

use crate::harness::{Env, Outcome, drive, drive_with, fetch, frame, key, until_begun, until_text};
use crate::{cases, holds, same};

cases![
    a_get_has_status_fields_and_content,
    a_relative_url_is_resolved_against_the_page,
    a_base_url_is_used_as_natively,
    methods_and_content_arrive,
    headers_of_the_request_arrive_and_ours_are_left_out,
    a_head_request_has_no_content,
    a_status_of_404_is_a_response,
    a_status_can_be_an_error,
    no_content_is_an_empty_response,
    redirects_are_followed_by_the_browser_and_reported,
    a_redirect_that_is_not_followed_is_an_error,
    a_secret_header_forbids_redirects,
    a_retry_policy_repeats,
    a_head_that_does_not_come_times_out,
    a_total_timeout_ends_the_request,
    a_dropped_handle_aborts_the_fetch,
    a_cancelled_request_aborts_the_fetch,
    the_pool_limits_requests_under_way,
    a_wait_in_the_queue_has_a_limit,
    a_priority_goes_first,
    a_rate_limits_delivery,
    pause_holds_delivery_back_and_resume_goes_on,
    basic_credentials_are_sent,
    the_credentials_mode_decides_about_cookies,
    cache_modes_reach_the_browser,
    a_cache_of_the_agent_validates,
    an_event_stream_reconnects_with_the_last_id,
    timings_have_a_first_byte,
    a_server_that_is_gone_is_a_network_error,
    keepalive_requests_arrive;
    "only-if-cached" => only_if_cached_without_a_copy_is_refused,
];

async fn a_get_has_status_fields_and_content(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/hello")).await?;
    let response = ended.response()?;
    same!(response.status().as_u16(), 200);
    same!(response.header("content-type"), Some("text/plain"));
    same!(ended.text()?, "hello");
    holds!(!response.was_redirected(), "no redirect");
    Ok(())
}

async fn a_relative_url_is_resolved_against_the_page(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("hello?a=1")).await?;
    let url = ended.response()?.url().map(ToString::to_string);
    let page = web_sys::window().and_then(|it| it.location().origin().ok());
    same!(url, page.map(|origin| format!("{origin}/hello?a=1")));
    Ok(())
}

async fn a_base_url_is_used_as_natively(env: Rc<Env>) -> Outcome {
    let mut agent = Agent::builder()
        .base_url(&env.cors)
        .map_err(|error| error.to_string())?
        .build();
    let ended = drive(&mut agent, Request::get("/echo").query("name", "a b")).await?;
    same!(ended.json()?["path"], "/echo?name=a%20b");
    Ok(())
}

async fn methods_and_content_arrive(_: Rc<Env>) -> Outcome {
    for request in [
        Request::post("/echo"),
        Request::put("/echo"),
        Request::patch("/echo"),
        Request::delete("/echo"),
    ] {
        let method = request.method().clone();
        let ended = fetch(request.text("sent")).await?;
        same!(ended.json()?["method"], method.as_str());
        same!(ended.json()?["text"], "sent");
        same!(ended.response()?.transferred().sent, 4);
    }
    Ok(())
}

async fn headers_of_the_request_arrive_and_ours_are_left_out(_: Rc<Env>) -> Outcome {
    let request = Request::get("/echo").header("X-Level", "7");
    let ended = fetch(request).await?;
    let headers = &ended.json()?["headers"];
    same!(headers["x-level"], "7");
    let agent = headers["user-agent"].as_str().unwrap_or_default();
    holds!(agent.contains("Mozilla"), "the browser's name is {agent}");
    Ok(())
}

async fn a_head_request_has_no_content(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::head("/hello")).await?;
    same!(ended.response()?.header("content-length"), Some("5"));
    same!(ended.text()?, "");
    Ok(())
}

async fn a_status_of_404_is_a_response(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/status?code=404")).await?;
    same!(ended.response()?.status().as_u16(), 404);
    same!(ended.text()?, "status 404");
    Ok(())
}

async fn a_status_can_be_an_error(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/status?code=500").error_for_status(true)).await?;
    same!(*ended.error()?.kind(), ErrorKind::Status(500));
    Ok(())
}

async fn no_content_is_an_empty_response(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/nothing")).await?;
    same!(ended.response()?.status().as_u16(), 204);
    same!(ended.text()?, "");
    Ok(())
}

async fn redirects_are_followed_by_the_browser_and_reported(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/redirect?to=/redirect%3Fto=/hello")).await?;
    same!(ended.text()?, "hello");
    let response = ended.response()?;
    holds!(response.was_redirected(), "the redirect is not reported");
    same!(response.redirects(), 0);
    same!(
        response.url().map(|url| url.path().to_owned()),
        Some("/hello".to_owned())
    );
    let hops = ended.events.iter();
    same!(
        hops.filter(|it| matches!(it, Event::Redirect { .. }))
            .count(),
        0
    );
    Ok(())
}

async fn a_redirect_that_is_not_followed_is_an_error(_: Rc<Env>) -> Outcome {
    for policy in [RedirectPolicy::none(), RedirectPolicy::up_to(0)] {
        let ended = fetch(Request::get("/redirect?to=/hello").redirects(policy)).await?;
        let refusal = httpoll::error::RedirectRefusal::NotFollowedOnWeb;
        same!(*ended.error()?.kind(), ErrorKind::Redirect(refusal));
    }
    Ok(())
}

async fn a_secret_header_forbids_redirects(_: Rc<Env>) -> Outcome {
    let request = Request::get("/redirect?to=/hello").secret_header("X-Api-Key", "k");
    let refusal = httpoll::error::RedirectRefusal::NotFollowedOnWeb;
    same!(
        *fetch(request).await?.error()?.kind(),
        ErrorKind::Redirect(refusal)
    );
    let request = Request::get("/echo").secret_header("X-Api-Key", "k");
    same!(fetch(request).await?.json()?["headers"]["x-api-key"], "k");
    Ok(())
}

async fn a_retry_policy_repeats(_: Rc<Env>) -> Outcome {
    let url = format!("/flaky?key={}&fails=2", key("retry"));
    let ended = fetch(Request::get(url).retries(RetryPolicy::standard())).await?;
    same!(ended.text()?, "after 3");
    same!(ended.response()?.attempts(), 3);
    Ok(())
}

fn head_within(limit: Duration) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.head = Some(limit);
    timeouts
}

async fn a_head_that_does_not_come_times_out(_: Rc<Env>) -> Outcome {
    let request = Request::get("/late?pause=3").timeouts(head_within(Duration::from_millis(200)));
    let ended = fetch(request).await?;
    same!(*ended.error()?.kind(), ErrorKind::Timeout(Phase::AwaitHead));
    Ok(())
}

async fn a_total_timeout_ends_the_request(_: Rc<Env>) -> Outcome {
    let request =
        Request::get("/slow?count=100&pause=0.05").total_timeout(Duration::from_millis(300));
    let ended = fetch(request).await?;
    same!(
        *ended.error()?.kind(),
        ErrorKind::TotalTimeout(Phase::ReceiveBody)
    );
    Ok(())
}

async fn a_dropped_handle_aborts_the_fetch(_: Rc<Env>) -> Outcome {
    let key = key("dropped");
    let mut agent = Agent::new();
    let url = format!("/slow?count=1000&pause=0.01&key={key}");
    let handle = agent
        .send(Request::get(url))
        .map_err(|error| error.to_string())?;
    for _ in 0..20 {
        agent.poll();
        frame().await;
    }
    until_begun(&key).await?;
    drop(handle);
    agent.poll();
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn a_cancelled_request_aborts_the_fetch(_: Rc<Env>) -> Outcome {
    let key = key("cancelled");
    let mut agent = Agent::new();
    let url = format!("/slow?count=1000&pause=0.01&key={key}");
    let handle = agent
        .send(Request::get(url))
        .map_err(|error| error.to_string())?;
    for _ in 0..20 {
        agent.poll();
        frame().await;
    }
    until_begun(&key).await?;
    agent.cancel(handle.id());
    handle.detach();
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn the_pool_limits_requests_under_way(_: Rc<Env>) -> Outcome {
    let mut limits = PoolLimits::default();
    limits.per_host = 1;
    let mut agent = Agent::builder().pool(limits).build();
    for _ in 0..3 {
        let sent = agent.send(Request::get("/slow?count=2&pause=0.05"));
        sent.map_err(|error| error.to_string())?.detach();
    }
    let (mut under_way, mut most, mut done) = (0, 0, 0);
    while done < 3 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Head { .. } => {
                    under_way += 1;
                    most = most.max(under_way);
                }
                Event::Done { .. } => {
                    under_way -= 1;
                    done += 1;
                }
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        frame().await;
    }
    same!(most, 1);
    Ok(())
}

async fn a_wait_in_the_queue_has_a_limit(_: Rc<Env>) -> Outcome {
    let mut limits = PoolLimits::default();
    limits.per_host = 1;
    let mut agent = Agent::builder().pool(limits).build();
    let first = agent.send(Request::get("/late?pause=2"));
    let first = first.map_err(|error| error.to_string())?;
    let request = Request::get("/hello").queue_timeout(Duration::from_millis(200));
    let ended = drive(&mut agent, request).await?;
    same!(*ended.error()?.kind(), ErrorKind::Timeout(Phase::Queue));
    let queued = ended.events.iter();
    let queued = queued.filter(|event| matches!(event, Event::Queued { .. }));
    same!(queued.count(), 1);
    drop(first);
    Ok(())
}

async fn a_priority_goes_first(_: Rc<Env>) -> Outcome {
    let mut limits = PoolLimits::default();
    limits.per_host = 1;
    let mut agent = Agent::builder().pool(limits).build();
    let send = |agent: &mut Agent, url: &str, priority| {
        let sent = agent.send(Request::get(url).priority(priority));
        sent.map(|handle| handle.detach())
            .map_err(|error| error.to_string())
    };
    send(&mut agent, "/slow?count=3&pause=0.1", Priority::Interface)?;
    for _ in 0..3 {
        agent.poll();
        frame().await;
    }
    send(&mut agent, "/hello?telemetry", Priority::Background)?;
    send(&mut agent, "/hello?menu", Priority::Interface)?;
    let mut order = Vec::new();
    while order.len() < 3 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if let Event::Done { response, .. } = event {
                let query = response
                    .url()
                    .and_then(|url| url.query().map(str::to_owned));
                order.push(query.unwrap_or_default());
            }
        }
        frame().await;
    }
    same!(order, ["count=3&pause=0.1", "menu", "telemetry"]);
    Ok(())
}

async fn a_rate_limits_delivery(_: Rc<Env>) -> Outcome {
    let began = httpoll::clock::Instant::now();
    let request = Request::get("/bytes?count=300000").rate_limit(Some(300_000));
    let ended = fetch(request).await?;
    same!(ended.response()?.body().len(), 300_000);
    let took = began.elapsed();
    holds!(took > Duration::from_millis(500), "it took only {took:?}");
    Ok(())
}

async fn pause_holds_delivery_back_and_resume_goes_on(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let request = Request::get("/bytes?count=3000000").stream();
    let handle = agent.send(request).map_err(|error| error.to_string())?;
    let (mut received, mut paused_at, mut frames, mut done) = (0, None, 0, false);
    while !done {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => received += bytes.len(),
                Event::Done { .. } => done = true,
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        if received > 0 && paused_at.is_none() {
            agent.pause(handle.id());
            // What was queued before.
            while let Some(event) = agent.next_event() {
                if let Event::Chunk { bytes, .. } = event {
                    received += bytes.len();
                }
            }
            paused_at = Some(received);
        }
        if let Some(at) = paused_at
            && frames < 10
        {
            frames += 1;
            same!(received, at);
            if frames == 10 {
                agent.resume(handle.id());
            }
        }
        frame().await;
    }
    handle.detach();
    same!(received, 3_000_000);
    Ok(())
}

async fn basic_credentials_are_sent(_: Rc<Env>) -> Outcome {
    let credentials = Credentials::Basic {
        user: "ada".to_owned(),
        password: "secret".to_owned(),
    };
    let ended = fetch(Request::get("/basic").credentials(credentials)).await?;
    same!(ended.text()?, "welcome");
    Ok(())
}

async fn the_credentials_mode_decides_about_cookies(_: Rc<Env>) -> Outcome {
    fetch(Request::get("/cookie-set")).await?;
    let with = fetch(Request::get("/echo")).await?.json()?;
    same!(with["headers"]["cookie"], "flavour=oat");
    let request = Request::get("/echo").credentials_mode(CredentialsMode::Omit);
    let without = fetch(request).await?.json()?;
    same!(without["headers"].get("cookie"), None);
    Ok(())
}

async fn cache_modes_reach_the_browser(_: Rc<Env>) -> Outcome {
    let key = key("modes");
    let url = format!("/cached?key={key}");
    let ask = |mode| fetch(Request::get(url.clone()).cache_mode(mode));
    same!(ask(CacheMode::Default).await?.text()?, "made 1");
    same!(ask(CacheMode::Default).await?.text()?, "made 1");
    same!(ask(CacheMode::OnlyIfCached).await?.text()?, "made 1");
    same!(ask(CacheMode::Reload).await?.text()?, "made 2");
    same!(ask(CacheMode::ForceCache).await?.text()?, "made 2");
    same!(ask(CacheMode::NoStore).await?.text()?, "made 3");
    same!(ask(CacheMode::ForceCache).await?.text()?, "made 2");
    // It asks the server, which says that the copy is still good.
    same!(ask(CacheMode::NoCache).await?.text()?, "made 2");
    same!(ask(CacheMode::StaleIfError).await?.text()?, "made 2");
    until_text(&format!("/count?key=cached%20{key}"), "5").await
}

async fn only_if_cached_without_a_copy_is_refused(_: Rc<Env>) -> Outcome {
    let url = format!("/cached?key={}", key("miss"));
    let ended = fetch(Request::get(url).cache_mode(CacheMode::OnlyIfCached)).await?;
    let refused = httpoll::error::RequestRefused::NotCached;
    same!(*ended.error()?.kind(), ErrorKind::Refused(refused));
    Ok(())
}

async fn a_cache_of_the_agent_validates(_: Rc<Env>) -> Outcome {
    let cache = Arc::new(Mutex::new(HttpCache::default()));
    let mut agent = Agent::builder().cache(cache).build();
    let key = key("own");
    let url = format!("/cached?age=0&key={key}");
    same!(
        drive(&mut agent, Request::get(url.clone())).await?.text()?,
        "made 1"
    );
    let again = drive(&mut agent, Request::get(url)).await?;
    same!(again.text()?, "made 1");
    holds!(again.response()?.is_from_cache(), "not from the cache");
    until_text(&format!("/count?key=cached%20{key}"), "2").await
}

async fn an_event_stream_reconnects_with_the_last_id(_: Rc<Env>) -> Outcome {
    let mut agent = Agent::new();
    let request = Request::get("/events").event_stream();
    let handle = agent.send(request).map_err(|error| error.to_string())?;
    let mut data = Vec::new();
    let began = httpoll::clock::Instant::now();
    while data.len() < 4 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::ServerSent { event, .. } => data.push(event.data.clone()),
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        holds!(began.elapsed() < Duration::from_secs(20), "only {data:?}");
        frame().await;
    }
    drop(handle);
    same!(data[..4], ["event 1", "event 2", "event 3", "event 4"]);
    Ok(())
}

async fn timings_have_a_first_byte(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/late?pause=0.2")).await?;
    let response = ended.response()?;
    let first = response.timings().starttransfer;
    holds!(
        first >= Duration::from_millis(150),
        "the first byte came after {first:?}"
    );
    let connection = response.connection();
    holds!(
        connection.is_some_and(|it| it.peer_address.is_none() && it.tls.is_none()),
        "a page sees no addresses and no TLS"
    );
    Ok(())
}

async fn a_server_that_is_gone_is_a_network_error(env: Rc<Env>) -> Outcome {
    let mut policy = RetryPolicy::standard();
    policy.base_delay = Duration::from_millis(10);
    let mut retried = 0;
    let request = Request::get(format!("{}/hello", env.dead)).retries(policy);
    let ended = drive_with(&mut Agent::new(), request, |_, event| {
        retried += u32::from(matches!(event, Event::WillRetry { .. }));
    })
    .await?;
    same!(
        *ended.error()?.kind(),
        ErrorKind::Network(NetworkFault::ConnectFailed)
    );
    holds!(retried > 0, "a server that is gone may come back");
    Ok(())
}

async fn keepalive_requests_arrive(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/echo").text("last words").keepalive(true)).await?;
    same!(ended.json()?["text"], "last words");
    Ok(())
}
