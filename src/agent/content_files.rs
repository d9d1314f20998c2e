//! The files of a request's content: those of a form, and the errors of all of them. What else a request sends
//! belongs to `content`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[cfg(feature = "multipart")]
use crate::error::FormFault;
use crate::error::{DiskFault, Error, ErrorKind};
#[cfg(feature = "multipart")]
use crate::semantics::multipart::body::FormBody;
use crate::transport::disk::UploadFile;

/// Gives the form its files once all of them are open.
#[cfg(feature = "multipart")]
pub(super) fn give_files(
    body: &mut FormBody,
    opening: &mut Vec<UploadFile>,
    form_length: &mut Option<u64>,
) -> Result<bool, Error> {
    let mut lengths = Vec::with_capacity(opening.len());
    for (form_file, file) in body.unopened().zip(&mut *opening) {
        match file.poll_opened() {
            None => return Ok(false),
            Some(Ok(length)) => lengths.push(length),
            Some(Err(fault)) => {
                let part = form_file.part.to_owned();
                let error = fault.io_kind();
                let kind = ErrorKind::Form(FormFault::File { part, error });
                return Err(Error::new(kind)
                    .with_source(fault)
                    .about_file(form_file.path));
            }
        }
    }
    for ((form_file, file), length) in body.unopened().zip(opening.drain(..)).zip(lengths) {
        let named = NamedFile::new(file, form_file.path);
        form_file.set(named, length);
    }
    *form_length = body.length();
    Ok(true)
}

/// A file whose errors name its path.
pub(super) struct NamedFile {
    file: UploadFile,
    path: PathBuf,
}

impl NamedFile {
    pub(super) fn new(file: UploadFile, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
        }
    }
}

impl Read for NamedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).map_err(|error| {
            let fault = error
                .get_ref()
                .and_then(|it| it.downcast_ref::<DiskFault>());
            match fault {
                Some(fault) => {
                    let named = Error::new(ErrorKind::File(*fault)).about_file(&self.path);
                    io::Error::new(error.kind(), named)
                }
                // Nothing was read yet.
                None => error,
            }
        })
    }
}
