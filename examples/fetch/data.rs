//! Content from `-d` and its kin, and option values that may name a file.

use std::io::Read;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::exit_status::{Failure, READ_ERROR};

/// What `-d` and its kin gathered.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_json: bool,
    is_begun: bool,
}

/// curl leaves the unreserved characters (RFC 3986 §2.3) as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Adds what one option gives: joined by `&`, or by nothing for JSON.
pub(crate) fn add(data: &mut Data, option: &str, value: &str) -> Result<(), Failure> {
    let file = value.strip_prefix('@');
    let piece = match (option, file) {
        ("data-raw", _) => value.as_bytes().to_vec(),
        ("data-urlencode", _) => url_encoded(value)?,
        ("data-binary" | "json", Some(path)) => read(path)?,
        ("data-binary" | "json", None) => value.as_bytes().to_vec(),
        (_, Some(path)) => {
            let mut text = read(path)?;
            text.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            text
        }
        (_, None) => value.as_bytes().to_vec(),
    };
    data.is_json |= option == "json";
    if data.is_begun && option != "json" {
        data.bytes.push(b'&');
    }
    data.is_begun = true;
    data.bytes.extend(piece);
    Ok(())
}

/// `content`, `=content`, `name=content`, `@file`, `name@file`.
fn url_encoded(value: &str) -> Result<Vec<u8>, Failure> {
    let (name, content) = match value.find(['=', '@']) {
        Some(at) if value.as_bytes()[at] == b'@' => (&value[..at], read(&value[at + 1..])?),
        Some(at) => (&value[..at], value.as_bytes()[at + 1..].to_vec()),
        None => ("", value.as_bytes().to_vec()),
    };
    let encoded = percent_encode(&content, ENCODED)
        .to_string()
        .replace("%20", "+");
    Ok(match name {
        "" => encoded.into_bytes(),
        name => format!("{name}={encoded}").into_bytes(),
    })
}

/// Reads a whole file, or standard input for `-`.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let read = match path {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        path => std::fs::read(path),
    };
    read.map_err(|error| Failure::file(READ_ERROR, path, &error))
}

/// The lines of `-H`: itself, or those of a file.
pub(crate) fn header_lines(value: &str) -> Result<Vec<String>, Failure> {
    let Some(path) = value.strip_prefix('@') else {
        return Ok(vec![value.to_owned()]);
    };
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    Ok(text
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// The value of `-w`: itself, or what a file holds.
pub(crate) fn text_or_file(value: &str) -> Result<String, Failure> {
    match value.strip_prefix('@') {
        Some(path) => {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            Ok(text.replace(['\r', '\n'], ""))
        }
        None => Ok(value.to_owned()),
    }
}
