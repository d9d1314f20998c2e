//! The `AssetReader` of `http://` and `https://`. It runs on Bevy's IO threads, sends each load through
//! a channel to the app, and receives the content through a bounded one.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender, TryRecvError};
use bevy_asset::io::{
    AssetReader, AssetReaderError, PathStream, Reader, ReaderNotSeekableError, SeekableReader,
};
use futures_core::Stream;
use futures_io::AsyncRead;
use httpoll::Bytes;

use crate::resources::others::{CountedLoad, LoadCount};

/// A reader's order for one asset.
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) path: PathBuf,
    pub(crate) pieces: Sender<Piece>,
    pub(crate) counted: CountedLoad,
}

/// A piece of content. The first piece stands for the head: it is empty, or says why there is no asset.
pub(crate) type Piece = Result<Bytes, AssetReaderError>;

/// How many pieces may wait for a loader before the request is paused.
const PIECES: usize = 8;

fn gone() -> AssetReaderError {
    AssetReaderError::Io(Arc::new(io::Error::other(
        "the app has no HttpollPlugin, or was dropped",
    )))
}

/// The asset source of one scheme.
pub(crate) struct HttpReader {
    pub(crate) scheme: &'static str,
    pub(crate) loads: Sender<Load>,
    pub(crate) count: LoadCount,
}

impl AssetReader for HttpReader {
    async fn read<'a>(&'a self, path: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        let (sender, pieces) = async_channel::bounded(PIECES);
        let Some(text) = path.to_str() else {
            return Err(AssetReaderError::NotFound(path.to_path_buf()));
        };
        let load = Load {
            url: format!("{}://{}", self.scheme, text.replace('\\', "/")),
            path: path.to_path_buf(),
            pieces: sender,
            counted: self.count.begin(),
        };
        self.loads.send(load).await.map_err(|_| gone())?;
        let first = pieces.recv().await.map_err(|_| gone())??;
        Ok(PieceReader {
            pieces: Box::pin(pieces),
            current: first,
        })
    }

    async fn read_meta<'a>(&'a self, path: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        Err::<PieceReader, _>(AssetReaderError::NotFound(path.to_path_buf()))
    }

    async fn read_directory<'a>(
        &'a self,
        path: &'a Path,
    ) -> Result<Box<PathStream>, AssetReaderError> {
        Err(AssetReaderError::NotFound(path.to_path_buf()))
    }

    async fn is_directory<'a>(&'a self, _: &'a Path) -> Result<bool, AssetReaderError> {
        Ok(false)
    }
}

/// Reads content while it arrives.
struct PieceReader {
    pieces: Pin<Box<Receiver<Piece>>>,
    current: Bytes,
}

impl AsyncRead for PieceReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while self.current.is_empty() {
            let next = match self.pieces.try_recv() {
                Ok(piece) => Some(piece),
                Err(TryRecvError::Closed) => None,
                Err(TryRecvError::Empty) => {
                    ready!(self.pieces.as_mut().poll_next(context))
                }
            };
            match next {
                None => return Poll::Ready(Ok(0)),
                Some(Ok(bytes)) => self.current = bytes,
                Some(Err(AssetReaderError::Io(error))) => {
                    return Poll::Ready(Err(io::Error::new(error.kind(), error)));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Poll::Ready(Ok(count))
    }
}

impl Reader for PieceReader {
    fn seekable(&mut self) -> Result<&mut dyn SeekableReader, ReaderNotSeekableError> {
        Err(ReaderNotSeekableError)
    }
}
