//! Writes the text form of a recording: JSON laid out for people and for comparing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{RecordedBody, RecordedExchange, Recording};
use crate::proto::FieldLines;

/// The value of `format` in a recording.
pub(super) const FORMAT: &str = "httpoll recording";
/// The version of the format that is written here.
pub(super) const VERSION: u64 = 1;

/// Characters of base64 on one line (RFC 2045 §6.8).
const BASE64_LINE: usize = 76;

/// Writes the layout by hand: a JSON library would choose the order of keys and the line breaks
/// itself.
pub(super) fn write(recording: &Recording, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{{")?;
    writeln!(f, "  \"format\": {},", quoted(FORMAT))?;
    writeln!(f, "  \"version\": {VERSION},")?;
    write!(f, "  \"exchanges\": [")?;
    for (index, exchange) in recording.exchanges.iter().enumerate() {
        f.write_str(if index == 0 { "\n" } else { ",\n" })?;
        write_exchange(exchange, f)?;
    }
    let end = if recording.exchanges.is_empty() {
        "]"
    } else {
        "\n  ]"
    };
    writeln!(f, "{end}\n}}")
}

fn write_exchange(exchange: &RecordedExchange, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let RecordedExchange { request, response } = exchange;
    writeln!(f, "    {{")?;
    writeln!(f, "      \"request\": {{")?;
    writeln!(
        f,
        "        \"method\": {},",
        quoted(request.method.as_str())
    )?;
    writeln!(f, "        \"url\": {},", quoted(request.url.as_str()))?;
    write_headers(&request.headers, f)?;
    match &request.body {
        RecordedBody::Bytes(bytes) => write_body(bytes, f)?,
        RecordedBody::Omitted(bytes) => write!(f, "        \"body\": {{\"omitted\": {bytes}}}")?,
    }
    writeln!(f, "\n      }},")?;
    writeln!(f, "      \"response\": {{")?;
    writeln!(f, "        \"status\": {},", response.status.as_u16())?;
    write_headers(&response.headers, f)?;
    write_body(&response.body, f)?;
    let (head, end) = (
        response.head_after.as_micros(),
        response.end_after.as_micros(),
    );
    writeln!(f, ",\n        \"head_after_us\": {head},")?;
    writeln!(f, "        \"end_after_us\": {end}")?;
    writeln!(f, "      }}")?;
    write!(f, "    }}")
}

fn write_headers(fields: &FieldLines, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let lines = fields.iter().map(|(name, value)| {
        let line = [name.as_bytes(), b": ", value].concat();
        match String::from_utf8(line) {
            Ok(line) => quoted(&line),
            Err(error) => {
                let encoded = STANDARD.encode(error.as_bytes());
                format!("{{\"base64\": {}}}", quoted(&encoded))
            }
        }
    });
    write!(f, "        \"headers\": ")?;
    write_list(lines.collect(), "          ", f)?;
    writeln!(f, ",")
}

fn write_body(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "        \"body\": ")?;
    let (key, lines) = match std::str::from_utf8(bytes) {
        Ok(text) if is_legible(text) => ("text", text.split_inclusive('\n').map(quoted).collect()),
        _ => {
            let encoded = STANDARD.encode(bytes);
            let lines = encoded.as_bytes().chunks(BASE64_LINE);
            let quoted = lines.map(|line| quoted(&String::from_utf8_lossy(line)));
            ("base64", quoted.collect())
        }
    };
    let is_empty = bytes.is_empty();
    let (open, close) = if is_empty {
        ("{", "}")
    } else {
        ("{\n          ", "\n        }")
    };
    write!(f, "{open}\"{key}\": ")?;
    write_list(lines, "            ", f)?;
    f.write_str(close)
}

fn write_list(items: Vec<String>, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if items.is_empty() {
        return f.write_str("[]");
    }
    let end = indent.get(2..).unwrap_or_default();
    let separator = format!(",\n{indent}");
    write!(f, "[\n{indent}{}\n{end}]", items.join(&separator))
}

/// Whether this is text without control characters other than line breaks and tabs.
fn is_legible(text: &str) -> bool {
    let is_odd = |it: char| it.is_control() && !matches!(it, '\n' | '\r' | '\t');
    !text.chars().any(is_odd)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
