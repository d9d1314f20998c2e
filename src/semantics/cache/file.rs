//! The cache as bytes: a magic number with the version, the entries from the least to the most
//! recently used, and a checksum. Numbers are big-endian. Strings start with their length. Reading
//! and writing the file itself does not belong here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::CachedResponse;
use super::policy::Entry;
use super::stored::StoredResponse;
use crate::error::CacheFileFault;

/// The last two bytes are the version.
const MAGIC: &[u8; 8] = b"httpol01";

pub(super) fn write<'a>(entries: impl Iterator<Item = &'a StoredResponse>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for stored in entries {
        let entry = &stored.entry;
        let secret = [AUTHORIZATION, COOKIE];
        if secret.iter().any(|name| entry.varied.contains_key(name)) {
            continue;
        }
        write_text(&mut out, stored.url.as_bytes());
        out.put_u64(seconds(entry.born));
        out.put_u64(seconds(entry.received));
        out.put_u16(entry.response.status.as_u16());
        write_fields(&mut out, &entry.varied);
        write_fields(&mut out, &entry.response.headers);
        write_text(&mut out, &entry.response.body);
    }
    out.put_u64(checksum(&out));
    out
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<StoredResponse>, CacheFileFault> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(CacheFileFault::Version)?;
    let (rest, sum) = rest
        .split_last_chunk::<8>()
        .ok_or(CacheFileFault::Damaged)?;
    let summed = bytes.len() - sum.len();
    if checksum(&bytes[..summed]) != u64::from_be_bytes(*sum) {
        return Err(CacheFileFault::Damaged);
    }
    let (mut rest, mut entries) = (rest, Vec::new());
    while !rest.is_empty() {
        entries.push(read_entry(&mut rest).ok_or(CacheFileFault::Damaged)?);
    }
    Ok(entries)
}

fn read_entry(rest: &mut &[u8]) -> Option<StoredResponse> {
    let url = std::str::from_utf8(read_text(rest)?).ok()?;
    let url = String::from(Url::parse(url).ok()?);
    let born = time(rest.try_get_u64().ok()?)?;
    let received = time(rest.try_get_u64().ok()?)?;
    let status = StatusCode::from_u16(rest.try_get_u16().ok()?).ok()?;
    let varied = read_fields(rest)?;
    let headers = read_fields(rest)?;
    let body = Bytes::copy_from_slice(read_text(rest)?);
    let response = CachedResponse {
        status,
        headers,
        body,
    };
    Some(StoredResponse {
        url,
        entry: Entry::restore(varied, response, born, received),
    })
}

fn write_fields(out: &mut Vec<u8>, fields: &HeaderMap) {
    out.put_u64(fields.len() as u64);
    for (name, value) in fields {
        write_text(out, name.as_str().as_bytes());
        write_text(out, value.as_bytes());
    }
}

fn read_fields(rest: &mut &[u8]) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for _ in 0..rest.try_get_u64().ok()? {
        let name = HeaderName::from_bytes(read_text(rest)?).ok()?;
        let value = HeaderValue::from_bytes(read_text(rest)?).ok()?;
        fields.try_append(name, value).ok()?;
    }
    Some(fields)
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.put_u64(text.len() as u64);
    out.extend_from_slice(text);
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(rest.try_get_u64().ok()?).ok()?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(text)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn time(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// FNV-1a, 64 bits. It detects a damaged file. It does not protect against an attacker, who could
/// write a valid file just as well.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
