//! Large uploads, which go through `XMLHttpRequest` so that their progress is known: the progress, and that all else
//! is as with `fetch`.

use std::rc::Rc;
use std::time::Duration;

use httpoll::agent::{CacheMode, CredentialsMode, Progress};
use httpoll::clock::Instant;
use httpoll::error::{NetworkFault, RedirectRefusal};
use httpoll::limits::Limit;
use httpoll::redirect::RedirectPolicy;
use httpoll::{Agent, ErrorKind, Event, Phase, Request, RequestId, RetryPolicy, Timeouts};

use crate::harness::{Ended, Env, Outcome, drive, drive_with, fetch, frame, key, until_text};
use crate::{cases, holds, same};

cases![
    progress_grows_while_a_server_reads_and_ends_at_the_whole,
    an_upload_that_is_cancelled_in_the_middle_is_aborted,
    an_upload_that_stalls_times_out_while_it_is_sent,
    a_server_that_waits_after_the_upload_times_out_as_a_head,
    a_short_upload_is_counted_as_a_whole,
    a_streamed_response_comes_in_pieces_after_a_large_upload,
    a_simple_upload_to_another_origin_asks_no_permission,
    a_large_upload_is_refused_without_permission,
    a_large_upload_shows_only_exposed_fields_of_another_origin,
    a_large_upload_to_a_server_that_is_gone_is_a_network_error,
    a_redirect_of_a_large_upload_is_followed_and_reported,
    redirects_of_a_large_upload_can_be_refused,
    the_credentials_mode_holds_for_large_uploads,
    the_cache_mode_holds_for_large_uploads,
    keepalive_holds_for_large_uploads,
    statuses_after_a_large_upload,
    a_gzip_response_to_a_large_upload,
    a_large_response_to_a_large_upload,
    a_cut_response_to_a_large_upload_is_an_error,
    limits_hold_for_the_response_to_a_large_upload,
    a_large_upload_is_retried,
];

/// More than the kernel's buffers of both ends hold, so that the browser cannot have sent all of it before the server
/// reads.
const BYTES: usize = 32 * 1024 * 1024;

/// Enough to be counted.
fn large() -> Vec<u8> {
    vec![b'u'; 100_000]
}

fn error_of(ended: &Ended) -> Result<ErrorKind, String> {
    Ok(ended.error()?.kind().clone())
}

/// Lets `/gated` read `bytes` in all.
async fn allow(key: &str, bytes: usize) -> Outcome {
    let allowed = fetch(Request::get(format!("/allow?key={key}&bytes={bytes}"))).await?;
    allowed.response().map(drop)
}

/// An upload to `/gated` under way.
struct Gated {
    agent: Agent,
    id: RequestId,
    key: String,
    /// Each count that was told.
    steps: Vec<u64>,
    last: Option<Progress>,
    phase: Option<Phase>,
    response: Option<String>,
    began: Instant,
}

impl Gated {
    fn start(origin: &str) -> Result<Self, String> {
        let key = key("gated");
        // Another origin is asked for permission to PUT.
        let request = Request::put(format!("{origin}/gated?key={key}")).body(vec![b'u'; BYTES]);
        let mut agent = Agent::new();
        let handle = agent.send(request).map_err(|error| error.to_string())?;
        Ok(Self {
            agent,
            id: handle.detach(),
            key,
            steps: Vec::new(),
            last: None,
            phase: None,
            response: None,
            began: Instant::now(),
        })
    }

    /// Polls once a frame until this is true.
    async fn until(&mut self, mut is_enough: impl FnMut(&Self) -> bool) -> Outcome {
        while !is_enough(self) {
            self.agent.poll();
            while let Some(event) = self.agent.next_event() {
                match event {
                    Event::Progress { progress, .. } => {
                        self.last = Some(progress);
                        if self.steps.last() != Some(&progress.sent) {
                            self.steps.push(progress.sent);
                        }
                    }
                    Event::Phase { phase, .. } => self.phase = Some(phase),
                    Event::Done { response, .. } => self.response = Some(response.text()),
                    Event::Failed { error, .. } => return Err(error.to_string()),
                    _ => {}
                }
            }
            holds!(
                self.began.elapsed() < Duration::from_secs(25),
                "nothing more after {:?}",
                self.steps
            );
            frame().await;
        }
        Ok(())
    }

    fn sent(&self) -> usize {
        self.steps.last().copied().unwrap_or_default() as usize
    }
}

async fn progress_grows_while_a_server_reads_and_ends_at_the_whole(env: Rc<Env>) -> Outcome {
    for origin in ["", &env.cors] {
        let mut upload = Gated::start(origin)?;
        upload.until(|it| it.sent() > 0).await?;
        let mut before = upload.sent();
        holds!(before < BYTES, "all is sent, but the server reads nothing");
        let last = upload.last.ok_or("no progress")?;
        same!(
            (last.phase, last.to_send),
            (Phase::SendBody, Some(BYTES as u64))
        );
        for part in [8, 16] {
            allow(&upload.key, part * 1024 * 1024).await?;
            upload.until(|it| it.sent() > before).await?;
            same!(upload.response, None);
            before = upload.sent();
        }
        allow(&upload.key, BYTES).await?;
        upload.until(|it| it.sent() == BYTES).await?;
        upload
            .until(|it| it.phase == Some(Phase::AwaitHead))
            .await?;
        same!(upload.response, None);
        allow(&upload.key, BYTES + 1).await?;
        upload.until(|it| it.response.is_some()).await?;
        same!(upload.response, Some(BYTES.to_string()));
        holds!(upload.steps.is_sorted(), "{:?}", upload.steps);
        holds!(upload.steps.len() >= 4, "{:?}", upload.steps);
    }
    Ok(())
}

async fn an_upload_that_is_cancelled_in_the_middle_is_aborted(_: Rc<Env>) -> Outcome {
    let mut upload = Gated::start("")?;
    upload.until(|it| it.sent() > 0).await?;
    upload.agent.cancel(upload.id);
    upload.agent.poll();
    // What lies in the kernel can be read, but not the whole.
    allow(&upload.key, BYTES).await?;
    until_text(&format!("/aborted?key={}", upload.key), "yes").await
}

async fn an_upload_that_stalls_times_out_while_it_is_sent(_: Rc<Env>) -> Outcome {
    let key = key("stalled");
    let timeouts = Timeouts::with(|it| {
        it.stall = Some(Duration::from_millis(1500));
        it.head = Some(Duration::from_millis(1));
    });
    let request = Request::put(format!("/gated?key={key}"))
        .body(vec![b'u'; BYTES])
        .timeouts(timeouts);
    let ended = fetch(request).await?;
    same!(error_of(&ended)?, ErrorKind::Timeout(Phase::SendBody));
    allow(&key, BYTES).await?;
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn a_server_that_waits_after_the_upload_times_out_as_a_head(_: Rc<Env>) -> Outcome {
    let timeouts = Timeouts::with(|it| it.head = Some(Duration::from_millis(200)));
    let request = Request::post("/late?pause=3").body(large());
    let ended = fetch(request.timeouts(timeouts)).await?;
    same!(error_of(&ended)?, ErrorKind::Timeout(Phase::AwaitHead));
    Ok(())
}

async fn a_short_upload_is_counted_as_a_whole(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/echo").body(vec![b'a'; 50_000])).await?;
    let last = ended.events.iter().rev().find_map(|event| match event {
        Event::Progress { progress, .. } if progress.to_send.is_some() => Some(*progress),
        _ => None,
    });
    let last = last.ok_or("no progress")?;
    same!((last.sent, last.to_send), (50_000, Some(50_000)));
    Ok(())
}

async fn a_streamed_response_comes_in_pieces_after_a_large_upload(_: Rc<Env>) -> Outcome {
    let key = key("held");
    let mut pieces = Vec::new();
    let request = Request::post(format!("/held?key={key}"));
    let request = request.body(large()).stream();
    let ended = drive_with(&mut Agent::new(), request, |_, event| {
        if let Event::Chunk { bytes, .. } = event {
            pieces.push(bytes.len());
            // The server waits for this before it sends the rest.
            let key = key.clone();
            wasm_bindgen_futures::spawn_local(async move { drop(allow(&key, 1).await) });
        }
    })
    .await?;
    same!(ended.response()?.transferred().sent, 100_000);
    same!(pieces, [1, 1]);
    Ok(())
}

async fn options_seen(path: &str) -> Result<u32, String> {
    let count = fetch(Request::get(format!("/count?key=OPTIONS%20{path}"))).await?;
    count.text()?.parse().map_err(|_| "no number".to_owned())
}

async fn a_simple_upload_to_another_origin_asks_no_permission(env: Rc<Env>) -> Outcome {
    let url = format!("{}/status?code=200", env.cors);
    let before = options_seen("/status").await?;
    let ended = fetch(Request::post(&*url).text("u".repeat(100_000))).await?;
    same!(ended.response()?.transferred().sent, 100_000);
    same!(options_seen("/status").await?, before);
    // With a header of the caller it is asked anyway, so the upload may be watched.
    fetch(Request::post(&*url).header("X-Level", "7").body(large()))
        .await?
        .response()?;
    same!(options_seen("/status").await?, before + 1);
    Ok(())
}

async fn a_large_upload_is_refused_without_permission(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::put(format!("{}/echo", env.plain)).body(large())).await?;
    same!(
        error_of(&ended)?,
        ErrorKind::Network(NetworkFault::CorsRefused)
    );
    Ok(())
}

async fn a_large_upload_shows_only_exposed_fields_of_another_origin(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::put(format!("{}/echo", env.cors)).body(large())).await?;
    same!(ended.json()?["length"], 100_000);
    same!(ended.response()?.header("x-seen"), Some("yes"));
    same!(ended.response()?.header("server"), None);
    Ok(())
}

async fn a_large_upload_to_a_server_that_is_gone_is_a_network_error(env: Rc<Env>) -> Outcome {
    let ended = fetch(Request::put(format!("{}/echo", env.dead)).body(large())).await?;
    same!(
        error_of(&ended)?,
        ErrorKind::Network(NetworkFault::ConnectFailed)
    );
    Ok(())
}

async fn a_redirect_of_a_large_upload_is_followed_and_reported(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/redirect?code=307&to=/echo").body(large())).await?;
    same!(ended.json()?["length"], 100_000);
    let response = ended.response()?;
    holds!(response.was_redirected(), "the redirect is not reported");
    same!(
        response.url().map(|url| url.path().to_owned()),
        Some("/echo".to_owned())
    );
    let ended = fetch(Request::post("/echo").body(large())).await?;
    holds!(!ended.response()?.was_redirected(), "there was no redirect");
    Ok(())
}

async fn redirects_of_a_large_upload_can_be_refused(_: Rc<Env>) -> Outcome {
    let request = || Request::post("/redirect?code=307&to=/echo").body(large());
    for request in [
        request().redirects(RedirectPolicy::none()),
        request().secret_header("X-Api-Key", "k"),
    ] {
        let refusal = ErrorKind::Redirect(RedirectRefusal::NotFollowedOnWeb);
        same!(error_of(&fetch(request).await?)?, refusal);
    }
    Ok(())
}

async fn the_credentials_mode_holds_for_large_uploads(env: Rc<Env>) -> Outcome {
    fetch(Request::get("/cookie-set")).await?;
    let cookie = async |origin: &str, mode: Option<CredentialsMode>| {
        let request = Request::put(format!("{origin}/echo")).body(large());
        let request = match mode {
            Some(mode) => request.credentials_mode(mode),
            None => request,
        };
        let echo = fetch(request).await?.json()?;
        Ok::<_, String>(echo["headers"]["cookie"].as_str().map(str::to_owned))
    };
    let sent = Some("flavour=oat".to_owned());
    same!(cookie("", None).await?, sent);
    same!(cookie("", Some(CredentialsMode::SameOrigin)).await?, sent);
    same!(cookie("", Some(CredentialsMode::Omit)).await?, None);
    same!(cookie(&env.cors, None).await?, None);
    same!(
        cookie(&env.cors, Some(CredentialsMode::Include)).await?,
        sent
    );
    Ok(())
}

async fn the_cache_mode_holds_for_large_uploads(_: Rc<Env>) -> Outcome {
    for (mode, seen) in [
        (CacheMode::Default, None),
        (CacheMode::Reload, Some("no-cache")),
        (CacheMode::NoStore, Some("no-cache")),
    ] {
        let request = Request::post("/echo").body(large()).cache_mode(mode);
        let echo = fetch(request).await?.json()?;
        same!(echo["headers"]["cache-control"].as_str(), seen);
    }
    Ok(())
}

/// A browser sends at most 64 KiB by `keepalive`, and `XMLHttpRequest` knows nothing of it.
async fn keepalive_holds_for_large_uploads(_: Rc<Env>) -> Outcome {
    let request = |bytes| {
        Request::post("/echo")
            .body(vec![b'u'; bytes])
            .keepalive(true)
    };
    let ended = fetch(request(64 * 1024)).await?;
    same!(ended.json()?["length"], 64 * 1024);
    let ended = fetch(request(64 * 1024 + 1)).await?;
    same!(error_of(&ended)?, ErrorKind::Network(NetworkFault::Blocked));
    let text = ended.error()?.to_string();
    holds!(text.contains("keepalive"), "{text}");
    Ok(())
}

async fn statuses_after_a_large_upload(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/nothing").body(large())).await?;
    same!(ended.response()?.status().as_u16(), 204);
    same!(ended.text()?, "");
    let ended = fetch(Request::post("/status?code=404").body(large())).await?;
    same!(ended.response()?.status().as_u16(), 404);
    same!(ended.text()?, "status 404");
    let request = Request::post("/status?code=500").body(large());
    let ended = fetch(request.error_for_status(true)).await?;
    same!(error_of(&ended)?, ErrorKind::Status(500));
    Ok(())
}

async fn a_gzip_response_to_a_large_upload(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/gzip").body(large())).await?;
    same!(ended.text()?, "a".repeat(100_000));
    same!(ended.response()?.header("content-encoding"), None);
    let length = ended.events.iter().find_map(|event| match event {
        Event::Head { content_length, .. } => Some(*content_length),
        _ => None,
    });
    same!(length, Some(None));
    Ok(())
}

async fn a_large_response_to_a_large_upload(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/bytes?count=3000000").body(large())).await?;
    let body = ended.response()?.body();
    same!(body.len(), 3_000_000);
    let wrong = body
        .iter()
        .enumerate()
        .find(|(at, byte)| usize::from(**byte) != at % (251 * 256) % 251);
    same!(wrong, None);
    let moved = ended.response()?.transferred();
    same!((moved.sent, moved.received), (100_000, 3_000_000));
    Ok(())
}

async fn a_cut_response_to_a_large_upload_is_an_error(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/cut").body(large())).await?;
    same!(error_of(&ended)?, ErrorKind::Network(NetworkFault::Broken));
    Ok(())
}

async fn limits_hold_for_the_response_to_a_large_upload(_: Rc<Env>) -> Outcome {
    // One whose length is announced, and one that would never end.
    for path in ["/bytes?count=300000", "/endless"] {
        let request = Request::post(path).body(large()).max_body(50_000);
        let limit = ErrorKind::Limit(Limit::BodyBytes(50_000));
        same!(error_of(&fetch(request).await?)?, limit);
    }
    Ok(())
}

async fn a_large_upload_is_retried(_: Rc<Env>) -> Outcome {
    let mut retries = RetryPolicy::standard();
    retries.non_idempotent = true;
    let url = format!("/flaky?fails=1&key={}", key("upload"));
    let mut agent = Agent::new();
    let ended = drive(
        &mut agent,
        Request::post(url).body(large()).retries(retries),
    )
    .await?;
    same!(ended.text()?, "after 2");
    same!(ended.response()?.attempts(), 2);
    Ok(())
}
