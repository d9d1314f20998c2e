//! [`Form`] and [`Part`]: the parts of a form, before any of it is read. Reading the content
//! belongs to `body`.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::exclusive::Exclusive;
#[cfg(target_family = "wasm")]
use crate::page_file::PageFile;

/// A form to send as `multipart/form-data`: fields and files, in the given order. Names may repeat.
///
/// Nothing is opened or read before the request starts. A file is never held in memory as a whole.
///
/// ```
/// use httpoll::multipart::{Form, Part};
///
/// let form = Form::new()
///     .text("player", "Ada")
///     .file("replay", "replays/42.bin")
///     .bytes("thumbnail", "shot.png", &b"\x89PNG"[..])
///     .part("meta", Part::text("{}").content_type("application/json"));
/// assert!(format!("{form:?}").contains("replay"));
/// ```
#[derive(Default)]
pub struct Form {
    pub(super) parts: Vec<(String, Part)>,
}

impl Form {
    /// A form without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name, Part::text(value))
    }

    /// Adds a file, named after the last component of its path. The file name extension determines
    /// its content type.
    #[must_use]
    pub fn file(self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.part(name, Part::file(path))
    }

    /// Adds a file whose content is in memory. The file name extension determines its content type.
    #[must_use]
    pub fn bytes(
        self,
        name: impl Into<String>,
        filename: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        self.part(name, Part::bytes(content).filename(filename))
    }

    /// Adds a file whose content is read from a reader as the connection takes it. See
    /// [`Part::reader`].
    #[must_use]
    pub fn reader(
        self,
        name: impl Into<String>,
        filename: impl Into<String>,
        reader: impl Read + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        self.part(name, Part::reader(reader, length).filename(filename))
    }

    /// Adds a file of the page. See [`Part::page_file`].
    #[cfg(target_family = "wasm")]
    #[must_use]
    pub fn page_file(self, name: impl Into<String>, file: &PageFile) -> Self {
        self.part(name, Part::page_file(file))
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Self {
        self.parts.push((name.into(), part));
        self
    }

    /// Whether any part is a file that is named by its path.
    #[cfg(target_family = "wasm")]
    pub(crate) fn has_paths(&self) -> bool {
        let mut sources = self.parts.iter().map(|(_, part)| &part.source);
        sources.any(|source| matches!(source, Source::File(_)))
    }

    /// Whether any part is a file.
    pub(crate) fn has_files(&self) -> bool {
        self.parts.iter().any(|(_, part)| part.filename.is_some())
    }
}

impl fmt::Debug for Form {
    /// Shows names, but no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter().map(|(name, part)| (name, part));
        f.debug_map().entries(parts).finish()
    }
}

/// One part of a [`Form`]: a field, or a file when it has a file name.
pub struct Part {
    pub(super) source: Source,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
}

/// The source of a part's content.
pub(super) enum Source {
    Bytes(Bytes),
    File(PathBuf),
    Reader {
        reader: Exclusive<Box<dyn Read + Send>>,
        length: Option<u64>,
    },
    #[cfg(target_family = "wasm")]
    Page(PageFile),
}

impl Part {
    /// A text, sent as UTF-8. Line breaks are not changed.
    pub fn text(value: impl Into<String>) -> Self {
        Self::new(Source::Bytes(value.into().into()))
    }

    /// Bytes in memory.
    pub fn bytes(content: impl Into<Bytes>) -> Self {
        Self::new(Source::Bytes(content.into()))
    }

    /// A file, named after the last component of its path. It is opened when the request starts,
    /// which fails if the file cannot be opened or is not a regular file. A worker thread opens and reads
    /// it, so that `poll` never waits for the disk. The part has the length that the file had when it
    /// was opened. If the request is sent again, the file is opened again.
    pub fn file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let filename = path.file_name().unwrap_or_default().to_string_lossy();
        let filename = filename.into_owned();
        Self::new(Source::File(path.to_path_buf())).filename(filename)
    }

    /// Content from a reader, read as the connection takes it. If the `length` of any part is
    /// unknown, the whole form is sent chunked. Bytes after `length` are not read; a reader that
    /// ends earlier is an error.
    ///
    /// `read` is called from inside `poll`: see
    /// [`RequestBody::reader`](crate::node::RequestBody::reader). A form with such a part cannot be
    /// sent twice, so it cannot follow a redirect that needs the content again.
    pub fn reader(reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        Self::new(Source::Reader {
            reader: Exclusive::new(Box::new(reader)),
            length,
        })
    }

    /// A file that the page handed in, such as one that the player chose. It stays with the browser, which reads it
    /// while it sends the form. The part has its name and its content type; a `Blob` without a name is called
    /// `blob`, as in the browser's own forms. A form with such a part can be sent again.
    #[cfg(target_family = "wasm")]
    pub fn page_file(file: &PageFile) -> Self {
        let part = Self::new(Source::Page(file.clone())).filename(file.name().unwrap_or("blob"));
        match file.content_type() {
            "" => part,
            content_type => part.content_type(content_type),
        }
    }

    /// Makes this part a file with this name, without a path. Unless
    /// [`content_type`](Self::content_type) sets another content type, the extension determines it;
    /// unknown extensions give `application/octet-stream`.
    #[must_use]
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Sets the content type. If it is not a valid field value, the request fails.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            filename: None,
            content_type: None,
        }
    }
}

impl fmt::Debug for Part {
    /// Shows the source of the content, but not the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Bytes(bytes) => write!(f, "{} bytes", bytes.len())?,
            Source::File(path) => write!(f, "file {}", path.display())?,
            Source::Reader { length, .. } => write!(f, "reader of {length:?} bytes")?,
            #[cfg(target_family = "wasm")]
            Source::Page(file) => write!(f, "{file:?}")?,
        }
        match &self.filename {
            Some(filename) => write!(f, " as {filename:?}"),
            None => Ok(()),
        }
    }
}
