//! Requests for files and their responses.

#[cfg(feature = "archive")]
mod archive;
mod conditions;
mod roots;

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;

use super::*;
use crate::proto::FieldLines;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn modified() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

fn now() -> SystemTime {
    modified() + Duration::from_secs(3600)
}

/// Files with their times. A disk would not have some of these times.
struct Shelf(Vec<(&'static str, &'static str, SystemTime)>);

impl AssetRoot for Shelf {
    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        if path.as_str() == "broken" {
            return Err(io::Error::other("disk on fire"));
        }
        let (_, content, modified) = self
            .0
            .iter()
            .find(|(name, ..)| *name == path.as_str())
            .ok_or_else(root::not_found)?;
        Ok(Asset {
            length: content.len() as u64,
            modified: Some(*modified),
            etag: None,
            content: AssetContent::Seekable(Box::new(io::Cursor::new(content.as_bytes()))),
        })
    }

    fn is_dir(&self, path: &AssetPath) -> bool {
        let folder = format!("{path}/");
        path.as_str().is_empty() || self.0.iter().any(|(name, ..)| name.starts_with(&folder))
    }

    fn list(&self, _: &AssetPath, limit: usize) -> io::Result<Vec<Listed>> {
        let names = self.0.iter().take(limit).map(|(name, ..)| Listed {
            name: (*name).to_owned(),
            is_dir: false,
        });
        Ok(names.collect())
    }
}

fn shelf() -> Shelf {
    Shelf(vec![
        ("digits.txt", "0123456789", modified()),
        ("sub/index.html", "<h1>sub</h1>", modified()),
        ("bare/a b.css", "a{}", modified()),
        ("app.js", "plain", modified()),
        ("app.js.br", "brotli", modified()),
        ("app.js.gz", "gzip", modified()),
        ("stale.js", "plain", modified()),
        ("stale.js.gz", "old", modified() - Duration::from_secs(1)),
        ("empty", "", modified()),
        ("young", "x", now()),
        (".hidden", "x", modified()),
    ])
}

fn files() -> StaticFiles {
    StaticFiles::new("/static", shelf())
}

/// The status, the fields and the content.
struct Answered(u16, http::HeaderMap, String);

impl Answered {
    fn field(&self, name: &str) -> Option<&str> {
        self.1.get(name).map(|value| value.to_str().unwrap())
    }
}

fn ask(files: &StaticFiles, method: &str, target: &str, lines: &[&str]) -> Option<Answered> {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let answer = files.plan(&method, target, &fields, now())?;
    let mut content = Vec::new();
    let is_empty = matches!(answer.body, FileBody::Empty);
    match answer.body {
        FileBody::Empty => {}
        FileBody::Bytes(bytes) => content.extend_from_slice(&bytes),
        FileBody::Asset(mut body) => {
            while let Some(chunk) = body.next_chunk(3).unwrap() {
                content.extend_from_slice(&chunk);
            }
        }
    }
    if !is_empty {
        assert_eq!(answer.length, Some(content.len() as u64), "{target}");
    }
    assert_eq!(
        answer.headers["x-content-type-options"], "nosniff",
        "{target}"
    );
    let content = String::from_utf8(content).unwrap();
    Some(Answered(answer.status.as_u16(), answer.headers, content))
}

fn get(target: &str, lines: &[&str]) -> Answered {
    ask(&files(), "GET", target, lines).unwrap()
}

#[test]
fn a_file_with_its_type_and_all_its_bytes() {
    let answer = get("/static/digits.txt?v=1", &[]);
    assert_eq!((answer.0, answer.2.as_str()), (200, "0123456789"));
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.field("last-modified"), Some(MODIFIED));
    assert_eq!(answer.field("accept-ranges"), Some("bytes"));
    assert_eq!(answer.field("vary"), Some("accept-encoding"));
    assert_eq!(answer.field("cache-control"), None);
    assert!(answer.field("etag").unwrap().starts_with('"'));
    assert_eq!(get("/static/empty", &[]).2, "");
    assert_eq!(get("http://a.example/static/digits.txt", &[]).0, 200);
    assert_eq!(get("/%73tatic/digits%2etxt", &[]).0, 200);
}

#[test]
fn head_has_the_fields_of_get() {
    let head = files().plan(
        &Method::HEAD,
        "/static/digits.txt",
        &FieldLines::new(),
        now(),
    );
    let head = head.unwrap();
    assert_eq!(head.length, Some(10));
    assert!(matches!(head.body, FileBody::Empty));
    assert_eq!(head.headers, get("/static/digits.txt", &[]).1);
    // RFC 9110 §14.2: only a `GET` has a range.
    let ranged = ask(
        &files(),
        "HEAD",
        "/static/digits.txt",
        &["Range: bytes=0-1"],
    )
    .unwrap();
    assert_eq!(ranged.0, 200);
}

#[test]
fn how_long_files_may_be_kept() {
    let files = files().cache_age(60);
    let answer = ask(&files, "GET", "/static/digits.txt", &[]).unwrap();
    assert_eq!(
        answer.field("cache-control"),
        Some("public, max-age=60, s-maxage=60, immutable")
    );
}

#[test]
fn a_missing_file_has_no_response() {
    for target in [
        "/static/missing",
        "/static/missing/",
        "/static/digits.txt/",
        "/static/",
        "/static/bare/",
        "/static/.hidden",
        "/other",
        "/",
        "*",
        // The path is not below the base, so this module does not refuse it.
        "/other/../x",
        "/..%2fx",
        "//x",
    ] {
        assert!(ask(&files(), "GET", target, &[]).is_none(), "{target}");
    }
}

#[test]
fn the_base_ends_at_a_slash() {
    assert!(ask(&files(), "GET", "/staticfoo", &[]).is_none());
    assert!(ask(&files(), "GET", "/staticdigits.txt", &[]).is_none());
    for base in ["static", "/static", "/static/"] {
        let files = StaticFiles::new(base, shelf());
        assert_eq!(
            ask(&files, "GET", "/static/digits.txt", &[]).unwrap().0,
            200,
            "{base}"
        );
    }
    for base in ["", "/"] {
        let files = StaticFiles::new(base, shelf());
        assert_eq!(
            ask(&files, "GET", "/digits.txt", &[]).unwrap().0,
            200,
            "{base}"
        );
    }
}

#[test]
fn index_files_and_slashes() {
    let index = get("/static/sub/", &[]);
    assert_eq!((index.0, index.2.as_str()), (200, "<h1>sub</h1>"));
    assert_eq!(
        index.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    for (target, location) in [
        ("/static/sub", "/static/sub/"),
        ("/static/sub?a=b%20c", "/static/sub/?a=b%20c"),
        ("/static/%73ub?", "/static/sub/?"),
        ("/static/bare", "/static/bare/"),
        ("/static", "/static/"),
        ("/static/sub?\u{e9}", "/static/sub/"),
    ] {
        let answer = get(target, &[]);
        assert_eq!(
            (answer.0, answer.field("location")),
            (301, Some(location)),
            "{target}"
        );
    }
    let other = files().index("digits.txt");
    assert!(ask(&other, "GET", "/static/sub/", &[]).is_none());
    assert_eq!(ask(&other, "GET", "/static/", &[]).unwrap().2, "0123456789");
    let none = files().index("");
    assert!(ask(&none, "GET", "/static/sub/", &[]).is_none());
}

#[test]
fn no_redirect_leads_to_another_host() {
    let files = StaticFiles::new("/", shelf());
    for target in [
        "//sub",
        "//evil.example/..",
        "/\\evil.example",
        "/%2fevil.example",
        "/%5cevil",
    ] {
        let answer = ask(&files, "GET", target, &[]).unwrap();
        assert_eq!(
            (answer.0, answer.field("location")),
            (400, None),
            "{target}"
        );
    }
}

#[test]
fn paths_that_no_file_can_have() {
    for target in [
        "/static/../digits.txt",
        "/static/%2e%2e/digits.txt",
        "/static/..%2fdigits.txt",
        "/static/a%5cb",
        "/static/a%00.txt",
        "/static/%2e%2e%5cdigits.txt",
        "/static/..%5c..%5cdigits.txt",
        // `.` and `/` in encodings of UTF-8 that are longer than allowed (RFC 3629 §3).
        "/static/%c0%ae%c0%ae/digits.txt",
        "/static/..%c0%afdigits.txt",
        "/static/%e0%80%ae%e0%80%ae/digits.txt",
        "/static/%ff",
        "/static/%u002e%u002e/digits.txt",
        "/static/%2",
        "/static//digits.txt",
        "/static/nul",
        "/static/C:/x",
        "/%73tatic/../x",
        "/static\\..\\x",
    ] {
        let answer = ask(&files(), "GET", target, &[]);
        assert_eq!(answer.map(|answer| answer.0), Some(400), "{target}");
    }
    assert!(ask(&files(), "GET", "/static/%252e%252e/digits.txt", &[]).is_none());
}

#[test]
fn other_methods() {
    for (method, target, status) in [
        ("POST", "/static/digits.txt", Some(405)),
        ("DELETE", "/static/sub/", Some(405)),
        ("PUT", "/static/sub", Some(405)),
        ("OPTIONS", "/static/digits.txt", Some(204)),
        ("POST", "/static/missing", None),
        ("POST", "/static/../x", None),
        ("POST", "/other", None),
    ] {
        let answer = ask(&files(), method, target, &[]);
        assert_eq!(
            answer.as_ref().map(|answer| answer.0),
            status,
            "{method} {target}"
        );
        let allow = answer.as_ref().and_then(|answer| answer.field("allow"));
        assert_eq!(allow, status.map(|_| "GET, HEAD, OPTIONS"));
    }
}

#[test]
fn an_error_of_the_disk_is_500() {
    assert_eq!(get("/static/broken", &[]).0, 500);
}

#[test]
fn listings_are_off_and_can_be_on() {
    assert!(ask(&files(), "GET", "/static/", &[]).is_none());
    let files = files().listing(true);
    let page = ask(&files, "GET", "/static/", &[]).unwrap();
    assert_eq!(page.0, 200);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.field("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(page.2.contains("./digits.txt"));
    assert!(!page.2.contains(".hidden"));
    let head = ask(&files, "HEAD", "/static/", &[]).unwrap();
    assert_eq!((head.0, head.2.as_str()), (200, ""));
    assert_eq!(
        ask(&files, "GET", "/static/sub/", &[]).unwrap().2,
        "<h1>sub</h1>"
    );
    assert!(ask(&files, "GET", "/static/missing/", &[]).is_none());
}

#[test]
fn precompressed_siblings() {
    for (target, accepted, coding, content) in [
        ("/static/app.js", "gzip, br", Some("br"), "brotli"),
        ("/static/app.js", "gzip", Some("gzip"), "gzip"),
        ("/static/app.js", "zstd", None, "plain"),
        ("/static/app.js", "zstd, gzip;q=0.1", Some("gzip"), "gzip"),
        ("/static/app.js", "gzip;q=0", None, "plain"),
        ("/static/app.js", "", None, "plain"),
        ("/static/stale.js", "gzip", None, "plain"),
        ("/static/digits.txt", "gzip", None, "0123456789"),
    ] {
        let answer = get(target, &[&format!("Accept-Encoding: {accepted}")]);
        assert_eq!(
            answer.field("content-encoding"),
            coding,
            "{target} {accepted}"
        );
        assert_eq!(answer.2, content, "{target} {accepted}");
        assert_eq!(answer.field("vary"), Some("accept-encoding"));
        let is_script = target.ends_with(".js");
        assert_eq!(
            answer
                .field("content-type")
                .unwrap()
                .starts_with("text/javascript"),
            is_script
        );
    }
    // Each coding is a representation with its own tag and ranges.
    let plain = get("/static/app.js", &[]);
    let coded = get("/static/app.js", &["Accept-Encoding: br"]);
    assert_ne!(plain.field("etag"), coded.field("etag"));
    let part = get(
        "/static/app.js",
        &["Accept-Encoding: br", "Range: bytes=0-1"],
    );
    assert_eq!(
        (part.2.as_str(), part.field("content-encoding")),
        ("br", Some("br"))
    );

    let off = files().precompressed(false);
    let answer = ask(&off, "GET", "/static/app.js", &["Accept-Encoding: br"]).unwrap();
    assert_eq!((answer.2.as_str(), answer.field("vary")), ("plain", None));
    let direct = get("/static/app.js.gz", &[]);
    assert_eq!(direct.field("content-type"), Some("application/gzip"));
    assert_eq!(direct.field("content-encoding"), None);
}

#[test]
fn tags_come_with_an_age() {
    let folder = roots::folder("serve-files");
    std::fs::write(folder.join("x.css"), "a{}").unwrap();
    for (age, tag, is_tagged) in [
        (0, None, false),
        (1, None, true),
        (0, Some(true), true),
        (1, Some(false), false),
    ] {
        let files = StaticFiles::serve_files("/static", &folder, age, tag).unwrap();
        let answer = ask(&files, "GET", "/static/x.css", &[]).unwrap();
        assert_eq!((answer.0, answer.2.as_str()), (200, "a{}"));
        assert_eq!(answer.field("etag").is_some(), is_tagged, "{age} {tag:?}");
    }
    let error = StaticFiles::serve_files("/", folder.join("missing"), 0, None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    std::fs::remove_dir_all(folder).unwrap();
}
