//! The content to send. A request has one content: a second one fails with
//! [`Misuse::ConflictingContent`].

use std::path::PathBuf;

use bytes::Bytes;
use serde_core::Serialize;

use super::Request;
use crate::agent::content::Content;
use crate::connection::RequestBody;
use crate::error::{Error, Misuse};

impl<S> Request<S> {
    /// Sends this content as it is: bytes, or a [`RequestBody::reader`]. No `Content-Type` is added.
    pub fn body(self, body: impl Into<RequestBody>) -> Self {
        self.with_content(Content::raw(body.into()))
    }

    /// Sends this text as `text/plain; charset=utf-8`, unless a `Content-Type` is set.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with_content(Content::typed(
            "text/plain; charset=utf-8",
            Bytes::from(text.into()),
        ))
    }

    /// Sends this value as JSON (RFC 8259), as `application/json` unless a `Content-Type` is set.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.with_content(Content::typed("application/json", json.into())),
            Err(error) => self.failing(Error::from(Misuse::InvalidContent).with_source(error)),
        }
    }

    /// Sends a form of names and values; a name may repeat. It is sent as
    /// `application/x-www-form-urlencoded`, unless [`header`](Self::header) sets a `Content-Type` of
    /// `application/json` (then as a JSON object of strings) or `multipart/form-data`. Several calls add to
    /// the same form.
    pub fn form<N: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        match &mut self.parts.content {
            Content::None => {
                self.parts.content = Content::Form {
                    pairs: pairs.collect(),
                    files: Vec::new(),
                };
                self
            }
            Content::Form { pairs: present, .. } => {
                present.extend(pairs);
                self
            }
            _ => self.failing(Misuse::ConflictingContent.into()),
        }
    }

    /// Adds a file to the form, which is then always sent as `multipart/form-data`.
    #[cfg(feature = "multipart")]
    pub fn form_file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let file = (name.into(), path.into());
        match &mut self.parts.content {
            Content::None => {
                self.parts.content = Content::Form {
                    pairs: Vec::new(),
                    files: vec![file],
                };
                self
            }
            Content::Form { files, .. } => {
                files.push(file);
                self
            }
            _ => self.failing(Misuse::ConflictingContent.into()),
        }
    }

    /// Sends a form with files as `multipart/form-data` (RFC 7578), streamed from disk.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, form: crate::semantics::multipart::Form) -> Self {
        self.with_content(Content::multipart(form))
    }

    /// Sends a file, streamed from disk by a worker thread. `Content-Length` is its size; `Content-Type` is
    /// `application/octet-stream` unless set.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.with_content(Content::File(path.into()))
    }

    fn with_content(mut self, content: Content) -> Self {
        if !matches!(self.parts.content, Content::None) {
            return self.failing(Misuse::ConflictingContent.into());
        }
        self.parts.content = content;
        self
    }
}
