//! [`Payload`]: content that is ready to be sent, once or again, and how much of it was sent.

use std::io::Read;
use std::path::PathBuf;

use bytes::{Buf, Bytes};

use super::content::Content;
use super::content_files::NamedFile;
#[cfg(feature = "multipart")]
use super::content_files::give_files;
use super::content_flow::{Flow, Metered};
use crate::connection::RequestBody;
#[cfg(feature = "multipart")]
use crate::error::Misuse;
use crate::error::{Error, ErrorKind, RequestRefused};
#[cfg(feature = "multipart")]
use crate::semantics::multipart::{Form, body::FormBody};
use crate::transport::disk::{Disk, UploadFile};

/// Content that can be sent, and whether it can be sent again.
#[derive(Debug)]
pub(crate) struct Payload {
    source: Source,
    /// The `Content-Type`, unless the caller set one.
    pub(crate) content_type: Option<String>,
    /// Whether files are sent in a form. Then the server is asked first whether it wants them.
    pub(crate) has_files: bool,
    pub(crate) flow: Flow,
    /// How many bytes were charged to a rate.
    noted: u64,
    /// How many bytes were noted as progress.
    shown: u64,
    /// How many bytes a browser has sent.
    #[cfg(target_family = "wasm")]
    sent: Option<u64>,
}

/// Content up to this size is sent without being counted.
const UNMETERED_BYTES: usize = 16 * 1024;

#[derive(Debug)]
enum Source {
    None,
    Bytes(Bytes),
    /// A reader of the caller's, which can be read once.
    Once {
        body: Option<RequestBody>,
        length: Option<u64>,
    },
    #[cfg(feature = "multipart")]
    Multipart {
        body: Option<FormBody>,
        /// Known once the files of the form are open.
        length: Option<u64>,
        /// The form's files that are being opened.
        opening: Vec<UploadFile>,
    },
    File {
        path: PathBuf,
        opened: Option<UploadFile>,
        length: u64,
    },
    #[cfg(target_family = "wasm")]
    Page(crate::page_file::PageFile),
}

impl Payload {
    /// Makes content ready. `content_type` is what the caller's header says.
    pub(crate) fn prepare(content: Content, content_type: Option<&[u8]>) -> Result<Self, Error> {
        let asked = content_type.and_then(|value| std::str::from_utf8(value).ok());
        let (source, content_type, has_files) = match content.encoded(asked)? {
            Content::None => (Source::None, None, false),
            Content::Raw(body) => (Source::of(body), None, false),
            Content::Typed {
                content_type,
                bytes,
            } => (Source::Bytes(bytes), Some(content_type.to_owned()), false),
            // `encoded` left none.
            Content::Form { .. } => return Err(Error::internal("a form was not encoded")),
            #[cfg(feature = "multipart")]
            Content::Multipart(form) => multipart(form)?,
            Content::File(path) => {
                let source = Source::File {
                    path,
                    opened: None,
                    length: 0,
                };
                (source, Some("application/octet-stream".to_owned()), false)
            }
        };
        Ok(Self {
            flow: Flow::new(source.is_sent_at_once()),
            source,
            content_type,
            has_files,
            noted: 0,
            shown: 0,
            #[cfg(target_family = "wasm")]
            sent: None,
        })
    }

    /// No content.
    #[cfg(feature = "cache")]
    pub(crate) fn none() -> Self {
        Self {
            flow: Flow::default(),
            source: Source::None,
            content_type: None,
            has_files: false,
            noted: 0,
            shown: 0,
            #[cfg(target_family = "wasm")]
            sent: None,
        }
    }

    /// The length in bytes. `None`: it is known at the end only.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.source {
            Source::None => Some(0),
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::Once { length, .. } => *length,
            #[cfg(feature = "multipart")]
            Source::Multipart { length, .. } => *length,
            Source::File { length, .. } => Some(*length),
            #[cfg(target_family = "wasm")]
            Source::Page(file) => Some(file.length()),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self.source, Source::None)
    }

    /// Whether it can still be sent, for the first time or again.
    pub(crate) fn can_be_sent(&self) -> bool {
        match &self.source {
            Source::Once { body, .. } => body.is_some(),
            #[cfg(feature = "multipart")]
            Source::Multipart { body, .. } => body.is_some(),
            _ => true,
        }
    }

    /// Whether it is a multipart form, whose type names its boundary.
    pub(crate) fn is_multipart(&self) -> bool {
        self.content_type
            .as_ref()
            .is_some_and(|content_type| content_type.starts_with("multipart/"))
    }

    /// Whether files must be opened before it can be sent.
    pub(crate) fn needs_file(&self) -> bool {
        match &self.source {
            #[cfg(feature = "multipart")]
            Source::Multipart { body, opening, .. } => {
                opening.is_empty() && body.as_ref().is_some_and(FormBody::needs_files)
            }
            source => matches!(source, Source::File { opened: None, .. }),
        }
    }

    /// Starts to open the files.
    pub(crate) fn open_file(&mut self, disk: &Disk) {
        match &mut self.source {
            Source::File { path, opened, .. } => *opened = Some(UploadFile::open(disk, path)),
            #[cfg(feature = "multipart")]
            Source::Multipart {
                body: Some(body),
                opening,
                ..
            } => {
                let files = body.unopened();
                *opening = files
                    .map(|file| UploadFile::open_unread(disk, file.path))
                    .collect();
            }
            _ => {}
        }
    }

    /// Whether all files are open.
    pub(crate) fn poll_opened(&mut self) -> Result<bool, Error> {
        match &mut self.source {
            Source::File {
                path,
                opened: Some(file),
                length,
            } => match file.poll_opened() {
                None => Ok(false),
                Some(Ok(bytes)) => {
                    *length = bytes;
                    Ok(true)
                }
                Some(Err(fault)) => Err(Error::new(ErrorKind::File(fault)).about_file(path)),
            },
            #[cfg(feature = "multipart")]
            Source::Multipart {
                body: Some(body),
                length,
                opening,
            } if !opening.is_empty() => give_files(body, opening, length),
            _ => Ok(true),
        }
    }

    /// The content for one attempt. A reader of the caller's is used up after the first.
    pub(crate) fn take(&mut self) -> Result<RequestBody, Error> {
        self.flow.restart();
        #[cfg(target_family = "wasm")]
        {
            self.sent = None;
        }
        let length = self.length();
        let flow = self.flow.clone();
        let metered =
            |reader: Box<dyn Read + Send>| RequestBody::reader(Metered { reader, flow }, length);
        Ok(match &mut self.source {
            Source::None => RequestBody::none(),
            // Small content is sent in one write, so there is nothing to count or to hold back.
            Source::Bytes(bytes) if bytes.len() <= UNMETERED_BYTES => bytes.clone().into(),
            Source::Bytes(bytes) => metered(Box::new(bytes.clone().reader())),
            Source::Once { body, .. } => match body.take() {
                Some(body) => metered(Box::new(body.into_reader())),
                None => return Err(ErrorKind::Refused(RequestRefused::ContentSpent).into()),
            },
            #[cfg(feature = "multipart")]
            Source::Multipart { body, .. } => {
                let Some(now) = body.take() else {
                    return Err(ErrorKind::Refused(RequestRefused::ContentSpent).into());
                };
                *body = now.again();
                #[cfg(target_family = "wasm")]
                if now.has_page_files() {
                    return Ok(form_with_page_files(now, &self.flow));
                }
                metered(Box::new(now))
            }
            Source::File { path, opened, .. } => match opened.take() {
                Some(file) => metered(Box::new(NamedFile::new(file, path))),
                None => return Err(ErrorKind::RequestBody.into()),
            },
            #[cfg(target_family = "wasm")]
            Source::Page(file) => {
                self.flow.note_drawn(file.length());
                file.clone().into()
            }
        })
    }

    /// Bytes of content given to the connection in this attempt; in a browser, those that it has sent.
    pub(crate) fn sent(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) if bytes.len() <= UNMETERED_BYTES => bytes.len() as u64,
            _ => self.counted(),
        }
    }

    /// The same, but 0 for content that is not counted.
    fn counted(&self) -> u64 {
        #[cfg(target_family = "wasm")]
        if let Some(sent) = self.sent {
            return sent;
        }
        self.flow.drawn()
    }

    /// Notes how many bytes of content a browser has sent.
    #[cfg(target_family = "wasm")]
    pub(crate) fn note_sent(&mut self, bytes: u64) {
        self.sent = (!self.source.is_sent_at_once()).then_some(bytes);
    }

    /// The content, if it is in memory.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        match &self.source {
            Source::None => Some(Bytes::new()),
            Source::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// Bytes given to the connection since the last call.
    pub(crate) fn newly_drawn(&mut self) -> u64 {
        let drawn = self.flow.drawn();
        let new = drawn.saturating_sub(self.noted);
        self.noted = drawn;
        new
    }

    /// Whether content moved since the last call.
    pub(crate) fn has_moved(&mut self) -> bool {
        let sent = self.counted();
        std::mem::replace(&mut self.shown, sent) != sent
    }

    /// Forgets the content: a redirect turned the request into a `GET` (RFC 9110 §15.4).
    pub(crate) fn drop_content(&mut self) {
        self.source = Source::None;
        self.content_type = None;
        self.has_files = false;
    }
}

/// A form, ready to be sent.
#[cfg(feature = "multipart")]
fn multipart(form: Form) -> Result<(Source, Option<String>, bool), Error> {
    let has_files = form.has_files();
    let mut random = [0; 16];
    getrandom::getrandom(&mut random)
        .map_err(|error| Error::from(Misuse::InvalidContent).with_source(error))?;
    let body = form.start(random).map_err(ErrorKind::Form)?;
    let content_type = body.content_type();
    let source = Source::Multipart {
        length: body.length(),
        body: Some(body),
        opening: Vec::new(),
    };
    Ok((source, Some(content_type), has_files))
}

/// A form as the browser gets it: what is read, and between it the files that stay with the browser.
#[cfg(all(target_family = "wasm", feature = "multipart"))]
fn form_with_page_files(form: FormBody, flow: &Flow) -> RequestBody {
    let length = form.length();
    let parts = form.into_sections().into_iter().map(|section| {
        section.map_or_else(
            |file| {
                flow.note_drawn(file.length());
                file.into()
            },
            |reader| {
                let flow = flow.clone();
                RequestBody::reader(Metered { reader, flow }, None)
            },
        )
    });
    RequestBody::parts(parts, length)
}

impl Source {
    fn is_sent_at_once(&self) -> bool {
        match self {
            Self::None => true,
            Self::Bytes(bytes) => bytes.len() <= UNMETERED_BYTES,
            _ => false,
        }
    }

    fn of(body: RequestBody) -> Self {
        #[cfg(target_family = "wasm")]
        if let Some(file) = body.page_file() {
            return Self::Page(file);
        }
        match body.into_bytes() {
            Ok(bytes) if bytes.is_empty() => Self::None,
            Ok(bytes) => Self::Bytes(bytes),
            Err(body) => Self::Once {
                length: body.known_length(),
                body: Some(body),
            },
        }
    }
}
