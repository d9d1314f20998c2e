//! [`AssetSourceRoot`]: what Bevy's `AssetServer` loads, served over HTTP. Paths,
//! ranges, preconditions and types are judged by [`StaticFiles`](httpoll::server::files::StaticFiles); here
//! is only how a source of Bevy, whose readers are asynchronous, becomes an [`AssetRoot`], whose
//! calls are answered at once.

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
/// Requests are answered inside the frame, so only readers that are ready at once can be served: those
/// of memory are, and readers of packages that do not wait. What waits, as Bevy's reader of the disk
/// does with its feature `multi_threaded`, and any source over a network, is never waited for: its
/// assets are answered by 500, and the log says why, once for each root. For assets on the disk use
/// [`folder`](Self::folder), which sends them in pieces.
///
/// An asset is read whole and hashed for its entity tag at each request for it, also one for a range
/// or one that is answered by 304, since a source does not tell when an asset changed. So there is a
/// limit, see [`max_length`](Self::max_length); serve large assets by [`folder`](Self::folder) or by
/// `httpoll`'s `ArchiveRoot` or `EmbeddedRoot`. `.meta` files of memory are not served.
///
/// With `AssetMode::Processed` the processed assets are served, as the `AssetServer` loads them.
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
    /// The source of this name, such as `"embedded"`; [`AssetSourceId::Default`] for the one of paths
    /// without a name.
    ///
    /// Fails when no such source was registered.
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

    /// The longest asset that is read, in bytes. Default 8 MiB. Longer ones are answered by 500, and
    /// the log says why, once for each root.
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }

    /// The folder of the disk that `AssetPlugin::file_path` means, by default `assets`, beside the
    /// executable, the manifest or in `BEVY_ASSET_ROOT`. Bevy's `.meta` files in it are files like
    /// others. On Android assets are in no folder: serve the default source there.
    ///
    /// Fails when there is no such folder.
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

    /// Says once why assets of this source are not served.
    fn warn(&self, path: &AssetPath, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            log::warn!(
                "{} cannot be served out of {}, and maybe others: {error}",
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
            // A name that is not Unicode can be in no request.
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

/// The outcome of a future that is ready at the first poll. Others are dropped, which ends them.
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
                        "it is longer than {max_length} bytes; raise max_length, or serve it out of \
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
        "its reader waits, which a frame must not; for assets on the disk use AssetSourceRoot::folder",
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
