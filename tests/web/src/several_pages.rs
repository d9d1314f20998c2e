//! Several pages of one origin, which share their files: one that is closed in the middle, and two at the same time.

use std::rc::Rc;
use std::time::Duration;

use httpoll::clock::Instant;
use httpoll::error::DiskFault;
use httpoll::{Agent, Download, ErrorKind, Request, opfs};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::harness::{Env, Outcome, drive, fetch, frame, key};
use crate::inner_page::{Frame, is_framed, own_origin, parameter};
use crate::{cases, holds, same};

cases![
    ; "files" =>
    a_download_of_a_closed_page_is_continued_at_once,
    a_file_stays_if_another_page_opens_the_new_one,
];

/// Its first response stops in the middle.
fn url(name: &str) -> String {
    format!("/ranged?count=1000&stall=400&key={name}")
}

fn download(path: &str) -> Download {
    Download::to(path).resume(true).keep_partial(true)
}

/// A page begins a download, another one waits for the same file, and gets it as soon as the first is closed.
async fn a_download_of_a_closed_page_is_continued_at_once(_: Rc<Env>) -> Outcome {
    if is_framed() {
        let mut agent = Agent::new();
        let name = parameter("name").ok_or("no name")?;
        let path = format!("test/{name}");
        drive(
            &mut agent,
            Request::get(url(&name)).download_to(download(&path)),
        )
        .await?;
        return Err("it was not closed".to_owned());
    }
    let name = key("closed");
    let path = format!("test/{name}");
    let only = "a_download_of_a_closed_page_is_continued_at_once";
    let inner = Frame::open(&own_origin()?, &format!("name={name}"), None, only)?;
    let began = Instant::now();
    loop {
        let sidecar = opfs::read(format!("{path}.part.json")).await;
        if sidecar.is_ok_and(|json| String::from_utf8_lossy(&json).contains("\"written\":400")) {
            break;
        }
        holds!(
            began.elapsed() < Duration::from_secs(20),
            "nothing was written"
        );
        frame().await;
    }
    let ended = fetch(Request::get(url(&name)).download_to(download(&path))).await?;
    same!(
        *ended.error()?.kind(),
        ErrorKind::File(DiskFault::AlreadyInUse)
    );
    inner.close()?;
    let ended = fetch(Request::get(url(&name)).download_to(download(&path))).await?;
    same!(
        ended.response()?.saved().map(|saved| saved.bytes),
        Some(1000)
    );
    let ranges = fetch(Request::get(format!("/ranges?key={name}"))).await?;
    same!(ranges.json()?, serde_json::json!(["", "bytes=400-"]));
    let content = opfs::read(&path).await.map_err(|it| it.to_string())?;
    let wrong = content
        .iter()
        .enumerate()
        .find(|(at, byte)| usize::from(**byte) != at % 251);
    same!((content.len(), wrong), (1000, None));
    Ok(())
}

/// Calls the worker in a browser in which every new name fails, because another page has just opened the file.
const REPLACE: &str = r#"
    const stub = `FileSystemFileHandle.prototype.move = async () => {
        throw new DOMException("another page has it", "NoModificationAllowedError");
    };`;
    const url = URL.createObjectURL(new Blob([stub, script], { type: "text/javascript" }));
    return new Promise(resolve => {
        const worker = new Worker(url);
        worker.onmessage = ({ data }) => {
            worker.terminate();
            resolve(data.error ?? "no error");
        };
        worker.postMessage({ id: 1, call: "store", folders: ["test"], name, bytes: new Uint8Array([1]) });
    });
"#;

async fn a_file_stays_if_another_page_opens_the_new_one(_: Rc<Env>) -> Outcome {
    let name = key("stays");
    let path = format!("test/{name}");
    let written = opfs::write(&path, b"before").await;
    written.map_err(|error| error.to_string())?;
    let script = include_str!("../../../src/transport/disk/browser/worker.js");
    let replace = js_sys::Function::new_with_args("script, name", REPLACE);
    let promise = replace.call2(&JsValue::NULL, &script.into(), &name.into());
    let promise: js_sys::Promise = promise.map_err(|it| format!("{it:?}"))?.into();
    let error = JsFuture::from(promise)
        .await
        .map_err(|it| format!("{it:?}"))?;
    same!(
        error.as_string().as_deref(),
        Some("NoModificationAllowedError")
    );
    let content = opfs::read(&path).await.map_err(|it| it.to_string())?;
    same!(&content[..], b"before");
    Ok(())
}
