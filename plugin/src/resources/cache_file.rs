//! [`HttpCacheFile`]: cached responses in a file, from one run to the next (RFC 9111).
//!
//! The file is read when the plugin is built. A thread writes it during the run, and the app when it ends. In a page
//! the file is one of the origin private file system, and tasks of the browser read and write it.

use std::io;
#[cfg(not(target_family = "wasm"))]
use std::io::Write;
#[cfg(not(target_family = "wasm"))]
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use httpoll::cache::{CacheSnapshot, HttpCache};

/// The file of the cache and its size; see
/// [`HttpollPlugin::cache`](crate::HttpollPlugin::cache).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCacheFile {
    /// The file. In a page it is one of the origin private file system: it is read within the first frames, and is
    /// not used if a response was stored before that. It is written during the run, when the app ends with [`AppExit`](bevy_app::AppExit), and by
    /// [`HttpAgent::save_cache`](crate::HttpAgent::save_cache). A damaged file is replaced.
    pub path: PathBuf,
    /// How often a thread writes the file during the run, if the cache has changed, so that a crash loses
    /// little. Default 30 s. [`Duration::MAX`] writes it only at the end.
    pub save_interval: Duration,
    /// The most bytes of content to store. Default 32 MiB.
    pub max_bytes: usize,
}

impl HttpCacheFile {
    /// A cache in this file, with at most 32 MiB.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            save_interval: Duration::from_secs(30),
            max_bytes: 32 * 1024 * 1024,
        }
    }

    /// Reads the file. The cache is empty if the file does not exist or is damaged.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn load(&self) -> CacheHandle {
        let cache = match read(&self.path) {
            Ok(bytes) => HttpCache::from_bytes(&bytes, Some(self.max_bytes)).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(HttpCache::with_max_bytes(self.max_bytes))
            }
            Err(_) => None,
        };
        let cache = cache.unwrap_or_else(|| {
            log::warn!(
                "the HTTP cache {} cannot be read and will be replaced",
                self.path.display()
            );
            HttpCache::with_max_bytes(self.max_bytes)
        });
        self.handle(cache)
    }

    fn handle(&self, cache: HttpCache) -> CacheHandle {
        CacheHandle {
            path: Arc::new(Mutex::new(self.path.clone())),
            save_interval: self.save_interval,
            saved: Arc::new(AtomicU64::new(cache.revision())),
            cache: Arc::new(Mutex::new(cache)),
        }
    }

    /// Begins to read the file. Until it is read, the cache is empty.
    #[cfg(target_family = "wasm")]
    pub(crate) fn load(&self) -> CacheHandle {
        let handle = self.handle(HttpCache::with_max_bytes(self.max_bytes));
        let (loading, max_bytes) = (handle.clone(), self.max_bytes);
        let path = self.path.clone();
        wasm_bindgen_futures::spawn_local(async move {
            // Before the first visit the file does not exist.
            let Ok(bytes) = httpoll::opfs::read(&path).await else {
                return;
            };
            let Ok(loaded) = HttpCache::from_bytes(&bytes, Some(max_bytes)) else {
                log::warn!(
                    "the HTTP cache {} is damaged and will be replaced",
                    path.display()
                );
                return;
            };
            let mut cache = loading.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.is_empty() {
                loading.saved.store(loaded.revision(), Ordering::Relaxed);
                *cache = loaded;
            }
        });
        handle
    }
}

/// A cache and its file. Clones share both.
#[derive(Clone, Debug)]
pub(crate) struct CacheHandle {
    /// Locked while the file is written.
    path: Arc<Mutex<PathBuf>>,
    pub(crate) save_interval: Duration,
    /// The revision of the cache that was saved last.
    saved: Arc<AtomicU64>,
    pub(crate) cache: Arc<Mutex<HttpCache>>,
}

impl CacheHandle {
    /// Writes the file on this thread, completely or not at all. In a page it only begins to.
    #[cfg(target_family = "wasm")]
    pub(crate) fn save(&self) -> io::Result<()> {
        self.save_in_background();
        Ok(())
    }

    /// Writes the file on this thread, completely or not at all.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn save(&self) -> io::Result<()> {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner);
        let (revision, bytes) = {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            self.saved.store(cache.revision(), Ordering::Relaxed);
            (cache.revision(), cache.to_bytes())
        };
        let written = write(&path, &bytes);
        if written.is_err() {
            forget_saved(&self.saved, revision);
        }
        written
    }

    /// Writes the file on another thread if the cache has changed. Waits for nothing: while the cache is in
    /// use it does nothing.
    pub(crate) fn save_in_background(&self) {
        let Ok(cache) = self.cache.try_lock() else {
            return;
        };
        let revision = cache.revision();
        if self.saved.swap(revision, Ordering::Relaxed) == revision {
            return;
        }
        let snapshot = cache.snapshot();
        drop(cache);
        self.write_later(snapshot, revision);
    }

    #[cfg(target_family = "wasm")]
    fn write_later(&self, snapshot: CacheSnapshot, revision: u64) {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.clone();
        let saved = Arc::clone(&self.saved);
        wasm_bindgen_futures::spawn_local(async move {
            if let Err(error) = httpoll::opfs::write(&path, &snapshot.to_bytes()).await {
                forget_saved(&saved, revision);
                log::warn!("the HTTP cache was not saved: {error}");
            }
        });
    }

    #[cfg(not(target_family = "wasm"))]
    fn write_later(&self, snapshot: CacheSnapshot, revision: u64) {
        let path = Arc::clone(&self.path);
        let saved = Arc::clone(&self.saved);
        let started = std::thread::Builder::new()
            .name("httpoll-cache".to_owned())
            .spawn(move || {
                let path = path.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = write(&path, &snapshot.to_bytes()) {
                    forget_saved(&saved, revision);
                    log::warn!("the HTTP cache {} was not saved: {error}", path.display());
                }
            });
        if let Err(error) = started {
            log::warn!("the HTTP cache was not saved, because no thread could be started: {error}");
        }
    }
}

/// A revision that could not be saved is saved at the next occasion, unless a later one was saved meanwhile.
fn forget_saved(saved: &AtomicU64, revision: u64) {
    let _ = saved.compare_exchange(revision, !revision, Ordering::Relaxed, Ordering::Relaxed);
}

#[cfg(not(target_family = "wasm"))]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its other end, and reading a device may never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    std::fs::read(path)
}

#[cfg(not(target_family = "wasm"))]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|it| *it != Path::new("")) {
        std::fs::create_dir_all(folder)?;
    }
    let mut temporary = path.to_path_buf().into_os_string();
    temporary.push(".new");
    // Left by a crash, or planted; `create_new` follows no link.
    let _ = std::fs::remove_file(&temporary);
    let written = std::fs::File::create_new(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // On a full disk it would take the space of other files.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
