//! Reads the date tables of the http-state working group, and compares how a cookie jar understands each date. See
//! tests/conformance/README.md.
//!
//! A jar forgets a cookie that has expired, and keeps none for more than 400 days. So its clock is set to the day
//! before the date that the table expects.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpoll::cookies::CookieJar;
use serde_json::Value;
use url::Url;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = Url::parse("http://home.example.org/")?;
    let (mut dates, mut differing) = (0, 0);
    for file in std::env::args().skip(1) {
        for row in rows(&std::fs::read_to_string(file)?)? {
            let text = row["test"].as_str().ok_or("a row without a date")?;
            let expected = row["expected"].as_str();
            let expected = expected.map(httpdate::parse_http_date).transpose()?;
            let found = understood(&url, text, expected);
            dates += 1;
            if found != Understood::as_expected(expected) {
                differing += 1;
                println!("{text:?}: expected {}, got {found:?}", row["expected"]);
            }
        }
    }
    if dates == 0 {
        eprintln!("usage: cookie_dates FILE...");
        return Ok(ExitCode::from(2));
    }
    println!("{} of {dates} as in the tables", dates - differing);
    Ok(ExitCode::SUCCESS)
}

/// The rows of a table, which may begin with a comment.
fn rows(text: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    Ok(serde_json::from_str(&lines.collect::<Vec<_>>().join("\n"))?)
}

/// What a jar makes of a date.
#[derive(Debug, PartialEq)]
enum Understood {
    /// No date: the cookie lasts for the session.
    Invalid,
    At(SystemTime),
    /// A date before the day on which the cookie was set.
    Past,
}

impl Understood {
    fn as_expected(expected: Option<SystemTime>) -> Self {
        expected.map_or(Self::Invalid, Self::At)
    }
}

fn understood(url: &Url, text: &str, expected: Option<SystemTime>) -> Understood {
    let date = expected.unwrap_or(UNIX_EPOCH);
    let now = date.checked_sub(DAY).unwrap_or(date);
    let mut jar = CookieJar::new();
    // A date may contain a semicolon or worse; then the rest is no part of it.
    let _ = jar.store(url, format!("a=1; Expires={text}").as_bytes(), now);
    match jar.iter(now).next() {
        None => Understood::Past,
        Some(cookie) => cookie.expires.map_or(Understood::Invalid, Understood::At),
    }
}
