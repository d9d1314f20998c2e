//! The cache as bytes: a magic number with the version, the entries from the least to the most
//! recently used, and a checksum. Numbers are big-endian. Strings start with their length. Reading
//! and writing the file itself does not belong here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes};
use http::StatusCode;
use http::header::{AUTHORIZATION, COOKIE};
use url::Url;

use super::CachedResponse;
use super::policy::Entry;
use super::stored::StoredResponse;
use crate::error::CacheFileFault;
use crate::proto::FieldLines;

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
        let varied = entry.varied.iter();
        let varied = varied.map(|(name, value)| (name.as_str(), value.as_bytes()));
        write_fields(&mut out, entry.varied.len(), varied);
        let fields = &entry.response.fields;
        write_fields(&mut out, fields.len(), fields.iter());
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
    let varied = read_fields(rest)?.to_header_map();
    let fields = read_fields(rest)?;
    let body = Bytes::copy_from_slice(read_text(rest)?);
    let response = CachedResponse {
        status,
        fields,
        body,
    };
    Some(StoredResponse {
        url,
        entry: Entry::restore(varied, response, born, received),
    })
}

fn write_fields<'a>(
    out: &mut Vec<u8>,
    count: usize,
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) {
    out.put_u64(count as u64);
    for (name, value) in fields {
        write_text(out, name.as_bytes());
        write_text(out, value);
    }
}

fn read_fields(rest: &mut &[u8]) -> Option<FieldLines> {
    let mut fields = FieldLines::new();
    for _ in 0..rest.try_get_u64().ok()? {
        let name = str::from_utf8(read_text(rest)?).ok()?;
        fields.append(name, read_text(rest)?).ok()?;
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
