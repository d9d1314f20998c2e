//! [`HttpCacheFile`]: cached responses in a file, from one run to the next (RFC 9111).
//!
//! The file is read when the plugin is built and written when the app ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use httpoll::cache::HttpCache;

/// The file of the cache and its size; see
/// [`HttpollPlugin::cache`](crate::HttpollPlugin::cache).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCacheFile {
    /// The file. It is written when the app ends with [`AppExit`](bevy_app::AppExit), and by
    /// [`HttpAgent::save_cache`](crate::HttpAgent::save_cache). A damaged file is replaced.
    pub path: PathBuf,
    /// The most bytes of content to store. Default 32 MiB.
    pub max_bytes: usize,
}

impl HttpCacheFile {
    /// A cache in this file, with at most 32 MiB.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 32 * 1024 * 1024,
        }
    }

    /// Reads the file. The cache is empty if the file does not exist or is damaged.
    pub(crate) fn load(&self) -> CacheHandle {
        let cache = match std::fs::read(&self.path) {
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
        CacheHandle {
            path: self.path.clone(),
            cache: Arc::new(Mutex::new(cache)),
        }
    }
}

/// A cache and its file.
#[derive(Clone, Debug)]
pub(crate) struct CacheHandle {
    path: PathBuf,
    pub(crate) cache: Arc<Mutex<HttpCache>>,
}

impl CacheHandle {
    /// Writes the file, completely or not at all.
    pub(crate) fn save(&self) -> io::Result<()> {
        let bytes = self
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .to_bytes();
        if let Some(folder) = self.path.parent().filter(|it| *it != Path::new("")) {
            std::fs::create_dir_all(folder)?;
        }
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".new");
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, &self.path)
    }
}
