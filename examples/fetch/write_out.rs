//! `-w`: a format with variables, written when a transfer is over.

use std::time::Duration;

use http::Version;
use serde_json::{Map, Value};

use crate::facts::Facts;

/// What a format writes, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Fills a format: `%{name}`, `%header{name}`, `%%`, and `\n`, `\r`, `\t`, `\\`. `%{stderr}` and
/// `%{stdout}` say where what follows goes; what follows `%{onerror}` is for failures only.
pub(crate) fn fill(format: &str, facts: &Facts) -> Written {
    let mut written = Written::default();
    let mut to_stderr = false;
    let mut rest = format;
    while let Some(sign) = rest.chars().next() {
        let behind = &rest[sign.len_utf8()..];
        let (text, next) = match sign {
            '\\' => escape(behind),
            '%' => match variable(behind) {
                Some(("stderr", next)) => {
                    to_stderr = true;
                    (String::new(), next)
                }
                Some(("stdout", next)) => {
                    to_stderr = false;
                    (String::new(), next)
                }
                Some(("onerror", _)) if facts.failure.is_none() => break,
                Some((name, next)) => (value_text(name, facts), next),
                None => match header(behind) {
                    Some((name, next)) => (facts.header(name).unwrap_or_default(), next),
                    None if behind.starts_with('%') => ("%".to_owned(), &behind[1..]),
                    None => ("%".to_owned(), behind),
                },
            },
            sign => (sign.to_string(), behind),
        };
        match to_stderr {
            true => written.stderr.push_str(&text),
            false => written.stdout.push_str(&text),
        }
        rest = next;
    }
    written
}

fn escape(behind: &str) -> (String, &str) {
    let text = match behind.chars().next() {
        Some('n') => "\n",
        Some('r') => "\r",
        Some('t') => "\t",
        Some('\\') => "\\",
        Some(other) => return (format!("\\{other}"), &behind[other.len_utf8()..]),
        None => return ("\\".to_owned(), behind),
    };
    (text.to_owned(), &behind[1..])
}

fn variable(behind: &str) -> Option<(&str, &str)> {
    behind.strip_prefix('{')?.split_once('}')
}

fn header(behind: &str) -> Option<(&str, &str)> {
    behind.strip_prefix("header{")?.split_once('}')
}

/// All variables, by curl's names.
const NAMES: &[&str] = &[
    "content_type",
    "errormsg",
    "exitcode",
    "filename_effective",
    "http_code",
    "http_connect",
    "http_version",
    "local_ip",
    "local_port",
    "method",
    "num_connects",
    "num_headers",
    "num_redirects",
    "redirect_url",
    "referer",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "size_download",
    "size_header",
    "size_request",
    "size_upload",
    "speed_download",
    "speed_upload",
    "time_appconnect",
    "time_connect",
    "time_namelookup",
    "time_pretransfer",
    "time_redirect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
    "urlnum",
];

fn value_text(name: &str, facts: &Facts) -> String {
    match (name, value(name, facts)) {
        ("json", _) => {
            let all = NAMES
                .iter()
                .map(|name| ((*name).to_owned(), value(name, facts)));
            Value::Object(all.collect::<Map<_, _>>()).to_string()
        }
        ("header_json", _) => header_json(facts),
        ("http_code" | "response_code", _) => format!("{:03}", facts.status),
        ("http_connect", _) => format!("{:03}", facts.proxy_status),
        ("url" | "url_effective" | "redirect_url", Value::String(text)) => text,
        (name, Value::Number(number)) if name.starts_with("time_") => {
            format!("{:.6}", number.as_f64().unwrap_or_default())
        }
        (_, Value::String(text)) => text,
        (_, Value::Null) => String::new(),
        (_, other) => other.to_string(),
    }
}

/// The latest head's lines as one object, in the order of the wire, laid out as curl does.
fn header_json(facts: &Facts) -> String {
    let mut all: Vec<(String, Vec<Value>)> = Vec::new();
    for (name, value) in facts.fields.iter() {
        let name = name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(value).into();
        match all.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    let lines: Vec<String> = all
        .into_iter()
        .map(|(name, values)| format!("{}:{}", Value::from(name), Value::from(values)))
        .collect();
    format!("{{{}\n}}", lines.join(",\n"))
}

fn value(name: &str, facts: &Facts) -> Value {
    let timings = &facts.timings;
    match name {
        "content_type" => facts.header("content-type").into(),
        "errormsg" => facts.failure.as_ref().map(|it| it.message.clone()).into(),
        "exitcode" => facts.failure.as_ref().map_or(0, |it| it.status).into(),
        "filename_effective" => facts.file_name.clone().into(),
        "http_code" | "response_code" => facts.status.into(),
        "http_connect" => facts.proxy_status.into(),
        "http_version" => match facts.version {
            Some(Version::HTTP_10) => "1".into(),
            Some(_) => "1.1".into(),
            None => "0".into(),
        },
        "local_ip" => facts.local.map(|it| it.ip().to_string()).into(),
        "local_port" => facts.local.map_or(0, |it| it.port()).into(),
        "method" => facts.method.clone().into(),
        "num_connects" => facts.connects.into(),
        "num_headers" => facts.header_count.into(),
        "num_redirects" => facts.redirects.into(),
        "redirect_url" => facts.redirect_url().into(),
        "remote_ip" => facts.remote.map(|it| it.ip().to_string()).into(),
        "remote_port" => facts.remote.map_or(0, |it| it.port()).into(),
        "scheme" => facts
            .url
            .as_ref()
            .map(|it| it.scheme().to_ascii_uppercase())
            .into(),
        "size_download" => facts.downloaded.into(),
        "size_header" => facts.header_bytes.into(),
        "size_request" => facts.request_bytes.into(),
        "size_upload" => facts.uploaded.into(),
        "speed_download" => per_second(facts.downloaded, facts.total).into(),
        "speed_upload" => per_second(facts.uploaded, facts.total).into(),
        "time_appconnect" => seconds(timings.appconnect),
        "time_connect" => seconds(timings.connect),
        "time_namelookup" => seconds(timings.namelookup),
        "time_pretransfer" => seconds(timings.pretransfer),
        "time_redirect" => seconds(timings.redirect),
        "time_starttransfer" => seconds(timings.starttransfer),
        "time_total" => seconds(facts.total),
        "url" => facts.given_url.clone().into(),
        "url_effective" => facts.url.as_ref().map(url::Url::to_string).into(),
        "urlnum" => facts.number.into(),
        _ => Value::Null,
    }
}

fn seconds(time: Duration) -> Value {
    time.as_secs_f64().into()
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    if time.is_zero() {
        return 0;
    }
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1_000_000) / micros
}
