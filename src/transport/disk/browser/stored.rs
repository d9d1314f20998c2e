//! Finished files of the origin private file system, by their names.

use std::path::Path;

use bytes::Bytes;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{FileSystemDirectoryHandle, FileSystemFileHandle};

use super::storage::{self, Call, Place, fault};
use crate::error::{DiskFault, DiskStep, Error, ErrorKind};

/// A file as the browser's `File`, which a page can save, play or show: for example with `URL.createObjectURL`.
/// Nothing is read yet. The path is the target of the download, or
/// [`SavedFile::path`](crate::agent::SavedFile::path).
///
/// # Errors
///
/// [`ErrorKind::File`] if there is no such file, or if the page has no file system.
pub async fn file(path: impl AsRef<Path>) -> Result<web_sys::File, Error> {
    let path = path.as_ref();
    find(path).await.map_err(about(path))
}

/// The content of a file.
///
/// # Errors
///
/// As [`file`], and if the file was changed while it was read.
pub async fn read(path: impl AsRef<Path>) -> Result<Bytes, Error> {
    let path = path.as_ref();
    let file = find(path).await.map_err(about(path))?;
    let buffer = JsFuture::from(file.array_buffer()).await;
    let buffer = buffer.map_err(|error| about(path)(named(&error, DiskStep::Read)))?;
    Ok(Uint8Array::new(&buffer).to_vec().into())
}

/// Writes a file as a whole: until it is written, a file of this name stays as it is. Folders are made.
///
/// # Errors
///
/// [`ErrorKind::File`], with [`DiskFault::QuotaExceeded`] if the origin may not store more.
pub async fn write(path: impl AsRef<Path>, content: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    let stored = async {
        let place = Place::of(path)?;
        let call = Call::new("store").at(&place);
        call.send_with(content, DiskStep::Write).await
    };
    stored.await.map(drop).map_err(about(path))
}

/// Removes a file. Of a download that is unfinished it removes nothing.
///
/// # Errors
///
/// [`ErrorKind::File`] if there is no such file, or if a download is writing it.
pub async fn remove(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let removed = async {
        let place = Place::of(path)?;
        let folder = folder(&place).await?;
        let removed = JsFuture::from(folder.remove_entry(&place.name)).await;
        removed.map_err(|error| named(&error, DiskStep::Remove))
    };
    removed.await.map(drop).map_err(about(path))
}

fn about(path: &Path) -> impl Fn(DiskFault) -> Error {
    move |fault| Error::new(ErrorKind::File(fault)).about_file(path)
}

async fn find(path: &Path) -> Result<web_sys::File, DiskFault> {
    let place = Place::of(path)?;
    let folder = folder(&place).await?;
    let handle = JsFuture::from(folder.get_file_handle(&place.name)).await;
    let handle: FileSystemFileHandle = handle
        .map_err(|error| named(&error, DiskStep::Open))?
        .unchecked_into();
    let file = JsFuture::from(handle.get_file()).await;
    let file = file.map_err(|error| named(&error, DiskStep::Open))?;
    Ok(file.unchecked_into())
}

async fn folder(place: &Place) -> Result<FileSystemDirectoryHandle, DiskFault> {
    let storage = storage::get(&storage::get(&js_sys::global(), "navigator"), "storage");
    // Pages that are neither https nor on loopback have no `storage`, and WebKitGTK has one without a file system.
    let has_files = storage::get(&storage, "getDirectory").is_function();
    let Some(storage) = storage
        .dyn_ref::<web_sys::StorageManager>()
        .filter(|_| has_files)
    else {
        return Err(DiskFault::NoFileSystem);
    };
    // Private windows of Firefox and Safari refuse it, each with an error of its own.
    let root = JsFuture::from(storage.get_directory()).await;
    let mut folder: FileSystemDirectoryHandle = root
        .map_err(|error| match named(&error, DiskStep::Open) {
            DiskFault::QuotaExceeded => DiskFault::QuotaExceeded,
            _ => DiskFault::NoFileSystem,
        })?
        .unchecked_into();
    for name in &place.folders {
        let next = JsFuture::from(folder.get_directory_handle(name)).await;
        folder = next
            .map_err(|error| named(&error, DiskStep::Open))?
            .unchecked_into();
    }
    Ok(folder)
}

fn named(error: &JsValue, step: DiskStep) -> DiskFault {
    let name = storage::get(error, "name").as_string();
    fault(&name.unwrap_or_default(), step)
}
