//! Rules of the browser and of the page: what they forbid, and what the error tells.

use std::rc::Rc;

use httpoll::agent::WebSocketOptions;
use httpoll::error::{DiskFault, DiskStep, NetworkFault};
use httpoll::{Agent, Download, ErrorKind, Event, Request, RetryPolicy, opfs};

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::harness::{Env, Outcome, cors_fault, drive_with, fetch, frame, key, until_text};
use crate::inner_page::{Frame, is_framed, own_origin, parameter};
use crate::{cases, holds, same};

cases![
    what_the_policy_of_the_page_forbids_is_named,
    a_port_that_browsers_block_is_named,
    a_frame_without_an_origin_needs_cors_and_has_no_files,
    asking_about_cors_keeps_no_connection,
    an_error_names_the_service_worker_that_may_have_caused_it;
    "https" => http_in_a_page_that_is_https_is_named,
];

/// The request is blocked for a reason that has this word, and not sent again.
async fn is_blocked(request: Request, reason: &str) -> Outcome {
    let mut retried = 0;
    let request = request.retries(RetryPolicy::standard());
    let ended = drive_with(&mut Agent::new(), request, |_, event| {
        retried += u32::from(matches!(event, Event::WillRetry { .. }));
    })
    .await?;
    let error = ended.error()?;
    same!(*error.kind(), ErrorKind::Network(NetworkFault::Blocked));
    let text = error.to_string();
    holds!(text.contains(reason), "{text}");
    holds!(!error.is_retryable(), "nobody changes the rule meanwhile");
    same!(retried, 0);
    Ok(())
}

/// Why a WebSocket with this URL does not open.
async fn web_socket_error(url: &str) -> Result<String, String> {
    let mut agent = Agent::new();
    let request = Request::get(url).web_socket(WebSocketOptions::new());
    let handle = agent.send(request).map_err(|error| error.to_string())?;
    for _ in 0..600 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Failed { error, .. } => return Ok(error.to_string()),
                Event::WebSocketOpen { .. } => return Err("it opened".to_owned()),
                _ => {}
            }
        }
        frame().await;
    }
    drop(handle);
    Err("no end".to_owned())
}

async fn what_the_policy_of_the_page_forbids_is_named(env: Rc<Env>) -> Outcome {
    if !is_framed() {
        let policy = "policy=connect-src%20%27self%27%3B%20worker-src%20%27none%27";
        let only = "what_the_policy_of_the_page_forbids_is_named";
        let inner = Frame::open(&own_origin()?, policy, None, only)?;
        return inner.outcome().await;
    }
    let large = vec![b'u'; 100_000];
    let policy = "Content-Security-Policy";
    is_blocked(Request::get(format!("{}/hello", env.cors)), policy).await?;
    let upload = Request::post(format!("{}/echo", env.cors));
    is_blocked(upload.header("X-Level", "7").body(large), policy).await?;
    let url = format!("{}/ws", env.cors.replacen("http", "ws", 1));
    let error = web_socket_error(&url).await?;
    holds!(error.contains(policy), "{error}");
    // What it allows is as before.
    same!(fetch(Request::get("/hello")).await?.text()?, "hello");
    if !env.lacks("files") {
        let download = Request::get("/hello").download_to(Download::to("test/forbidden.bin"));
        let ended = fetch(download).await?;
        let ErrorKind::File(DiskFault::Io { step, kind, .. }) = *ended.error()?.kind() else {
            return Err(format!("{:?}", ended.error()?));
        };
        let denied = std::io::ErrorKind::PermissionDenied;
        same!((step, kind), (DiskStep::StartWorker, denied));
    }
    Ok(())
}

async fn a_port_that_browsers_block_is_named(_: Rc<Env>) -> Outcome {
    is_blocked(
        Request::get("http://127.0.0.1:6000/"),
        "browsers block this port",
    )
    .await
}

async fn http_in_a_page_that_is_https_is_named(env: Rc<Env>) -> Outcome {
    if !is_framed() {
        let https = parameter("https").ok_or("no server with https")?;
        let inner = Frame::open(&https, "", None, "http_in_a_page_that_is_https_is_named")?;
        return inner.outcome().await;
    }
    let insecure = env.cors.replacen("127.0.0.1", "insecure.test", 1);
    let reason = "the page is https";
    is_blocked(Request::get(format!("{insecure}/hello")), reason).await?;
    let error = web_socket_error(&format!("{}/ws", insecure.replacen("http", "ws", 1))).await?;
    holds!(error.contains(reason), "{error}");
    // Loopback is allowed.
    let ended = fetch(Request::get(format!("{}/hello", env.cors))).await?;
    same!(ended.text()?, "hello");
    Ok(())
}

/// Its URL has an origin, but the frame itself has none: nothing is of its own origin.
async fn a_frame_without_an_origin_needs_cors_and_has_no_files(env: Rc<Env>) -> Outcome {
    if !is_framed() {
        let only = "a_frame_without_an_origin_needs_cors_and_has_no_files";
        let inner = Frame::open(&env.cors, "", Some("allow-scripts"), only)?;
        return inner.outcome().await;
    }
    same!(fetch(Request::get("/hello")).await?.text()?, "hello");
    let ended = fetch(Request::get("/hello?cors=no")).await?;
    same!(*ended.error()?.kind(), cors_fault());
    let none = ErrorKind::File(DiskFault::NoFileSystem);
    let download = Request::get("/hello").download_to(Download::to("test/nowhere.bin"));
    same!(*fetch(download).await?.error()?.kind(), none);
    let read = opfs::read("test/nowhere.bin").await;
    same!(read.err().map(|error| error.kind().clone()), Some(none));
    Ok(())
}

/// A debug build asks a server again, to tell a refusal from a server that is gone. It does not wait for content, and
/// keeps no connection to the server.
async fn asking_about_cors_keeps_no_connection(env: Rc<Env>) -> Outcome {
    let key = key("endless");
    let ended = fetch(Request::get(format!("{}/endless?key={key}", env.plain))).await?;
    same!(*ended.error()?.kind(), cors_fault());
    let requests = match option_env!("HTTPOLL_WEB_AS_RELEASE") {
        Some(_) => "1",
        None => "2",
    };
    until_text(&format!("/count?key=aborted%20{key}"), requests).await
}

const REGISTER: &str = "
    return navigator.serviceWorker.register('/service-worker', { scope: '/controlled/' }).then(it => {
        const worker = it.installing ?? it.waiting ?? it.active;
        return new Promise(resolve => {
            const look = () => worker.state === 'activated' && resolve(it);
            worker.onstatechange = look;
            look();
        });
    });
";

async fn an_error_names_the_service_worker_that_may_have_caused_it(_: Rc<Env>) -> Outcome {
    let only = "an_error_names_the_service_worker_that_may_have_caused_it";
    if is_framed() {
        same!(fetch(Request::get("/hello")).await?.text()?, "hello");
        let ended = fetch(Request::get("/refused")).await?;
        let text = ended.error()?.to_string();
        holds!(text.contains("the page's service worker"), "{text}");
        return Ok(());
    }
    // This page itself has none.
    let ended = fetch(Request::get(format!("/vanish?key={only}"))).await?;
    let text = ended.error()?.to_string();
    holds!(!text.contains("service worker"), "{text}");
    let promise = js_sys::Function::new_no_args(REGISTER).call0(&JsValue::NULL);
    let promise: js_sys::Promise = promise.map_err(|it| format!("{it:?}"))?.into();
    let registered = JsFuture::from(promise).await;
    let registered: JsValue = registered.map_err(|it| format!("{it:?}"))?;
    let inner = Frame::open(&format!("{}/controlled", own_origin()?), "", None, only)?;
    let outcome = inner.outcome().await;
    let unregister = js_sys::Function::new_with_args("it", "it.unregister()");
    let _ = unregister.call1(&JsValue::NULL, &registered);
    outcome
}
