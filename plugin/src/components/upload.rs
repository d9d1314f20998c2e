//! [`HttpUpload`]: the request's content comes from files of the disk, or of the page in a browser.

use std::fmt;
use std::path::PathBuf;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "multipart")]
use httpoll::Bytes;
use httpoll::Request;
#[cfg(target_family = "wasm")]
use httpoll::page::PageFile;

#[cfg(feature = "multipart")]
use crate::components::content::Binary;

/// Sends files as the request's content. They are streamed from disk and never held in memory completely.
///
/// A page has no paths. There, `page_file` and `form_page_file` send what the player chose, as a
/// `httpoll::page::PageFile`, which stays with the browser.
///
/// The request must not have other content.
#[derive(Component, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[component(immutable)]
pub struct HttpUpload(Upload);

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
enum Upload {
    File(PathBuf),
    #[cfg(target_family = "wasm")]
    Page(OfPage),
    #[cfg(feature = "multipart")]
    Form(Vec<(String, Part)>),
}

#[cfg(feature = "multipart")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
enum Part {
    Text(String),
    File(PathBuf),
    Bytes(String, Binary),
    #[cfg(target_family = "wasm")]
    Page(OfPage),
}

/// A file of the page. No scene can save it.
#[cfg(target_family = "wasm")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
struct OfPage(PageFile);

impl HttpUpload {
    /// Sends this file. `Content-Type` is `application/octet-stream` unless the request sets it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Upload::File(path.into()))
    }

    /// Sends this file of the page, with its content type unless the request sets one.
    #[cfg(target_family = "wasm")]
    pub fn page_file(file: &PageFile) -> Self {
        Self(Upload::Page(OfPage(file.clone())))
    }

    /// Sends a form, `multipart/form-data` (RFC 7578), without parts yet.
    #[cfg(feature = "multipart")]
    pub fn form() -> Self {
        Self(Upload::Form(Vec::new()))
    }

    /// Adds a field to the form.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name.into(), Part::Text(value.into()))
    }

    /// Adds a file to the form.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_file(self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.part(name.into(), Part::File(path.into()))
    }

    /// Adds bytes to the form, as a file with this name.
    #[cfg(feature = "multipart")]
    #[must_use]
    pub fn form_bytes(
        self,
        name: impl Into<String>,
        filename: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        let part = Part::Bytes(filename.into(), Binary(content.into()));
        self.part(name.into(), part)
    }

    /// Adds a file of the page to the form, with its name and content type.
    #[cfg(all(target_family = "wasm", feature = "multipart"))]
    #[must_use]
    pub fn form_page_file(self, name: impl Into<String>, file: &PageFile) -> Self {
        self.part(name.into(), Part::Page(OfPage(file.clone())))
    }

    /// A single file that gets form parts becomes the part `file` of the form.
    #[cfg(feature = "multipart")]
    fn part(self, name: String, part: Part) -> Self {
        let mut parts = match self.0 {
            Upload::File(path) => vec![("file".to_owned(), Part::File(path))],
            #[cfg(target_family = "wasm")]
            Upload::Page(file) => vec![("file".to_owned(), Part::Page(file))],
            Upload::Form(parts) => parts,
        };
        parts.push((name, part));
        Self(Upload::Form(parts))
    }

    pub(crate) fn apply(&self, request: Request) -> Request {
        match &self.0 {
            Upload::File(path) => request.file(path.clone()),
            #[cfg(target_family = "wasm")]
            Upload::Page(file) => request.body(file.0.clone()),
            #[cfg(feature = "multipart")]
            Upload::Form(parts) => {
                let form = parts.iter().cloned().fold(
                    httpoll::multipart::Form::new(),
                    |form, (name, part)| match part {
                        Part::Text(value) => form.text(name, value),
                        Part::File(path) => form.file(name, path),
                        Part::Bytes(filename, content) => form.bytes(name, filename, content.0),
                        #[cfg(target_family = "wasm")]
                        Part::Page(file) => form.page_file(name, &file.0),
                    },
                );
                request.multipart(form)
            }
        }
    }
}

impl fmt::Debug for HttpUpload {
    /// Shows the kind, but no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Upload::File(path) => f.debug_tuple("HttpUpload").field(path).finish(),
            #[cfg(target_family = "wasm")]
            Upload::Page(file) => f.debug_tuple("HttpUpload").field(&file.0).finish(),
            #[cfg(feature = "multipart")]
            Upload::Form(parts) => write!(f, "HttpUpload(form of {} parts)", parts.len()),
        }
    }
}
