//! Downloads into the origin private file system.

use std::rc::Rc;
use std::time::Duration;

use httpoll::clock::Instant;
use httpoll::error::DiskFault;
use httpoll::{Agent, Download, ErrorKind, Event, Request, opfs};

use crate::harness::{Ended, Env, Outcome, drive, fetch, frame, key};
use crate::{cases, holds, same};

cases![
    a_path_without_a_name_is_an_error;
    "files" =>
    a_download_becomes_a_file_with_its_name,
    a_file_is_handed_to_the_page,
    a_download_replaces_a_file_only_when_it_is_complete,
    a_hash_is_checked,
    a_wrong_hash_leaves_no_file,
    a_length_is_checked,
    a_download_that_breaks_off_continues_in_the_same_request,
    a_later_request_resumes_what_was_kept,
    a_resumed_download_is_hashed_as_a_whole,
    what_is_written_is_recorded_while_a_server_stalls,
    a_cancelled_download_leaves_nothing,
    two_downloads_to_one_target_are_an_error,
    a_target_that_is_released_is_free_for_the_next_download,
    a_folder_is_no_target,
    a_file_that_is_there_is_not_downloaded_again,
    a_missing_file_is_an_error,
    a_download_of_16_mib_keeps_frames_short,
    the_plugin_downloads_a_file;
    "quota" =>
    a_full_quota_has_its_own_error,
];

/// The SHA-256 of the first 1,000,000 bytes of `/ranged`.
const MILLION: &str = "2c030d49ec131bfbbb446ad21e7a2f12cdb4f2f4f3fda3ac709dd2e68a4646c7";

/// A name that no other case and no other run uses.
fn name(case: &str) -> String {
    format!("test/{}.bin", key(case))
}

fn ranged(count: usize, rest: &str) -> String {
    format!("/ranged?count={count}&{rest}")
}

async fn length(path: &str) -> Result<usize, String> {
    let read = opfs::read(path).await.map_err(|error| error.to_string())?;
    for (at, byte) in read.iter().enumerate() {
        same!((at, *byte as usize), (at, at % 251));
    }
    Ok(read.len())
}

async fn is_missing(path: &str) -> bool {
    let not_found = matches!(
        opfs::read(path).await.map_err(|error| error.kind().clone()),
        Err(ErrorKind::File(DiskFault::Io { kind, .. })) if kind == std::io::ErrorKind::NotFound
    );
    not_found
}

/// Waits until this file is gone: the end of a download that was dropped is nobody's to report.
async fn until_missing(path: &str) -> Outcome {
    let began = Instant::now();
    while !is_missing(path).await {
        holds!(
            began.elapsed() < Duration::from_secs(10),
            "{path} is still there"
        );
        frame().await;
    }
    Ok(())
}

fn disk_fault(ended: &Ended) -> Result<DiskFault, String> {
    match ended.error()?.kind() {
        ErrorKind::File(fault) => Ok(*fault),
        other => Err(format!("{other:?}")),
    }
}

async fn a_download_becomes_a_file_with_its_name(_: Rc<Env>) -> Outcome {
    let path = name("becomes");
    let request = Request::get(ranged(1_000_000, "")).download_to(Download::to(&*path));
    let ended = fetch(request).await?;
    let saved = ended.response()?.saved().ok_or("nothing was saved")?;
    same!(
        saved.path.to_string_lossy().into_owned(),
        format!("/{path}")
    );
    same!(saved.bytes, 1_000_000);
    same!(length(&path).await?, 1_000_000);
    holds!(is_missing(&format!("{path}.part")).await, "the part stays");
    opfs::remove(&path).await.map_err(|it| it.to_string())?;
    holds!(is_missing(&path).await, "it was not removed");
    Ok(())
}

async fn a_file_is_handed_to_the_page(_: Rc<Env>) -> Outcome {
    let path = name("handed");
    fetch(Request::get(ranged(5000, "")).download_to(Download::to(&*path)))
        .await?
        .response()?;
    let file = opfs::file(&path).await.map_err(|it| it.to_string())?;
    same!(file.size(), 5000.0);
    let url = web_sys::Url::create_object_url_with_blob(&file).map_err(|it| format!("{it:?}"))?;
    let window = web_sys::window().ok_or("no window")?;
    let response = wasm_bindgen_futures::JsFuture::from(window.fetch_with_str(&url)).await;
    let response: web_sys::Response = response.map_err(|it| format!("{it:?}"))?.into();
    same!(response.status(), 200);
    Ok(())
}

async fn a_download_replaces_a_file_only_when_it_is_complete(_: Rc<Env>) -> Outcome {
    let path = name("replaces");
    opfs::write(&path, b"before")
        .await
        .map_err(|it| it.to_string())?;
    let wrong = Download::to(&*path).expected_size(7);
    let ended = fetch(Request::get("/slow?count=8&pause=0").download_to(wrong)).await?;
    ended.error()?;
    same!(
        &opfs::read(&path).await.map_err(|it| it.to_string())?[..],
        b"before"
    );
    fetch(Request::get(ranged(300, "")).download_to(Download::to(&*path)))
        .await?
        .response()?;
    same!(length(&path).await?, 300);
    Ok(())
}

async fn a_hash_is_checked(_: Rc<Env>) -> Outcome {
    let path = name("hash");
    let plan = Download::to(&*path).sha256_hex(MILLION);
    let ended = fetch(Request::get(ranged(1_000_000, "")).download_to(plan)).await?;
    ended.response()?;
    same!(length(&path).await?, 1_000_000);
    Ok(())
}

async fn a_wrong_hash_leaves_no_file(_: Rc<Env>) -> Outcome {
    let path = name("wrong-hash");
    let plan = Download::to(&*path).sha256([7; 32]).keep_partial(true);
    let ended = fetch(Request::get(ranged(1000, "")).download_to(plan)).await?;
    let fault = disk_fault(&ended)?;
    holds!(
        matches!(fault, DiskFault::HashMismatch { expected, .. } if expected == [7; 32]),
        "{fault:?}"
    );
    until_missing(&format!("{path}.part")).await?;
    holds!(is_missing(&path).await, "a file with the wrong hash");
    Ok(())
}

async fn a_length_is_checked(_: Rc<Env>) -> Outcome {
    let path = name("length");
    let plan = Download::to(&*path).expected_size(999);
    let ended = fetch(Request::get(ranged(1000, "")).download_to(plan)).await?;
    let fault = DiskFault::SizeMismatch {
        expected: 999,
        found: 1000,
    };
    same!(disk_fault(&ended)?, fault);
    Ok(())
}

async fn a_download_that_breaks_off_continues_in_the_same_request(_: Rc<Env>) -> Outcome {
    let path = name("breaks");
    let key = key("breaks");
    let request = Request::get(ranged(1_000_000, &format!("cut=400000&key={key}")))
        .retries(httpoll::RetryPolicy::standard())
        .download_to(Download::to(&*path));
    let ended = fetch(request).await?;
    same!(
        ended.response()?.saved().map(|saved| saved.bytes),
        Some(1_000_000)
    );
    same!(length(&path).await?, 1_000_000);
    // The first request, then one for the rest.
    let asked = fetch(Request::get(format!("/ranges?key={key}"))).await?;
    let asked = asked.json()?;
    same!(asked[0], "");
    let second = asked[1].as_str().unwrap_or_default();
    holds!(second.starts_with("bytes="), "{asked:?}");
    holds!(second != "bytes=0-", "{asked:?}");
    Ok(())
}

async fn a_later_request_resumes_what_was_kept(_: Rc<Env>) -> Outcome {
    resumes("later", None).await
}

async fn a_resumed_download_is_hashed_as_a_whole(_: Rc<Env>) -> Outcome {
    resumes("hashed", Some(MILLION)).await
}

async fn resumes(case: &str, hash: Option<&str>) -> Outcome {
    let path = name(case);
    let url = ranged(1_000_000, &format!("cut=400000&key={}", key(case)));
    let plan = || {
        let plan = Download::to(&*path).resume(true).keep_partial(true);
        match hash {
            Some(hash) => plan.sha256_hex(hash),
            None => plan,
        }
    };
    let ended = fetch(Request::get(&*url).download_to(plan())).await?;
    ended.error()?;
    // Another agent, as in a later visit of the page.
    let ended = fetch(Request::get(&*url).download_to(plan())).await?;
    let saved = ended.response()?.saved().ok_or("nothing was saved")?;
    holds!(saved.resumed_from > 0, "it began again");
    same!(saved.bytes, 1_000_000);
    same!(length(&path).await?, 1_000_000);
    until_missing(&format!("{path}.part.json")).await
}

/// A kill of the page costs at most what came in the last 1.5 seconds.
async fn what_is_written_is_recorded_while_a_server_stalls(_: Rc<Env>) -> Outcome {
    let path = name("stalls");
    let sidecar = format!("{path}.part.json");
    let request = Request::get("/ranged?count=1000&stall=400&key=stalls")
        .download_to(Download::to(&*path).resume(true).keep_partial(true));
    let mut agent = Agent::new();
    let handle = agent.send(request).map_err(|it| it.to_string())?;
    let began = Instant::now();
    loop {
        agent.poll();
        while agent.next_event().is_some() {}
        if let Ok(json) = opfs::read(&sidecar).await
            && String::from_utf8_lossy(&json).contains("\"written\":400")
        {
            break;
        }
        holds!(
            began.elapsed() < Duration::from_secs(10),
            "the sidecar does not count what was written"
        );
        frame().await;
    }
    drop(handle);
    agent.poll();
    Ok(())
}

async fn a_cancelled_download_leaves_nothing(_: Rc<Env>) -> Outcome {
    let folder = format!("test/{}", key("cancelled"));
    let path = format!("{folder}/deep/file.bin");
    let mut agent = Agent::new();
    let request = Request::get("/slow?count=100&pause=0.05").download_to(Download::to(&*path));
    let handle = agent.send(request).map_err(|it| it.to_string())?;
    while is_missing(&format!("{path}.part")).await {
        agent.poll();
        frame().await;
    }
    drop(handle);
    agent.poll();
    until_missing(&format!("{path}.part")).await?;
    let root = format!("{folder}/deep");
    let began = Instant::now();
    // The folders go, too, so that the name is free for a file.
    while opfs::write(&folder, b"x").await.is_err() {
        holds!(began.elapsed() < Duration::from_secs(10), "{root} stays");
        frame().await;
    }
    Ok(())
}

async fn two_downloads_to_one_target_are_an_error(_: Rc<Env>) -> Outcome {
    let path = name("twice");
    let mut agent = Agent::new();
    let first = Request::get("/slow?count=20&pause=0.05").download_to(Download::to(&*path));
    let first = agent.send(first).map_err(|it| it.to_string())?;
    let second = Request::get(ranged(10, "")).download_to(Download::to(&*path));
    let ended = drive(&mut agent, second).await?;
    same!(disk_fault(&ended)?, DiskFault::AlreadyInUse);
    drop(first);
    agent.poll();
    Ok(())
}

async fn a_target_that_is_released_is_free_for_the_next_download(_: Rc<Env>) -> Outcome {
    let path = name("released");
    let mut agent = Agent::new();
    let first = Request::get("/slow?count=1000&pause=0.05").download_to(Download::to(&*path));
    let first = agent.send(first).map_err(|it| it.to_string())?;
    for _ in 0..10 {
        agent.poll();
        frame().await;
    }
    drop(first);
    agent.poll();
    let second = Request::get(ranged(10, "")).download_to(Download::to(&*path));
    drive(&mut agent, second).await?.response()?;
    same!(length(&path).await?, 10);
    Ok(())
}

async fn a_path_without_a_name_is_an_error(_: Rc<Env>) -> Outcome {
    for path in ["", "/", "a/.."] {
        let ended = fetch(Request::get("/hello").download_to(Download::to(path))).await?;
        same!(disk_fault(&ended)?, DiskFault::NoFileName);
    }
    Ok(())
}

async fn a_folder_is_no_target(_: Rc<Env>) -> Outcome {
    let folder = format!("test/{}", key("folder"));
    let inner = format!("{folder}/file");
    opfs::write(&inner, b"x")
        .await
        .map_err(|it| it.to_string())?;
    let ended = fetch(Request::get("/hello").download_to(Download::to(&*folder))).await?;
    same!(disk_fault(&ended)?, DiskFault::NotAFile);
    Ok(())
}

async fn a_file_that_is_there_is_not_downloaded_again(_: Rc<Env>) -> Outcome {
    let path = name("there");
    let key = key("there");
    for is_unchanged in [false, true] {
        let plan = Download::to(&*path).sha256_hex(MILLION).skip_existing(true);
        let request = Request::get(ranged(1_000_000, &format!("key={key}")));
        let ended = fetch(request.download_to(plan)).await?;
        let saved = ended.response()?.saved().ok_or("nothing was saved")?;
        same!(saved.is_unchanged, is_unchanged);
    }
    let asked = fetch(Request::get(format!("/ranges?key={key}"))).await?;
    same!(asked.json()?.as_array().map(Vec::len), Some(1));
    Ok(())
}

async fn a_missing_file_is_an_error(_: Rc<Env>) -> Outcome {
    holds!(is_missing("nowhere/file").await, "found a file");
    let error = opfs::file("nowhere/file").await.err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    holds!(text.contains("nowhere/file"), "{text}");
    Ok(())
}

/// The server knows how to set a quota in this browser.
async fn a_full_quota_has_its_own_error(_: Rc<Env>) -> Outcome {
    let path = name("quota");
    let set = async |bytes: &str| fetch(Request::get(format!("/quota?bytes={bytes}"))).await;
    same!(set("2000000").await?.text()?, "set");
    let plan = Download::to(&*path).keep_partial(true);
    let ended = fetch(Request::get(ranged(8_000_000, "")).download_to(plan)).await;
    same!(set("").await?.text()?, "set");
    let ended = ended?;
    same!(disk_fault(&ended)?, DiskFault::QuotaExceeded);
    let text = ended.error()?.to_string();
    holds!(text.contains("lets this origin store no more"), "{text}");
    // Kept, it would leave no space for anything else.
    until_missing(&format!("{path}.part")).await
}

async fn a_download_of_16_mib_keeps_frames_short(_: Rc<Env>) -> Outcome {
    const BYTES: usize = 16 * 1024 * 1024;
    let path = name("large");
    let mut agent = Agent::new();
    let request = Request::get(ranged(BYTES, "")).download_to(
        Download::to(&*path)
            .sha256_hex("287507f403176f1f5b22b9a4d9cb49f7d7f88ac19e406b5ae87ce109564846bd"),
    );
    let handle = agent.send(request).map_err(|it| it.to_string())?;
    let mut frames = Vec::new();
    let mut last = Instant::now();
    loop {
        agent.poll();
        let mut is_done = false;
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { .. } => is_done = true,
                Event::Failed { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
        if is_done {
            break;
        }
        frame().await;
        frames.push(last.elapsed());
        last = Instant::now();
    }
    handle.detach();
    frames.sort();
    let median = frames[frames.len() / 2];
    crate::harness::figure(format!(
        "16 MiB into a file, hashed: {} frames, half of them within {:.1} ms, the longest {:.1} ms",
        frames.len(),
        median.as_secs_f64() * 1000.0,
        frames.last().copied().unwrap_or_default().as_secs_f64() * 1000.0,
    ));
    holds!(
        median < Duration::from_millis(50),
        "half of the frames take more than {median:?}"
    );
    let file = opfs::file(&path).await.map_err(|it| it.to_string())?;
    same!(file.size(), BYTES as f64);
    opfs::remove(&path).await.map_err(|it| it.to_string())?;
    Ok(())
}

async fn the_plugin_downloads_a_file(_: Rc<Env>) -> Outcome {
    use bevy_ecs::prelude::*;
    use bevy_httpoll::prelude::*;

    #[derive(Resource, Default)]
    struct Saved(Option<u64>);

    let path = name("plugin");
    let mut app = bevy_app::App::new();
    app.add_plugins(HttpollPlugin::default())
        .init_resource::<Saved>()
        .add_observer(|on: On<HttpResponse>, mut saved: ResMut<Saved>| {
            saved.0 = on.response.saved().map(|saved| saved.bytes);
        });
    app.world_mut()
        .spawn((HttpRequest::get(ranged(1000, "")), HttpDownload::to(&*path)));
    let began = Instant::now();
    while app.world().resource::<Saved>().0.is_none() {
        holds!(
            began.elapsed() < Duration::from_secs(10),
            "nothing was saved"
        );
        app.update();
        frame().await;
    }
    same!(app.world().resource::<Saved>().0, Some(1000));
    same!(length(&path).await?, 1000);
    Ok(())
}
