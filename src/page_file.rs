//! Files of the page as the content of requests: a `Blob` or `File` that stays with the browser, which reads it while
//! it sends it. How it is sent belongs to `transport::fetch`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasm_bindgen::JsCast;
use web_sys::{Blob, File};

thread_local! {
    /// The objects of the browser, which must not leave their thread, by their numbers.
    static BLOBS: RefCell<(u32, HashMap<u32, Blob>)> = RefCell::default();
}

/// A `Blob` or `File` that the page hands in, such as one that the player chose, as the content of a request or as a
/// part of a form. It is not read into the memory of the program. Clones are the same file.
///
/// As the whole content of a request without a `Content-Type`, the browser sends the type of the `Blob`.
///
/// It can be sent by the thread that made it; a request of another thread fails with
/// [`ErrorKind::RequestBody`](crate::ErrorKind::RequestBody).
///
/// ```ignore
/// let file = PageFile::new(&input.files()?.get(0)?); // of an `<input type=file>`
/// agent.send(Request::put("/save").body(file.clone()))?;
/// let form = Form::new().text("player", "Ada").page_file("replay", &file);
/// agent.send(Request::post("/replays").multipart(form))?;
/// ```
#[derive(Clone)]
pub struct PageFile(Arc<Registered>);

struct Registered {
    number: u32,
    length: u64,
    name: Option<String>,
    content_type: String,
}

impl PageFile {
    /// This `Blob` or `File`.
    pub fn new(blob: &Blob) -> Self {
        let number = BLOBS.with_borrow_mut(|(last, blobs)| {
            *last = last.wrapping_add(1);
            blobs.insert(*last, blob.clone());
            *last
        });
        Self(Arc::new(Registered {
            number,
            length: blob.size() as u64,
            name: blob.dyn_ref::<File>().map(File::name),
            content_type: blob.type_(),
        }))
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// The name of a `File`, without a path. A `Blob` has none.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Its content type, as the browser guesses it from the name; empty if it does not know.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// `None` on another thread than that of [`new`](Self::new).
    pub(crate) fn blob(&self) -> Option<Blob> {
        BLOBS.with_borrow(|(_, blobs)| blobs.get(&self.0.number).cloned())
    }
}

impl PartialEq for PageFile {
    /// Whether both are clones of the same `PageFile`.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PageFile {}

impl Drop for Registered {
    fn drop(&mut self) {
        // Fails while the thread ends, when nothing is left to remove.
        let _ = BLOBS.try_with(|blobs| {
            let removed = blobs.borrow_mut().1.remove(&self.number);
            drop(removed);
        });
    }
}

impl fmt::Debug for PageFile {
    /// Shows the length. The name may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageFile({} bytes)", self.0.length)
    }
}
