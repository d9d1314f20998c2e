//! Bevy's `AssetServer`: loading `http://` and `https://`, and serving its sources over HTTP.

pub(crate) mod plugin;
pub(crate) mod reader;
#[cfg(feature = "server")]
pub(crate) mod source_root;
