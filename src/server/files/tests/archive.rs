//! Archives that the tests write byte by byte.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

use super::*;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A ZIP archive of entries with name, method, flags and content (APPNOTE 4.3).
fn archive(entries: &[(&str, u16, u16, &[u8])]) -> Vec<u8> {
    let (mut out, mut index) = (Vec::new(), Vec::new());
    for (name, method, flags, content) in entries {
        let packed = match *method {
            DEFLATED => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            _ => content.to_vec(),
        };
        let start = out.len() as u32;
        let mut common = Vec::new();
        common.extend(flags.to_le_bytes());
        common.extend(method.to_le_bytes());
        common.extend([0; 4]);
        common.extend(0xcafe_u32.to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        out.extend(b"PK\x03\x04\x14\x00");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(&packed);
        index.extend(b"PK\x01\x02\x14\x03\x14\x00");
        index.extend(&common);
        index.extend([0; 6]);
        index.extend((0o100_644_u32 << 16).to_le_bytes());
        index.extend(start.to_le_bytes());
        index.extend(name.as_bytes());
    }
    let (count, start, length) = (entries.len() as u16, out.len() as u32, index.len() as u32);
    out.extend(index);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn package() -> Vec<u8> {
    let long = "deflated ".repeat(1000);
    archive(&[
        ("index.html", STORED, 0, b"<h1>stored</h1>"),
        ("css/main.css", DEFLATED, 0, long.as_bytes()),
        ("../climbs", STORED, 0, b"never"),
        ("secret", STORED, 1, b"encrypted"),
        ("odd", 99, 0, b"method"),
    ])
}

fn check(root: ArchiveRoot) {
    let path = |text| AssetPath::parse(text, DotFiles::Allow).unwrap();
    assert!(root.is_dir(&path("/css")) && !root.is_dir(&path("/index.html")));
    let names: Vec<_> = root.list(&path("/css/"), 9).unwrap();
    assert_eq!(
        names
            .iter()
            .map(|entry| entry.name.as_str())
            .collect::<Vec<_>>(),
        ["main.css"]
    );

    let files = StaticFiles::new("/", root);
    let stored = ask(&files, "GET", "/", &[]).unwrap();
    assert_eq!((stored.0, stored.2.as_str()), (200, "<h1>stored</h1>"));
    assert_eq!(stored.field("etag"), Some("\"f-0000cafe\""));
    assert_eq!(stored.field("accept-ranges"), Some("bytes"));
    let part = ask(&files, "GET", "/index.html", &["Range: bytes=4-9,-2"]).unwrap();
    assert_eq!(part.0, 206);
    let part = ask(&files, "GET", "/index.html", &["Range: bytes=4-9"]).unwrap();
    assert_eq!((part.0, part.2.as_str()), (206, "stored"));

    let deflated = ask(&files, "GET", "/css/main.css", &["Range: bytes=4-9"]).unwrap();
    assert_eq!((deflated.0, deflated.2.len()), (200, 9000));
    assert_eq!(deflated.field("accept-ranges"), Some("none"));
    for target in ["/climbs", "/secret", "/odd", "/missing"] {
        assert!(ask(&files, "GET", target, &[]).is_none(), "{target}");
    }
}

#[test]
fn archives_in_memory_and_on_disk() {
    check(ArchiveRoot::from_bytes(package()).unwrap());
    let folder = roots::folder("archive");
    let path = folder.join("game.pak");
    std::fs::write(&path, package()).unwrap();
    check(ArchiveRoot::open(&path).unwrap());
    let error = ArchiveRoot::open(folder.join("missing")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn bytes_that_are_not_an_archive_are_refused() {
    for bytes in [&b""[..], b"PK", b"hello, this is not an archive at all"] {
        let error = ArchiveRoot::from_bytes(bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
    // An archive that is cut anywhere fails to open or serves the entries that are whole. It never panics.
    let whole = package();
    for end in 0..whole.len() {
        if let Ok(root) = ArchiveRoot::from_bytes(whole[..end].to_vec()) {
            let path = AssetPath::parse("/index.html", DotFiles::Refuse).unwrap();
            let _ = root.open(&path);
        }
    }
}

#[test]
fn an_entry_that_lies_about_its_length_is_an_error_when_read() {
    let mut bytes = archive(&[("a", DEFLATED, 0, b"hello")]);
    // The length in the index, which follows the only entry.
    let index = bytes
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    bytes[index + 24..index + 28].copy_from_slice(&1_000_000_u32.to_le_bytes());
    let root = ArchiveRoot::from_bytes(bytes).unwrap();
    let asset = root
        .open(&AssetPath::parse("/a", DotFiles::Refuse).unwrap())
        .unwrap();
    let mut body = AssetBody::new(asset.content, [body::Piece::Part(0..asset.length)]);
    let error = loop {
        if let Err(error) = body.next_chunk(64) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Archives may be packed on any system, and by anybody.
#[test]
fn names_that_windows_reads_as_something_else_are_never_served_and_long_ones_are() {
    let long = ["l", "m", "n"].map(|letter| letter.repeat(120)).join("/");
    let refused = [
        "back\\slash.txt",
        "..\\climbs.txt",
        "\\\\server\\share.txt",
        "C:/drive.txt",
        "C:drive.txt",
        "stream.txt:other",
        "NUL",
        "con.txt",
        "folder/lpt1.log",
        "dot.",
        "space ",
        "ALIAS~1.TXT",
    ];
    let mut entries: Vec<(&str, u16, u16, &[u8])> = vec![(&long, DEFLATED, 0, b"long")];
    entries.extend(refused.map(|name| (name, STORED, 0, &b"never"[..])));
    let bytes = archive(&entries);
    let folder = roots::folder("archive-names");
    // The archive's own path is long, too.
    let deep = folder.join("d".repeat(150)).join("e".repeat(150));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("game.pak");
    std::fs::write(&path, &bytes).unwrap();
    assert!(path.as_os_str().len() > 300);
    for root in [
        ArchiveRoot::from_bytes(bytes).unwrap(),
        ArchiveRoot::open(&path).unwrap(),
    ] {
        let files = StaticFiles::new("/", root);
        let found = ask(&files, "GET", &format!("/{long}"), &[]).unwrap();
        assert_eq!((found.0, found.2.as_str()), (200, "long"));
        for name in refused {
            let encoded = name.replace('\\', "%5c").replace(' ', "%20");
            for target in [format!("/{name}"), format!("/{encoded}")] {
                let found = ask(&files, "GET", &target, &[]);
                let is_served = found.is_some_and(|found| found.2.contains("never"));
                assert!(!is_served, "{target}");
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
