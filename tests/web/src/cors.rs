//! Other origins: with permission, without, and what the error tells.

use std::rc::Rc;

use httpoll::agent::CredentialsMode;
use httpoll::{Agent, Event, Request, RetryPolicy};

use crate::harness::{Env, Outcome, cors_fault, drive_with, fetch, key, until_text};
use crate::{cases, holds, same};

cases![
    another_origin_with_permission_responds,
    another_origin_shows_only_exposed_fields,
    another_origin_without_permission_is_a_cors_error,
    a_cors_error_is_not_retried,
    a_simple_request_asks_no_permission_first,
    json_asks_for_permission_first,
    a_header_without_permission_is_a_cors_error,
    cookies_go_to_another_origin_only_on_request,
    a_redirect_to_an_origin_without_permission_is_an_error,
];

async fn another_origin_with_permission_responds(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get(format!("{}/hello", env.cors))).await?;
    same!(ended.text()?, "hello");
    Ok(())
}

async fn another_origin_shows_only_exposed_fields(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get(format!("{}/echo", env.cors))).await?;
    same!(ended.response()?.header("x-seen"), Some("yes"));
    same!(ended.response()?.header("server"), None);
    Ok(())
}

async fn another_origin_without_permission_is_a_cors_error(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get(format!("{}/hello", env.plain))).await?;
    let error = ended.error()?;
    same!(*error.kind(), cors_fault());
    let text = error.to_string();
    holds!(text.contains("Access-Control-Allow-Origin"), "{text}");
    holds!(text.contains(&env.plain), "{text}");
    Ok(())
}

async fn a_cors_error_is_not_retried(env: Rc<Env>) -> Outcome {
    let mut retried = 0;
    let request = Request::get(format!("{}/hello", env.plain)).retries(RetryPolicy::standard());
    let ended = drive_with(&mut Agent::new(), request, |_, event| {
        retried += u32::from(matches!(event, Event::WillRetry { .. }));
    })
    .await?;
    holds!(!ended.error()?.is_retryable(), "nobody allows it meanwhile");
    same!(retried, 0);
    Ok(())
}

async fn a_simple_request_asks_no_permission_first(env: Rc<Env>) -> Outcome {
    let before = fetch(Request::get("/count?key=OPTIONS%20/echo"))
        .await?
        .text()?;
    for request in [
        Request::get(format!("{}/echo", env.cors)),
        Request::post(format!("{}/echo", env.cors)).text("plain text"),
    ] {
        fetch(request).await?.json()?;
    }
    until_text("/count?key=OPTIONS%20/echo", &before).await
}

async fn json_asks_for_permission_first(env: Rc<Env>) -> Outcome {
    let path = format!("/flaky?fails=0&key={}", key("json"));
    let before = fetch(Request::get("/count?key=OPTIONS%20/flaky"))
        .await?
        .text()?;
    let before: u32 = before.parse().map_err(|_| "no number")?;
    fetch(Request::post(format!("{}{path}", env.cors)).json(&1))
        .await?
        .text()?;
    until_text("/count?key=OPTIONS%20/flaky", &(before + 1).to_string()).await
}

async fn a_header_without_permission_is_a_cors_error(env: Rc<Env>) -> Outcome {
    let request = Request::get(format!("{}/hello", env.plain)).header("X-Level", "7");
    let ended = fetch(request).await?;
    same!(*ended.error()?.kind(), cors_fault());
    Ok(())
}

async fn cookies_go_to_another_origin_only_on_request(env: Rc<Env>) -> Outcome {
    // Cookies do not depend on the port, so that of the page's server is this server's, too.
    fetch(Request::get("/cookie-set")).await?;
    let echo = format!("{}/echo", env.cors);
    let without = fetch(Request::get(echo.clone())).await?.json()?;
    same!(without["headers"].get("cookie"), None);
    let request = Request::get(echo).credentials_mode(CredentialsMode::Include);
    same!(
        fetch(request).await?.json()?["headers"]["cookie"],
        "flavour=oat"
    );
    Ok(())
}

async fn a_redirect_to_an_origin_without_permission_is_an_error(env: Rc<Env>) -> Outcome {
    let url = format!("{}/redirect?to={}/hello", env.cors, env.plain);
    let ended = fetch(Request::get(url)).await?;
    same!(*ended.error()?.kind(), cors_fault());
    Ok(())
}
