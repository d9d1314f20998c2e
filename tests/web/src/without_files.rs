//! Pages without an origin private file system, and browsers without one: every call about files says so.

use std::rc::Rc;

use httpoll::error::DiskFault;
use httpoll::{Download, Error, ErrorKind, Request, opfs};
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

use crate::harness::{Env, Outcome, fetch};
use crate::inner_page::Frame;
use crate::{cases, holds, same};

cases![
    a_page_that_is_not_secure_has_no_files,
    a_browser_without_files_says_so,
];

const PATH: &str = "test/nowhere.bin";

fn js(error: JsValue) -> String {
    format!("{error:?}")
}

/// Downloads, which a worker writes.
async fn downloads_fail() -> Outcome {
    for download in [
        Download::to(PATH),
        // Looks for the file first.
        Download::to(PATH).sha256([7; 32]).skip_existing(true),
    ] {
        let ended = fetch(Request::get("/hello").download_to(download)).await?;
        let kind = ErrorKind::File(DiskFault::NoFileSystem);
        same!(*ended.error()?.kind(), kind);
    }
    says_so("write", opfs::write(PATH, b"x").await)
}

/// Files of earlier downloads, which the page itself reads.
async fn stored_files_fail() -> Outcome {
    says_so("read", opfs::read(PATH).await)?;
    says_so("file", opfs::file(PATH).await)?;
    says_so("remove", opfs::remove(PATH).await)
}

fn says_so<T>(call: &str, result: Result<T, Error>) -> Outcome {
    let error = result.err().ok_or(format!("{call} succeeds"))?;
    let kind = ErrorKind::File(DiskFault::NoFileSystem);
    same!((call, error.kind()), (call, &kind));
    let text = error.to_string();
    holds!(text.contains("https") && text.contains(PATH), "{text}");
    Ok(())
}

/// In a browser that has files, the page of this case loses them: it still has `navigator.storage`, as in WebKitGTK.
async fn a_browser_without_files_says_so(env: Rc<Env>) -> Outcome {
    if env.lacks("files") {
        downloads_fail().await?;
        return stored_files_fail().await;
    }
    let manager = Reflect::get(&js_sys::global(), &"StorageManager".into()).map_err(js)?;
    let prototype = Reflect::get(&manager, &"prototype".into()).map_err(js)?;
    let name = JsValue::from("getDirectory");
    let method = Reflect::get(&prototype, &name).map_err(js)?;
    holds!(method.is_function(), "the browser has no files");
    Reflect::delete_property(prototype.unchecked_ref::<js_sys::Object>(), &name).map_err(js)?;
    let outcome = stored_files_fail().await;
    Reflect::set(&prototype, &name, &method).map_err(js)?;
    outcome
}

/// A page that came by `http` from another host than loopback has no origin private file system. This case runs again
/// in such a page, a frame inside of this one, whose report the server keeps.
async fn a_page_that_is_not_secure_has_no_files(_: Rc<Env>) -> Outcome {
    let window = web_sys::window().ok_or("no window")?;
    let location = window.location();
    let host = location.hostname().map_err(js)?;
    if host == "insecure.test" {
        downloads_fail().await?;
        return stored_files_fail().await;
    }
    let port = location.port().map_err(js)?;
    let origin = format!("http://insecure.test:{port}");
    let only = "a_page_that_is_not_secure_has_no_files";
    Frame::open(&origin, "", None, only)?.outcome().await
}
