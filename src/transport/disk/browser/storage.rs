//! The calls of the worker that writes to the origin private file system: its start, one call with its result, and
//! what an error of the browser means. The worker itself is `worker.js`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path};
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, MessageEvent, Url, Worker};

use crate::error::{DiskFault, DiskStep};

/// What the worker runs.
const SCRIPT: &str = include_str!("worker.js");

thread_local! {
    /// The worker of this page, from its first file on.
    static WORKER: RefCell<Option<Rc<FileWorker>>> = const { RefCell::new(None) };
}

struct FileWorker {
    worker: Worker,
    /// Resolve the promises of the calls under way.
    waiting: Waiting,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(JsValue)>,
}

type Waiting = Rc<RefCell<HashMap<u32, Function>>>;

/// The arguments of a call.
pub(super) struct Call(Object);

impl Call {
    pub(super) fn new(name: &str) -> Self {
        Self(Object::new()).with("call", name)
    }

    pub(super) fn with(self, name: &str, value: impl Into<JsValue>) -> Self {
        // Fails only for frozen objects.
        let _ = Reflect::set(&self.0, &name.into(), &value.into());
        self
    }

    /// The folders and the name of a file.
    pub(super) fn at(self, place: &Place) -> Self {
        let folders: Array = place
            .folders
            .iter()
            .map(|it| JsValue::from_str(it))
            .collect();
        self.with("folders", folders).with("name", &*place.name)
    }

    /// The buffer of these bytes moves to the worker.
    pub(super) async fn send_with(
        self,
        bytes: &[u8],
        step: DiskStep,
    ) -> Result<JsValue, DiskFault> {
        let bytes = Uint8Array::from(bytes);
        let moved = Array::of1(&bytes.buffer());
        send(&self.with("bytes", bytes).0, &moved, step).await
    }

    pub(super) async fn send(self, step: DiskStep) -> Result<JsValue, DiskFault> {
        send(&self.0, &Array::new(), step).await
    }
}

async fn send(call: &Object, moved: &Array, step: DiskStep) -> Result<JsValue, DiskFault> {
    let worker = worker().map_err(|_| not_started())?;
    let promise = Promise::new(&mut |resolve, _| {
        let id = next_number();
        let _ = Reflect::set(call, &"id".into(), &id.into());
        worker.waiting.borrow_mut().insert(id, resolve);
    });
    let posted = worker.worker.post_message_with_transfer(call, moved);
    posted.map_err(|_| not_started())?;
    // It is never rejected.
    let reply = JsFuture::from(promise).await.unwrap_or_default();
    match get(&reply, "error").as_string() {
        Some(name) => Err(fault(&name, step)),
        None => Ok(get(&reply, "result")),
    }
}

/// A property; `undefined` if the object lacks it.
pub(super) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// A number that no other call or file of this page has.
pub(super) fn next_number() -> u32 {
    thread_local! {
        static NEXT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    NEXT.replace(NEXT.get().wrapping_add(1))
}

fn worker() -> Result<Rc<FileWorker>, JsValue> {
    if let Some(worker) = WORKER.with_borrow(Clone::clone) {
        return Ok(worker);
    }
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    let parts = Array::of1(&SCRIPT.into());
    let script = Blob::new_with_str_sequence_and_options(&parts, &kind)?;
    let url = Url::create_object_url_with_blob(&script)?;
    let worker = Worker::new(&url);
    let waiting = Waiting::default();
    let results = Rc::clone(&waiting);
    let on_message = Closure::new(move |event: MessageEvent| {
        let reply = event.data();
        let id = get(&reply, "id").as_f64().unwrap_or_default() as u32;
        if let Some(resolve) = results.borrow_mut().remove(&id) {
            let _ = resolve.call1(&JsValue::NULL, &reply);
        }
    });
    let results = Rc::clone(&waiting);
    let on_error = Closure::new(move |_: JsValue| {
        // The page's security policy forbids the script. The next file tries again.
        let reply = Object::new();
        let _ = Reflect::set(&reply, &"error".into(), &"NotStarted".into());
        WORKER.take();
        for (_, resolve) in results.borrow_mut().drain() {
            let _ = resolve.call1(&JsValue::NULL, &reply);
        }
    });
    let worker = worker?;
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let worker = Rc::new(FileWorker {
        worker,
        waiting,
        _on_message: on_message,
        _on_error: on_error,
    });
    WORKER.set(Some(Rc::clone(&worker)));
    Ok(worker)
}

fn not_started() -> DiskFault {
    DiskFault::io(
        DiskStep::StartWorker,
        &io::ErrorKind::PermissionDenied.into(),
    )
}

/// What the name of a browser's error means.
pub(super) fn fault(name: &str, step: DiskStep) -> DiskFault {
    let kind = match name {
        // With a setting WebKitGTK has the file system, but it cannot write in place.
        "NoFileSystem" | "NotSupportedError" => return DiskFault::NoFileSystem,
        "NotStarted" => return not_started(),
        "QuotaExceededError" => return DiskFault::QuotaExceeded,
        "NoModificationAllowedError" => return DiskFault::AlreadyInUse,
        "TypeMismatchError" => return DiskFault::NotAFile,
        // A name that the file system does not take.
        "TypeError" => io::ErrorKind::InvalidFilename,
        "NotFoundError" => io::ErrorKind::NotFound,
        "NotAllowedError" | "SecurityError" => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    DiskFault::io(step, &kind.into())
}

/// Where a file is: the names of its folders from the root, and its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folders: Vec<String>,
    pub(super) name: String,
}

impl Place {
    /// A relative path begins at the root, too.
    pub(super) fn of(path: &Path) -> Result<Self, DiskFault> {
        let mut folders = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => folders.push(name.to_string_lossy().into_owned()),
                Component::ParentDir => drop(folders.pop()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        let ends_in_name = matches!(path.components().next_back(), Some(Component::Normal(_)));
        let name = folders.pop().filter(|_| ends_in_name);
        let name = name.ok_or(DiskFault::NoFileName)?;
        Ok(Self { folders, name })
    }

    /// The absolute path.
    pub(super) fn path(&self) -> String {
        let folders = self.folders.iter().map(|folder| format!("/{folder}"));
        folders.chain([format!("/{}", self.name)]).collect()
    }
}
