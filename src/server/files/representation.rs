//! How a file is sent (RFC 9110 §8, §13, §14, §15.3, §15.4.5): its validators and fields, and all of it,
//! parts of it, or nothing because the client already has it.

use std::ops::Range;
use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::body::{AssetBody, Piece};
use super::file_plan::{FileBody, FilePlan, empty, safe, set};
use super::precompressed::Coding;
use super::root::{Asset, AssetContent};
use super::site::StaticFiles;
use crate::proto::FieldLines;
use crate::semantics::conditional::{
    ETag, Preconditions, Validators, evaluate, http_date, if_range_holds, is_strong_date,
};
use crate::semantics::range::{
    Byteranges, RangeSet, content_range, parse_range, unsatisfied_range,
};

/// A file as it will be sent.
pub(super) struct File {
    pub(super) asset: Asset,
    pub(super) coding: Option<Coding>,
    /// The type, by the name of the file itself and not of a compressed sibling.
    pub(super) content_type: String,
}

impl StaticFiles {
    /// The response for this file, after its preconditions are checked.
    pub(super) fn serve(
        &self,
        method: &Method,
        fields: &FieldLines,
        now: SystemTime,
        file: File,
    ) -> FilePlan {
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
            // An empty file has no part. Clients that send a range with every request get the whole file, no `416`,
            // as from other servers.
            Some(_) if file.asset.length == 0 => RangeSet::Ignored,
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
        FilePlan {
            status,
            headers,
            length: Some(length),
            body: match *method {
                Method::HEAD => FileBody::Empty,
                _ => FileBody::Asset(AssetBody::new(file.asset.content, pieces)),
            },
            fault: None,
        }
    }

    /// The parts of a 206 (RFC 9110 §15.3.7).
    fn partial(
        &self,
        ranges: &[Range<u64>],
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

    /// The fields that 200, 206 and 304 have in common (RFC 9110 §15.4.5).
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
        // A file that is still being written may keep its length and time while its content changes.
        if is_strong_date(modified, now) {
            ETag::strong(&tag)
        } else {
            ETag::weak(&tag)
        }
    }
}

/// The `Range` to consider: only that of a `GET` (RFC 9110 §14.2), and only a single field line.
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
