//! What to answer for a file (FEATURES S107–S112): full, partial, not modified, a redirect, or why
//! not. The order is that of RFC 9110 §13.2.2: method, path, preconditions, range.

use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::body::{AssetBody, Piece};
use super::listing::{self, encoded};
use super::path::{AssetPath, PathFault, is_servable};
use super::precompressed::{Coding, acceptable};
use super::root::{Asset, AssetContent, Listed};
use super::site::StaticFiles;
use crate::proto::FieldLines;
use crate::semantics::conditional::{
    ETag, Preconditions, Validators, evaluate, http_date, if_range_holds, is_strong_date,
};
use crate::semantics::range::{
    Byteranges, RangeSet, content_range, parse_range, unsatisfied_range,
};
use crate::server::mime::content_type;
use crate::server::target::{path_of, query_of};

/// What comes of a request for a file.
#[derive(Debug)]
pub enum FilePlan {
    /// This is the answer.
    Answer(FileAnswer),
    /// There is no such file: go on to whoever answers what nobody else does (S110).
    NotFound,
}

/// The answer to a request for a file.
#[derive(Debug)]
pub struct FileAnswer {
    /// The status.
    pub status: StatusCode,
    /// The fields, without those of framing.
    pub headers: HeaderMap,
    /// How long the content is, or, for `HEAD`, would be; `None` for 304, which has none.
    pub length: Option<u64>,
    /// The content.
    pub body: FileBody,
}

/// The content of an answer.
#[derive(Debug)]
pub enum FileBody {
    /// None.
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// Out of an asset, to be pulled.
    Asset(AssetBody),
}

/// What a path leads to.
enum Found {
    File(File),
    /// A folder that was asked for without the slash at its end.
    Folder,
    Listing(Vec<Listed>),
    Nothing,
}

/// A file as it will be sent.
struct File {
    asset: Asset,
    coding: Option<Coding>,
    /// The type by the name of the file itself, not of a compressed sibling.
    content_type: String,
}

impl StaticFiles {
    /// What to answer to this request. `target` is as it is on the wire; `now` becomes the answer's
    /// `Date`.
    ///
    /// Only `GET` and `HEAD` are answered, others with 405 where there is a file. What is not below
    /// the base is not found. A path that no file can have (`..`, NUL, `%2f`) is answered with 400.
    pub fn plan(
        &self,
        method: &Method,
        target: &str,
        fields: &FieldLines,
        now: SystemTime,
    ) -> FilePlan {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let path = match AssetPath::parse(path_of(target), self.dot_files) {
            Ok(path) => path,
            Err(PathFault::Hidden) => return FilePlan::NotFound,
            Err(_) if reads && self.is_meant_by(path_of(target)) => {
                return plain(StatusCode::BAD_REQUEST);
            }
            Err(_) => return FilePlan::NotFound,
        };
        let found = match path.below(&self.base) {
            Some(below) => self.find(&below, fields),
            None if path.as_str() == self.base => Ok(Found::Folder),
            None => Ok(Found::Nothing),
        };
        match found {
            Ok(Found::Nothing) => FilePlan::NotFound,
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
            Ok(_) if !reads => {
                let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
                set(&mut answer.headers, header::ALLOW, "GET, HEAD");
                FilePlan::Answer(answer)
            }
            Ok(Found::Folder) => redirect(&path, query_of(target)),
            Ok(Found::Listing(entries)) => self.list(method, &path, entries),
            Ok(Found::File(file)) => FilePlan::Answer(self.serve(method, fields, now, file)),
        }
    }

    /// Whether a path that cannot be read was meant for this base.
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

    /// Opens a file, or the compressed sibling that this client likes best.
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

    fn serve(
        &self,
        method: &Method,
        fields: &FieldLines,
        now: SystemTime,
        file: File,
    ) -> FileAnswer {
        let etag = self.etag(&file, now);
        let current = Validators {
            exists: true,
            etag: etag.as_ref(),
            last_modified: file.asset.modified,
        };
        let mut headers = self.headers_of(&file, etag.as_ref());
        match evaluate(method, fields, current) {
            Preconditions::NotModified => {
                let mut answer = empty(StatusCode::NOT_MODIFIED);
                answer.headers = headers;
                answer.length = None;
                return answer;
            }
            Preconditions::Failed => return empty(StatusCode::PRECONDITION_FAILED),
            Preconditions::Proceed => {}
        }
        if let Some(coding) = file.coding {
            set(&mut headers, header::CONTENT_ENCODING, coding.name);
        }
        let ranges = match requested(method, fields, &file.asset) {
            Some(value) if if_range_holds(fields, current, now) => {
                parse_range(value, file.asset.length)
            }
            _ => RangeSet::Ignored,
        };
        let (status, length, pieces) = match ranges {
            RangeSet::Unsatisfiable => {
                let mut answer = empty(StatusCode::RANGE_NOT_SATISFIABLE);
                let range = unsatisfied_range(file.asset.length);
                set(&mut answer.headers, header::CONTENT_RANGE, &range);
                return answer;
            }
            RangeSet::Ranges(ranges) => self.partial(&ranges, &file, &mut headers),
            RangeSet::Ignored => whole(&file, &mut headers),
        };
        FileAnswer {
            status,
            headers,
            length: Some(length),
            body: match *method {
                Method::HEAD => FileBody::Empty,
                _ => FileBody::Asset(AssetBody::new(file.asset.content, pieces)),
            },
        }
    }

    /// The parts of a 206 (RFC 9110 §15.3.7).
    fn partial(
        &self,
        ranges: &[std::ops::Range<u64>],
        file: &File,
        headers: &mut HeaderMap,
    ) -> (StatusCode, u64, Vec<Piece>) {
        let complete = file.asset.length;
        if let [range] = ranges {
            set(headers, header::CONTENT_TYPE, &file.content_type);
            set(
                headers,
                header::CONTENT_RANGE,
                &content_range(range, complete),
            );
            let length = range.end.saturating_sub(range.start);
            return (
                StatusCode::PARTIAL_CONTENT,
                length,
                vec![Piece::Part(range.clone())],
            );
        }
        let part_type = Some(file.content_type.clone());
        let parts = Byteranges::new(self.boundary.clone(), part_type, complete);
        let Some(length) = parts.content_length(ranges) else {
            return whole(file, headers);
        };
        let mut pieces = Vec::with_capacity(ranges.len() * 2 + 1);
        for range in ranges {
            pieces.push(Piece::Bytes(parts.head(range).into()));
            pieces.push(Piece::Part(range.clone()));
        }
        pieces.push(Piece::Bytes(parts.foot().into()));
        set(headers, header::CONTENT_TYPE, &parts.content_type());
        (StatusCode::PARTIAL_CONTENT, length, pieces)
    }

    /// What 200, 206 and 304 have in common (RFC 9110 §15.4.5).
    fn headers_of(&self, file: &File, etag: Option<&ETag>) -> HeaderMap {
        let mut headers = safe();
        if let Some(etag) = etag
            && let Ok(etag) = HeaderValue::from_bytes(&etag.to_field())
        {
            headers.insert(header::ETAG, etag);
        }
        if let Some(modified) = file.asset.modified.and_then(http_date) {
            set(&mut headers, header::LAST_MODIFIED, &modified);
        }
        if self.cache_age > 0 {
            let age = self.cache_age;
            let value = format!("public, max-age={age}, s-maxage={age}, immutable");
            set(&mut headers, header::CACHE_CONTROL, &value);
        }
        if self.is_precompressed {
            set(&mut headers, header::VARY, "accept-encoding");
        }
        let unit = if is_rangeable(&file.asset) {
            "bytes"
        } else {
            "none"
        };
        set(&mut headers, header::ACCEPT_RANGES, unit);
        headers
    }

    fn etag(&self, file: &File, now: SystemTime) -> Option<ETag> {
        if !self.has_tags {
            return None;
        }
        if let Some(etag) = &file.asset.etag {
            return ETag::parse(etag.as_bytes());
        }
        let modified = file.asset.modified?;
        let nanoseconds = modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()?
            .as_nanos();
        let coding = file.coding.map_or("", |coding| coding.name);
        let tag = format!("{:x}-{nanoseconds:x}{coding}", file.asset.length);
        // A file that is being written may keep length and time while it changes.
        if is_strong_date(modified, now) {
            ETag::strong(&tag)
        } else {
            ETag::weak(&tag)
        }
    }

    fn list(&self, method: &Method, path: &AssetPath, mut entries: Vec<Listed>) -> FilePlan {
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
        FilePlan::Answer(answer)
    }
}

/// The `Range` to consider: of a `GET` only (RFC 9110 §14.2), and a single line.
fn requested<'a>(method: &Method, fields: &'a FieldLines, asset: &Asset) -> Option<&'a [u8]> {
    let mut lines = fields.get_all("range");
    lines
        .next()
        .filter(|_| lines.next().is_none() && *method == Method::GET && is_rangeable(asset))
}

fn is_rangeable(asset: &Asset) -> bool {
    !matches!(asset.content, AssetContent::Sequential(_))
}

fn whole(file: &File, headers: &mut HeaderMap) -> (StatusCode, u64, Vec<Piece>) {
    set(headers, header::CONTENT_TYPE, &file.content_type);
    let length = file.asset.length;
    (StatusCode::OK, length, vec![Piece::Part(0..length)])
}

/// A sibling that was compressed before the file changed.
fn is_older(sibling: &Asset, file: &Asset) -> bool {
    matches!((sibling.modified, file.modified), (Some(sibling), Some(file)) if sibling < file)
}

/// To the same path with a slash. It is written anew, so that nothing of the request but names gets
/// into it.
fn redirect(path: &AssetPath, query: Option<&str>) -> FilePlan {
    let mut location = format!("/{}/", encoded(path.as_str()));
    if let Some(query) = query.filter(|query| query.bytes().all(|byte| byte.is_ascii_graphic())) {
        location.push('?');
        location.push_str(query);
    }
    let mut answer = empty(StatusCode::MOVED_PERMANENTLY);
    set(&mut answer.headers, header::LOCATION, &location);
    FilePlan::Answer(answer)
}

/// Tells files that are not there, or not for us, from a disk that fails.
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

fn plain(status: StatusCode) -> FilePlan {
    FilePlan::Answer(empty(status))
}

fn empty(status: StatusCode) -> FileAnswer {
    FileAnswer {
        status,
        headers: safe(),
        length: Some(0),
        body: FileBody::Empty,
    }
}

/// Types are by name; nobody is to guess another by content.
fn safe() -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers
}

/// Sets a field whose value is visible ASCII by its making.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
