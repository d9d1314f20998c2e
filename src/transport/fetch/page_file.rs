//! Files of the page as the content of requests: a `Blob` or `File` that stays with the browser, which reads it while
//! it sends it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use web_sys::Blob;

thread_local! {
    /// The objects of the browser, which must not leave their thread, by their numbers.
    static BLOBS: RefCell<(u32, HashMap<u32, Blob>)> = RefCell::default();
}

/// A `Blob` or `File` that the page hands in, such as one that the player chose, as the content of a request. It is
/// not read into the memory of the program. Clones are the same file. Without a `Content-Type` of the request, the
/// browser sends that of the `Blob`.
///
/// It can be sent by the thread that made it; a request of another thread fails with
/// [`ErrorKind::RequestBody`](crate::ErrorKind::RequestBody).
///
/// ```ignore
/// let file: web_sys::File = input.files()?.get(0)?;
/// agent.send(Request::put("/save").body(PageFile::new(&file)))?;
/// ```
#[derive(Clone)]
pub struct PageFile(Arc<Registered>);

struct Registered {
    number: u32,
    length: u64,
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
        }))
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// `None` on another thread than that of [`new`](Self::new).
    pub(super) fn blob(&self) -> Option<Blob> {
        BLOBS.with_borrow(|(_, blobs)| blobs.get(&self.0.number).cloned())
    }
}

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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageFile({} bytes)", self.0.length)
    }
}
