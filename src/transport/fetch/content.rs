//! Request content as the browser is given it: bytes of the program, and files of the page between them.

use std::{io, mem};

use js_sys::{Array, Uint8Array};
use web_sys::Blob;

use super::failure;
use crate::error::{Error, ErrorKind};
use crate::page_file::PageFile;

/// Content in the order in which it is sent.
#[derive(Debug, Default)]
pub(crate) struct FetchContent {
    /// What comes before `bytes`.
    parts: Vec<Part>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    File(PageFile),
}

/// Content as an object of the browser.
pub(super) enum JsContent {
    None,
    Bytes(Uint8Array),
    Blob(Blob),
}

impl FetchContent {
    /// The bytes at its end, to which more may be added.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn push_file(&mut self, file: PageFile) {
        if !self.bytes.is_empty() {
            self.parts.push(Part::Bytes(mem::take(&mut self.bytes)));
        }
        self.parts.push(Part::File(file));
    }

    pub(crate) fn length(&self) -> u64 {
        let parts = self.parts.iter().map(|part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File(file) => file.length(),
        });
        parts.sum::<u64>() + self.bytes.len() as u64
    }

    /// The content type that the browser sends unless a header says otherwise.
    pub(super) fn content_type(&self) -> &str {
        match &self.parts[..] {
            [Part::File(file)] if self.bytes.is_empty() => file.content_type(),
            _ => "",
        }
    }

    /// A file stays with the browser: a `Blob` of several parts refers to them.
    pub(super) fn to_js(&self) -> Result<JsContent, Error> {
        let bytes = Uint8Array::from(&self.bytes[..]);
        match &self.parts[..] {
            [] if self.bytes.is_empty() => return Ok(JsContent::None),
            [] => return Ok(JsContent::Bytes(bytes)),
            [Part::File(file)] if self.bytes.is_empty() => return Ok(JsContent::Blob(blob(file)?)),
            _ => {}
        }
        let parts = Array::new();
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => parts.push(&Uint8Array::from(&bytes[..])),
                Part::File(file) => parts.push(blob(file)?.as_ref()),
            };
        }
        parts.push(&bytes);
        let joined = Blob::new_with_blob_sequence(&parts);
        joined
            .map(JsContent::Blob)
            .map_err(|error| failure::refused(&error))
    }
}

fn blob(file: &PageFile) -> Result<Blob, Error> {
    let elsewhere = io::Error::other("the PageFile was made on another thread");
    file.blob()
        .ok_or_else(|| Error::new(ErrorKind::RequestBody).with_source(elsewhere))
}
