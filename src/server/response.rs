//! [`Response`]: what a handler sends. Framing, `Date` and `Connection` are added when it is sent. Setters
//! refuse values that no field may hold. `body` is the source of its content; `built_in` has the responses that the
//! server makes itself.

mod body;
mod built_in;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_core::Serialize;

use super::cookies::{InvalidSetCookie, SetCookie};
use super::files::{FileReader, content_type};
use super::pipe::Pipe;
use super::redirect::{InvalidRedirect, redirect_location};
#[cfg(feature = "websocket")]
use super::websocket::shared::Upgrade;
use crate::error::{Error, Misuse};
use crate::exclusive::Exclusive;
use crate::proto::FieldLines;
pub(super) use body::Body;

/// One response. The default is `200` without content; content without a `Content-Type` is sent as
/// `text/html; charset=utf-8`.
pub struct Response {
    status: StatusCode,
    reason: Option<String>,
    fields: FieldLines,
    body: Body,
    ended: bool,
}

impl Response {
    /// A `200` without content.
    pub fn new() -> Self {
        Self {
            status: StatusCode::OK,
            reason: None,
            fields: FieldLines::new(),
            body: Body::none(),
            ended: false,
        }
    }

    /// A response with this status and no content. A code that is not from 200 to 999 becomes `500`.
    pub fn status(code: u16) -> Self {
        let mut response = Self::new();
        response.set_status(code);
        response
    }

    /// Content of type `text/plain; charset=utf-8`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::content("text/plain; charset=utf-8", text.into())
    }

    /// Content of type `text/html; charset=utf-8`.
    pub fn html(html: impl Into<String>) -> Self {
        Self::content("text/html; charset=utf-8", html.into())
    }

    /// A value as content of type `application/json`. A value that cannot be written as JSON, such as a map
    /// whose keys are not text, becomes a response with status 500 and no content;
    /// [`set_json`](Self::set_json) returns the reason instead.
    ///
    /// ```
    /// use httpoll::server::Response;
    ///
    /// let response = Response::json(&vec![("Ada", 7), ("Bob", 5)]);
    /// assert_eq!(response.status_code(), 200);
    /// ```
    pub fn json(value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => Self::content("application/json", json),
            Err(_) => Self::status(500),
        }
    }

    /// Content of this media type. A media type that no field may hold becomes
    /// `application/octet-stream`.
    pub fn content(media_type: &str, content: impl Into<Bytes>) -> Self {
        let mut response = Self::new();
        if response.set_content_type(media_type).is_err() {
            // A valid field is never refused.
            let _ = response.set_content_type("application/octet-stream");
        }
        response.set_body(content);
        response
    }

    /// Content that is read while it is sent, a bounded piece at a time, in the polls of the server: a file, for
    /// example. With a length the reader must return that many bytes. Without one the content is sent in chunks.
    ///
    /// The reader must not block for long. A `WouldBlock` counts as a failure.
    pub fn reader(reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        let mut response = Self::new();
        response.body = Body::Reader(Exclusive::new(Box::new(reader)), length);
        response
    }

    /// A file on disk, with the media type of its name. A worker thread opens and reads it while it is sent, so
    /// that the frame never waits for the disk. It is an ordinary response:
    /// [`Server::files`](crate::server::Server::files) also has ranges, validators and safe paths.
    ///
    /// If there is no such file, or it cannot be opened or is not a regular file, the client gets a `500`, and
    /// `on_error` hooks get the reason.
    pub fn file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let mut response = Self::new();
        response.body = Body::Path(path.to_owned());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The types of the table are valid field values.
        let _ = response.set_content_type(&content_type(&name));
        response
    }

    /// A `302` to another URL or path. See [`redirect_with`](Self::redirect_with).
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] when `location` holds line breaks or other control characters.
    pub fn redirect(location: &str) -> Result<Self, Error> {
        Self::redirect_with(location, 302)
    }

    /// A redirect with a status from 300 to 399.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] as above; [`Misuse::WrongStatus`] for a status outside this range.
    pub fn redirect_with(location: &str, status: u16) -> Result<Self, Error> {
        let mut response = Self::new();
        response.set_redirect(location, status)?;
        Ok(response)
    }

    /// The status code.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Sets the status. Any code from 200 to 999 is sent, known or not. Other codes become `500`, because a
    /// final response cannot have them.
    pub fn set_status(&mut self, code: u16) -> &mut Self {
        self.status = StatusCode::from_u16(code)
            .ok()
            .filter(|status| status.as_u16() >= 200)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.reason = None;
        self
    }

    /// Sets a reason phrase other than the registered one. It has no meaning (RFC 9112 §4).
    pub fn set_reason(&mut self, reason: impl Into<String>) -> &mut Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets a field, in place of all field lines of this name.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] for CR, LF, NUL and everything else that no field may hold. The response is
    /// then unchanged.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<&mut Self, Error> {
        self.fields.set(name, value.as_ref())?;
        Ok(self)
    }

    /// Adds a field line. Field lines of the same name stay, in order. But a field that may occur only once, such
    /// as `Content-Type` or `Location`, is replaced (RFC 9110 §5.3).
    ///
    /// # Errors
    /// As [`set_header`](Self::set_header).
    pub fn append_header(
        &mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<&mut Self, Error> {
        self.fields.add(name, value)?;
        Ok(self)
    }

    /// Like [`append_header`](Self::append_header), but returns the response:
    /// `Response::text("a,b").with_header("Content-Type", "text/csv")?`.
    ///
    /// # Errors
    /// As [`set_header`](Self::set_header).
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        self.append_header(name, value)?;
        Ok(self)
    }

    /// The same response with another status.
    #[must_use]
    pub fn with_status(mut self, code: u16) -> Self {
        self.set_status(code);
        self
    }

    /// The field lines so far.
    pub fn headers(&self) -> &FieldLines {
        &self.fields
    }

    /// Replaces the `Content-Type`.
    ///
    /// # Errors
    /// As [`set_header`](Self::set_header).
    pub fn set_content_type(&mut self, media_type: &str) -> Result<&mut Self, Error> {
        self.set_header("Content-Type", media_type)
    }

    /// Replaces the content.
    pub fn set_body(&mut self, content: impl Into<Bytes>) -> &mut Self {
        self.body = Body::Bytes(content.into());
        self
    }

    /// Appends to the content. Content that is read or streamed is replaced by bytes.
    pub fn write(&mut self, content: impl AsRef<[u8]>) -> &mut Self {
        self.body.append(content.as_ref());
        self
    }

    /// Makes this a JSON response, whatever it was before.
    ///
    /// # Errors
    /// [`Misuse::InvalidContent`], if the value cannot be written as JSON; nothing changes then.
    pub fn set_json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<&mut Self, Error> {
        let json = serde_json::to_vec(value)
            .map_err(|error| Error::from(Misuse::InvalidContent).with_source(error))?;
        self.set_content_type("application/json")?;
        Ok(self.set_body(json))
    }

    /// Makes this a redirect: sets `Location` and the status, and removes the content.
    ///
    /// # Errors
    /// As [`redirect_with`](Self::redirect_with); nothing changes then.
    pub fn set_redirect(&mut self, location: &str, status: u16) -> Result<&mut Self, Error> {
        let location = StatusCode::from_u16(status)
            .map_err(|_| InvalidRedirect::Status)
            .and_then(|code| redirect_location(location, code))
            .map_err(|invalid| {
                let misuse = match invalid {
                    InvalidRedirect::Status => Misuse::WrongStatus,
                    InvalidRedirect::Location => Misuse::InvalidHeader,
                };
                Error::from(misuse).with_source(invalid)
            })?;
        self.set_header("Location", location)?;
        self.set_status(status);
        Ok(self.set_body(Bytes::new()))
    }

    /// Adds a cookie, in a field line of its own.
    ///
    /// # Errors
    /// [`InvalidSetCookie`] names the part of the cookie that is invalid.
    pub fn set_cookie(&mut self, cookie: &SetCookie) -> Result<&mut Self, InvalidSetCookie> {
        let value = cookie.header_value()?;
        // A valid cookie is a valid field value.
        let _ = self.fields.append("Set-Cookie", value.as_bytes());
        Ok(self)
    }

    /// Ends the handling of the request: when an `on_receive` hook calls this, its response is sent and the
    /// route's handler is not called.
    pub fn end(&mut self) -> &mut Self {
        self.ended = true;
        self
    }

    /// The length of the content in bytes, if known.
    pub fn content_length(&self) -> Option<u64> {
        self.body.length()
    }

    /// The content, if it is bytes in memory. `None` for a file, a reader or a stream. For hooks that look at
    /// responses, and for tests of handlers.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.bytes()
    }

    /// Not a response: ends HTTP on the connection.
    #[cfg(feature = "websocket")]
    pub(super) fn upgrade(upgrade: Upgrade) -> Self {
        let mut response = Self::new();
        response.body = Body::Upgrade(Box::new(upgrade));
        response
    }

    #[cfg(feature = "websocket")]
    pub(super) fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.body.take_upgrade()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn stream_through(&mut self, pipe: Arc<Pipe>) {
        self.body = Body::Pipe(pipe);
    }

    /// The file to open, if the content is one. Takes the content out.
    pub(super) fn take_path(&mut self) -> Option<PathBuf> {
        self.body.take_path()
    }

    /// Whether the content is a file that has to be opened.
    pub(super) fn needs_file(&self) -> bool {
        matches!(self.body, Body::Path(_))
    }

    /// Sets the content that the worker reads.
    pub(super) fn read_through(&mut self, reader: FileReader, length: Option<u64>) {
        self.body = Body::File(reader, length);
    }

    pub(super) fn into_parts(self) -> (StatusCode, Option<String>, FieldLines, Body) {
        (self.status, self.reason, self.fields, self.body.complete())
    }
}

impl Default for Response {
    fn default() -> Self {
        Self::new()
    }
}

/// Status, field lines and content, as text. For content that is not text or not in memory, its length.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.status.canonical_reason().unwrap_or_default();
        let reason = self.reason.as_deref().unwrap_or(known);
        writeln!(f, "{} {reason}", self.status.as_u16())?;
        for (name, value) in self.fields.iter() {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value))?;
        }
        let bytes = self.body.bytes();
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        match (text, self.content_length()) {
            (Some(text), _) => write!(f, "\n{text}"),
            (None, Some(length)) => write!(f, "\n({length} bytes)"),
            (None, None) => f.write_str("\n(a stream)"),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("content_length", &self.content_length())
            .finish_non_exhaustive()
    }
}
