//! [`Body`]: where the content of a response comes from.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::exclusive::Exclusive;
use crate::server::files::{AssetBody, FileReader};
use crate::server::pipe::Pipe;
#[cfg(feature = "websocket")]
use crate::server::websocket::shared::Upgrade;

/// The source of the content.
pub(in crate::server) enum Body {
    Bytes(Bytes),
    Gathering(BytesMut),
    Reader(Exclusive<Box<dyn Read + Send>>, Option<u64>),
    /// In memory.
    Asset(AssetBody, Option<u64>),
    /// A file that the worker has to open.
    Path(PathBuf),
    /// A file that the worker reads.
    File(FileReader, Option<u64>),
    Pipe(Arc<Pipe>),
    #[cfg(feature = "websocket")]
    Upgrade(Box<Upgrade>),
}

impl Body {
    pub(super) fn none() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// Its length in bytes, if known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Gathering(bytes) => Some(bytes.len() as u64),
            Self::Reader(_, length) | Self::Asset(_, length) | Self::File(_, length) => *length,
            Self::Path(_) | Self::Pipe(_) => None,
            #[cfg(feature = "websocket")]
            Self::Upgrade(_) => None,
        }
    }

    /// The bytes, if they are in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Gathering(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Appends bytes. What was no bytes is replaced.
    pub(super) fn append(&mut self, content: &[u8]) {
        let mut gathering = match std::mem::replace(self, Self::none()) {
            Self::Gathering(gathering) => gathering,
            Self::Bytes(bytes) => BytesMut::from(bytes),
            _ => BytesMut::new(),
        };
        gathering.extend_from_slice(content);
        *self = Self::Gathering(gathering);
    }

    /// The same content, with gathered bytes ready to be sent.
    pub(super) fn complete(self) -> Self {
        match self {
            Self::Gathering(bytes) => Self::Bytes(bytes.freeze()),
            other => other,
        }
    }

    /// Takes out the path of a file that has to be opened.
    pub(super) fn take_path(&mut self) -> Option<PathBuf> {
        match std::mem::replace(self, Self::none()) {
            Self::Path(path) => Some(path),
            other => {
                *self = other;
                None
            }
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn take_upgrade(&mut self) -> Option<Upgrade> {
        match std::mem::replace(self, Self::none()) {
            Self::Upgrade(upgrade) => Some(*upgrade),
            other => {
                *self = other;
                None
            }
        }
    }
}
