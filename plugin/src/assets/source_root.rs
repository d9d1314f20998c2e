//! [`AssetSourceRoot`]: serves over HTTP what Bevy's `AssetServer` loads.
//!
//! [`StaticFiles`](httpoll::server::files::StaticFiles) handles paths, ranges, preconditions and types.
//! This module only turns a Bevy asset source, whose readers are asynchronous, into an [`AssetRoot`],
//! whose calls return at once.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bevy_asset::io::file::FileAssetReader;
use bevy_asset::io::{
    AssetReaderError, AssetSourceId, ErasedAssetReader, MissingAssetSourceError, Reader,
};
use bevy_asset::{AssetServer, AssetServerMode};
use futures_core::Stream;
use futures_io::AsyncRead;
use httpoll::Bytes;
use httpoll::server::files::{Asset, AssetContent, AssetPath, AssetRoot, FolderRoot, Listed};

/// A source of Bevy's `AssetServer` as a root of [`StaticFiles`](httpoll::server::files::StaticFiles):
/// `embedded`, or one that was registered over memory or a package.
///
/// The server responds within the frame, so it can only serve sources whose readers are ready at once,
/// such as memory or a package in memory. A reader that waits is never waited for: its assets get status
/// 500, and the log names the reason once per root. Readers that wait are those of the disk with Bevy's
/// feature `multi_threaded`, and those of any network source. For assets on the disk use
/// [`folder`](Self::folder), which sends them in pieces.
///
/// A source does not report when an asset changed. So each request reads the whole asset and hashes it for
/// the entity tag, even for a range or a 304. [`max_length`](Self::max_length) limits this; serve large
/// assets from [`folder`](Self::folder), or from `httpoll`'s `ArchiveRoot` or `EmbeddedRoot`. `.meta` files
/// of memory sources are not served.
///
/// With `AssetMode::Processed` the server serves the processed assets, as the `AssetServer` loads them.
///
/// ```no_run
/// # use bevy_asset::AssetServer;
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// use bevy_httpoll::httpoll::server::files::StaticFiles;
///
/// fn listen(assets: Res<AssetServer>, mut commands: Commands) -> Result {
///     let embedded = AssetSourceRoot::new(&assets, "embedded")?;
///     let folder = AssetSourceRoot::folder("assets")?;
///     commands.spawn(HttpServer::bind("127.0.0.1:8080").with(move |server| {
///         server.files(StaticFiles::new("/embedded", embedded.clone()));
///         server.files(StaticFiles::new("/assets", folder.clone()));
///         Ok(())
///     }));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct AssetSourceRoot {
    assets: AssetServer,
    source: AssetSourceId<'static>,
    max_length: usize,
    has_warned: Arc<AtomicBool>,
}

impl AssetSourceRoot {
    /// The source with this name, such as `"embedded"`; [`AssetSourceId::Default`] for the default
    /// source.
    ///
    /// # Errors
    /// No source with this name is registered.
    pub fn new(
        assets: &AssetServer,
        source: impl Into<AssetSourceId<'static>>,
    ) -> Result<Self, MissingAssetSourceError> {
        let source = source.into();
        assets.get_source(&source)?;
        Ok(Self {
            assets: assets.clone(),
            source,
            max_length: 8 << 20,
            has_warned: Arc::default(),
        })
    }

    /// The longest asset to serve, in bytes. Default 8 MiB. Longer assets get status 500, and the log
    /// names the reason once per root.
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }

    /// The folder on the disk to which `AssetPlugin::file_path` refers, by default `assets`: next to the
    /// manifest or the executable, or in `BEVY_ASSET_ROOT`. It serves Bevy's `.meta` files as files. On
    /// Android assets are not in a folder: serve the default source there.
    ///
    /// # Errors
    /// The folder does not exist.
    pub fn folder(file_path: impl AsRef<Path>) -> io::Result<FolderRoot> {
        FolderRoot::new(FileAssetReader::get_base_path().join(file_path))
    }

    /// What the `AssetServer` would read from.
    fn reader(&self) -> io::Result<&dyn ErasedAssetReader> {
        let source = self
            .assets
            .get_source(&self.source)
            .map_err(io::Error::other)?;
        match self.assets.mode() {
            AssetServerMode::Unprocessed => Ok(source.reader()),
            AssetServerMode::Processed => source.processed_reader().map_err(io::Error::other),
        }
    }

    fn read(&self, path: &AssetPath) -> io::Result<Vec<u8>> {
        let mut reader = at_once(self.reader()?.read(Path::new(path.as_str())))??;
        read_whole(&mut *reader, self.max_length)
    }

    /// Logs once why assets of this source are not served.
    fn warn(&self, path: &AssetPath, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            log::warn!(
                "cannot serve {} from the asset source {}, and maybe others: {error}",
                path.as_str(),
                self.source
            );
        }
    }
}

impl AssetRoot for AssetSourceRoot {
    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        let content = self
            .read(path)
            .inspect_err(|error| self.warn(path, error))?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        Ok(Asset {
            length: u64::try_from(content.len()).map_err(io::Error::other)?,
            modified: None,
            etag: Some(format!("\"{:x}-{:016x}\"", content.len(), hasher.finish())),
            content: AssetContent::Bytes(Bytes::from(content)),
        })
    }

    fn is_dir(&self, path: &AssetPath) -> bool {
        self.reader()
            .is_ok_and(|reader| is_directory(reader, Path::new(path.as_str())))
    }

    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>> {
        let folder = Path::new(path.as_str());
        let reader = self.reader()?;
        let mut entries = at_once(reader.read_directory(folder))??;
        let mut listed = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while listed.len() < limit {
            let Poll::Ready(entry) = Pin::new(&mut entries).poll_next(&mut context) else {
                return Err(not_ready());
            };
            let Some(entry) = entry else { break };
            // No request can contain a name that is not Unicode.
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            listed.push(Listed {
                name: name.to_owned(),
                is_dir: is_directory(reader, &folder.join(name)),
            });
        }
        Ok(listed)
    }
}

impl fmt::Debug for AssetSourceRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetSourceRoot")
            .field("source", &self.source)
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

fn is_directory(reader: &dyn ErasedAssetReader, path: &Path) -> bool {
    matches!(at_once(reader.is_directory(path)), Ok(Ok(true)))
}

/// The outcome of a future that is ready at the first poll. Any other future is dropped.
fn at_once<T>(
    mut future: impl Future<Output = Result<T, AssetReaderError>> + Unpin,
) -> io::Result<io::Result<T>> {
    match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Ok(outcome.map_err(failure)),
        Poll::Pending => Err(not_ready()),
    }
}

fn read_whole(mut reader: &mut dyn Reader, max_length: usize) -> io::Result<Vec<u8>> {
    let mut context = Context::from_waker(Waker::noop());
    let mut content = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        match Pin::new(&mut reader).poll_read(&mut context, &mut piece) {
            Poll::Ready(Ok(0)) => return Ok(content),
            Poll::Ready(Ok(count)) if count <= max_length.saturating_sub(content.len()) => {
                content.extend(piece.iter().take(count));
            }
            Poll::Ready(Ok(_)) => {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!(
                        "it is longer than {max_length} bytes; raise max_length, or serve it from \
                         a folder or an archive"
                    ),
                ));
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => return Err(not_ready()),
        }
    }
}

fn not_ready() -> io::Error {
    io::Error::new(
        io::ErrorKind::WouldBlock,
        "its reader waits, and a frame must not; for assets on the disk use AssetSourceRoot::folder",
    )
}

fn failure(error: AssetReaderError) -> io::Error {
    match error {
        AssetReaderError::NotFound(_) | AssetReaderError::HttpError(404 | 410) => {
            io::ErrorKind::NotFound.into()
        }
        AssetReaderError::Io(error) => io::Error::new(error.kind(), error),
        error @ AssetReaderError::HttpError(_) => io::Error::other(error),
    }
}
