//! Which response a request for a file gets: the file, a redirect, a listing, or an error. How a file is sent
//! once it was found belongs to `representation`.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use http::header;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::content_type::content_type;
use super::file_plan::{FileBody, FilePlan, empty, set};
use super::listing::{self, encoded};
use super::path::{AssetPath, PathFault, is_servable};
use super::precompressed::acceptable;
use super::representation::File;
use super::root::{Asset, Listed};
use super::site::StaticFiles;
use crate::error::{DiskFault, DiskStep, Error, ErrorKind};
use crate::proto::FieldLines;
use crate::server::target::{path_of, query_of};

/// What a path leads to.
enum Found {
    File(File),
    /// A folder that was requested without the slash at its end.
    Folder,
    Listing(Vec<Listed>),
    Nothing,
}

impl StaticFiles {
    /// The response to this request; `None` when there is no such file. `target` is the request target as it
    /// was received; `now` becomes the response's `Date`.
    ///
    /// Only `GET` and `HEAD` get the file. `OPTIONS` gets 204 with `Allow`, other methods get 405. Paths that are not below the base are not
    /// found. A path that no file can have (`..`, NUL, `%2f`) gets 400.
    pub fn plan(
        &self,
        method: &Method,
        target: &str,
        fields: &FieldLines,
        now: SystemTime,
    ) -> Option<FilePlan> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let path = match AssetPath::parse(path_of(target), self.dot_files) {
            Ok(path) => path,
            Err(PathFault::Hidden) => return None,
            Err(_) if reads && self.is_meant_by(path_of(target)) => {
                return plain(StatusCode::BAD_REQUEST);
            }
            Err(_) => return None,
        };
        let found = match path.below(&self.base) {
            Some(below) => self.find(&below, fields),
            None if path.as_str() == self.base => Ok(Found::Folder),
            None => Ok(Found::Nothing),
        };
        match found {
            Ok(Found::Nothing) => None,
            Err(error) => Some(broken(path_of(target), error)),
            Ok(_) if !reads => {
                let mut answer = match *method {
                    Method::OPTIONS => FilePlan {
                        length: None,
                        ..empty(StatusCode::NO_CONTENT)
                    },
                    _ => empty(StatusCode::METHOD_NOT_ALLOWED),
                };
                set(&mut answer.headers, header::ALLOW, "GET, HEAD, OPTIONS");
                Some(answer)
            }
            Ok(Found::Folder) => redirect(&path, query_of(target)),
            Ok(Found::Listing(entries)) => self.list(method, &path, entries),
            Ok(Found::File(file)) => Some(self.serve(method, fields, now, file)),
        }
    }

    /// Whether the root has to be asked for this target, and may wait for a disk.
    pub(super) fn needs_disk(&self, target: &str) -> bool {
        !self.root.is_in_memory()
            && AssetPath::parse(path_of(target), self.dot_files)
                .is_ok_and(|path| path.below(&self.base).is_some())
    }

    /// Whether a path that cannot be read belongs to this base.
    fn is_meant_by(&self, path: &str) -> bool {
        let path = percent_decode_str(path).decode_utf8_lossy();
        let rest = path
            .trim_start_matches(['/', '\\'])
            .strip_prefix(self.base.as_str());
        rest.is_some_and(|rest| self.base.is_empty() || rest.starts_with(['/', '\\']))
    }

    fn find(&self, path: &AssetPath, fields: &FieldLines) -> io::Result<Found> {
        if path.is_folder() {
            let index = Some(self.index.as_str()).filter(|name| !name.is_empty());
            if let Some(index) = index.and_then(|name| path.file(name))
                && let Some(file) = self.open(&index, fields)?
            {
                return Ok(Found::File(file));
            }
            if !self.has_listings || !self.root.is_dir(path) {
                return Ok(Found::Nothing);
            }
            let entries = self.root.list(path, listing::MOST_ENTRIES);
            return Ok(found(entries)?.map_or(Found::Nothing, Found::Listing));
        }
        match self.open(path, fields)? {
            Some(file) => Ok(Found::File(file)),
            None if self.root.is_dir(path) => Ok(Found::Folder),
            None => Ok(Found::Nothing),
        }
    }

    /// Opens a file, or the compressed sibling that the client prefers.
    fn open(&self, path: &AssetPath, fields: &FieldLines) -> io::Result<Option<File>> {
        let Some(asset) = found(self.root.open(path))? else {
            return Ok(None);
        };
        let content_type = content_type(path.name()).into_owned();
        if self.is_precompressed {
            for coding in acceptable(fields) {
                let sibling = self.root.open(&path.sibling(coding.suffix));
                if let Some(sibling) = found(sibling)?.filter(|sibling| !is_older(sibling, &asset))
                {
                    return Ok(Some(File {
                        asset: sibling,
                        coding: Some(coding),
                        content_type,
                    }));
                }
            }
        }
        Ok(Some(File {
            asset,
            coding: None,
            content_type,
        }))
    }

    fn list(
        &self,
        method: &Method,
        path: &AssetPath,
        mut entries: Vec<Listed>,
    ) -> Option<FilePlan> {
        entries.retain(|entry| is_servable(&entry.name, self.dot_files));
        let page = Bytes::from(listing::page(path, entries));
        let mut answer = empty(StatusCode::OK);
        set(
            &mut answer.headers,
            header::CONTENT_TYPE,
            "text/html; charset=utf-8",
        );
        set(
            &mut answer.headers,
            header::CONTENT_SECURITY_POLICY,
            listing::SECURITY_POLICY,
        );
        set(&mut answer.headers, header::CACHE_CONTROL, "no-cache");
        answer.length = u64::try_from(page.len()).ok();
        if *method != Method::HEAD {
            answer.body = FileBody::Bytes(page);
        }
        Some(answer)
    }
}

/// A sibling that was compressed before the file changed is outdated.
fn is_older(sibling: &Asset, file: &Asset) -> bool {
    matches!((sibling.modified, file.modified), (Some(sibling), Some(file)) if sibling < file)
}

/// Redirects to the same path with a slash. The path is written anew, so that it contains nothing of the
/// request except names.
fn redirect(path: &AssetPath, query: Option<&str>) -> Option<FilePlan> {
    let mut location = format!("/{}/", encoded(path.as_str()));
    if let Some(query) = query.filter(|query| query.bytes().all(|byte| byte.is_ascii_graphic())) {
        location.push('?');
        location.push_str(query);
    }
    let mut answer = empty(StatusCode::MOVED_PERMANENTLY);
    set(&mut answer.headers, header::LOCATION, &location);
    Some(answer)
}

/// Tells files that do not exist or may not be read from a disk that fails.
fn found<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{
        InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) => match error.kind() {
            NotFound | PermissionDenied | NotADirectory | IsADirectory | InvalidInput
            | InvalidFilename => Ok(None),
            _ => Err(error),
        },
    }
}

/// The root failed.
fn broken(path: &str, error: io::Error) -> FilePlan {
    let fault = DiskFault::io(DiskStep::Open, &error);
    let fault = Error::new(ErrorKind::File(fault)).about_file(Path::new(path));
    FilePlan {
        fault: Some(fault.with_source(error)),
        ..empty(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn plain(status: StatusCode) -> Option<FilePlan> {
    Some(empty(status))
}
