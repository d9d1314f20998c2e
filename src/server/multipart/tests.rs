//! Forms in pieces of every size.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::{DiskFault, DiskStep};

const TYPE: &[u8] = b"multipart/form-data; boundary=XX";

/// Events as text. Consecutive pieces of content become one.
fn events<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &MultipartLimits,
) -> Result<Vec<String>, MultipartError> {
    let mut parser = MultipartParser::new(TYPE, limits)?;
    let mut events: Vec<String> = Vec::new();
    for mut piece in pieces {
        loop {
            let step = parser.receive(piece)?;
            piece = &piece[step.consumed..];
            let text = match step.event {
                None => break,
                Some(MultipartEvent::Part(head)) => format!("part {}", head.name),
                Some(MultipartEvent::Content(content)) => {
                    assert!(!content.is_empty());
                    let content = content.escape_ascii().to_string();
                    match events.last_mut().filter(|last| last.starts_with("= ")) {
                        Some(last) => {
                            last.push_str(&content);
                            continue;
                        }
                        None => format!("= {content}"),
                    }
                }
                Some(MultipartEvent::PartEnd) => "part end".into(),
                Some(MultipartEvent::End) => "end".into(),
            };
            events.push(text);
        }
        assert!(piece.is_empty(), "without an event all is taken");
    }
    parser.finish()?;
    Ok(events)
}

/// Parses the form whole, byte by byte, and split at every position.
fn every_way(form: &[u8], limits: &MultipartLimits) -> Result<Vec<String>, MultipartError> {
    let whole = events([form], limits);
    assert_eq!(events(form.chunks(1), limits), whole, "byte by byte");
    for split in 0..=form.len() {
        let (a, b) = form.split_at(split);
        assert_eq!(events([a, b], limits), whole, "split at {split}");
    }
    whole
}

fn part(name: &str, content: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

#[test]
fn parts_byte_for_byte() {
    let head = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let one = |content: &str| {
        let mut events = vec!["part a".to_owned()];
        if !content.is_empty() {
            events.push(format!("= {}", content.as_bytes().escape_ascii()));
        }
        events.extend(["part end".to_owned(), "end".to_owned()]);
        events
    };
    for content in [
        "",
        "x",
        "line\r\n",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "\r\r\n-",
        "\r\n-",
        "\r\n--",
        "\r\n--X",
        "\r\n--X\r\n--X\r\n--",
        "--X",
        "--",
        "-",
        "\r\r\r\n--X",
        "--XY and more",
        "XX--XX",
        "\u{0}\u{1}",
    ] {
        let form = format!("{head}{content}\r\n--XX--\r\n");
        let found = every_way(form.as_bytes(), &MultipartLimits::default());
        assert_eq!(found, Ok(one(content)), "{content:?}");
    }
}

#[test]
fn the_shape_of_forms() {
    let (a, b) = (part("a", "1"), part("b", "2"));
    let two = [
        "part a", "= 1", "part end", "part b", "= 2", "part end", "end",
    ];
    for form in [
        format!("{a}{b}--XX--\r\n"),
        format!("{a}{b}--XX--"),
        format!("\r\n{a}{b}--XX--\r\n"),
        format!("preamble --XX\r\n{a}{b}--XX--epilogue\r\n--XX\r\nno part"),
        format!("{a}{b}--XX-- \t\r\n"),
        a.replacen("--XX\r\n", "--XX \t \r\n", 1) + &b + "--XX--\r\n",
    ] {
        let found = every_way(form.as_bytes(), &MultipartLimits::default());
        assert_eq!(
            found.as_deref(),
            Ok(&two.map(str::to_owned)[..]),
            "{form:?}"
        );
    }
    let none = every_way(b"--XX--\r\n", &MultipartLimits::default());
    assert_eq!(none, Ok(vec!["end".to_owned()]));
    // A part without content has no empty line (RFC 2046 §5.1.1, body-part).
    let bare = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--\r\n";
    let found = every_way(bare.as_bytes(), &MultipartLimits::default()).unwrap();
    assert_eq!(found, ["part a", "part end", "end"]);
    // Duplicates are kept.
    let same = every_way(
        (a.clone() + &a + "--XX--").as_bytes(),
        &MultipartLimits::default(),
    );
    assert_eq!(
        same.unwrap()
            .iter()
            .filter(|event| *event == "part a")
            .count(),
        2
    );
}

#[test]
fn broken_forms() {
    use MultipartError::{Boundary, Head, Name, Truncated};
    let a = part("a", "1");
    for (form, expected) in [
        (String::new(), Truncated),
        ("no boundary".into(), Truncated),
        (a.clone(), Truncated),
        (format!("{a}--XX"), Truncated),
        (format!("{a}--XX-"), Truncated),
        (format!("{a}--XX\r\n"), Truncated),
        (format!("{a}--XXY\r\n"), Boundary),
        (format!("{a}--XX-x"), Boundary),
        (format!("{a}--XX \n"), Boundary),
        (format!("{a}--XX\rx"), Boundary),
        (format!("{a}--XX{}\r\n", " ".repeat(200)), Boundary),
        ("--XX\r\n\r\nx\r\n--XX--".into(), Name),
        ("--XX\r\nContent-Type: a\r\n\r\nx\r\n--XX--".into(), Name),
        (
            "--XX\r\nContent-Disposition: form-data; name=\"a\0\"\r\n\r\n".into(),
            Head,
        ),
        ("--XX\r\n folded\r\n\r\n".into(), Head),
    ] {
        let found = every_way(form.as_bytes(), &MultipartLimits::default());
        assert_eq!(expected.status(), 400);
        assert_eq!(found, Err(expected), "{form:?}");
    }
}

#[test]
fn limits_of_the_parser() {
    let form = format!("{}{}--XX--", part("a", "1"), part("b", "2"));
    let total = form.len() as u64;
    let fits = MultipartLimits {
        total_bytes: total,
        parts: 2,
        head_bytes: 44,
        ..MultipartLimits::default()
    };
    assert!(every_way(form.as_bytes(), &fits).is_ok());
    for (limits, expected) in [
        (
            MultipartLimits {
                total_bytes: total - 1,
                ..fits.clone()
            },
            MultipartLimit::TotalBytes(total - 1),
        ),
        (
            MultipartLimits {
                parts: 1,
                ..fits.clone()
            },
            MultipartLimit::Parts(1),
        ),
        (
            MultipartLimits {
                head_bytes: 43,
                ..fits.clone()
            },
            MultipartLimit::HeadBytes(43),
        ),
    ] {
        let error = every_way(form.as_bytes(), &limits).unwrap_err();
        assert_eq!(error, MultipartError::Limit(expected));
        assert_eq!(error.status(), 413);
    }
    assert_eq!(
        MultipartLimit::Parts(1).to_string(),
        "more than 1 parts in the form (MultipartLimits::parts)"
    );
}

/// A store in memory that counts how many of its files are left.
#[derive(Clone, Default)]
struct Shelf {
    files: Arc<Mutex<usize>>,
    written: Arc<Mutex<usize>>,
    is_full: bool,
}

struct ShelfFile(Cursor<Vec<u8>>, Shelf);

impl SpillStore for Shelf {
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>> {
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *self.files.lock().unwrap() += 1;
        Ok(Box::new(ShelfFile(Cursor::default(), self.clone())))
    }
}

impl SpillFile for ShelfFile {
    fn keep(self: Box<Self>, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Read for ShelfFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for ShelfFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.1.written.lock().unwrap() += bytes.len();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for ShelfFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Drop for ShelfFile {
    fn drop(&mut self) {
        *self.1.files.lock().unwrap() -= 1;
    }
}

fn file(name: &str, content: &str) -> String {
    format!(
        "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}.bin\"\r\n\
         Content-Type: image/png\r\n\r\n{content}\r\n"
    )
}

fn read(file: &mut UploadedFile) -> String {
    let mut text = String::new();
    file.reader().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn small(memory_bytes: usize) -> MultipartLimits {
    MultipartLimits {
        memory_bytes,
        ..MultipartLimits::default()
    }
}

#[test]
fn fields_and_files() {
    let form = part("a", "1")
        + &file("pic", "0123456789")
        + &part("a", "2\r\n")
        + &file("big", "0123456789+")
        + "--XX\r\nContent-Disposition: form-data; name=typed\r\nContent-Type: text/x\r\n\r\nt\r\n"
        + "--XX\r\nContent-Disposition: form-data; name=named; filename=n\r\n\r\nn\r\n"
        + "--XX--\r\n";
    for size in [1, 2, 7, 64, usize::MAX] {
        let shelf = Shelf::default();
        let mut reader = FormReader::new(TYPE, small(10), shelf.clone()).unwrap();
        for piece in form.as_bytes().chunks(size.min(form.len())) {
            assert_eq!(reader.receive(piece), Ok(piece.len()));
        }
        let mut form = reader.finish().unwrap();
        let fields: Vec<_> = form
            .fields
            .iter()
            .map(|field| (&*field.name, field.text().unwrap()))
            .collect();
        assert_eq!(fields, [("a", "1"), ("a", "2\r\n")]);
        assert_eq!(form.field("a").unwrap().text(), Some("1"));
        assert_eq!(form.file("pic").unwrap().bytes().unwrap(), "0123456789");
        assert!(
            form.file("big").unwrap().bytes().is_none(),
            "above the threshold"
        );
        let files: Vec<_> = form
            .files
            .iter_mut()
            .map(|file| {
                let twice = (read(file), read(file));
                assert_eq!(twice.0, twice.1);
                assert_eq!(file.size, twice.0.len() as u64);
                (
                    file.head.name.clone(),
                    file.head.file_name.clone(),
                    file.mime().to_owned(),
                    twice.0,
                )
            })
            .collect();
        let expected = [
            ("pic", Some("pic.bin"), "image/png", "0123456789"),
            ("big", Some("big.bin"), "image/png", "0123456789+"),
            ("typed", None, "text/x", "t"),
            ("named", Some("n"), "text/plain", "n"),
        ];
        let expected = expected.map(|(a, b, c, d)| {
            (
                a.to_owned(),
                b.map(str::to_owned),
                c.to_owned(),
                d.to_owned(),
            )
        });
        assert_eq!(files, expected);
        assert_eq!(*shelf.files.lock().unwrap(), 1);
        drop(form);
        assert_eq!(*shelf.files.lock().unwrap(), 0, "deleted on drop");
    }
}

#[test]
fn a_form_that_breaks_off_leaves_nothing() {
    let shelf = Shelf::default();
    let form = file("a", "0123456789") + &file("b", "0123456789");
    for end in 0..form.len() {
        let mut reader = FormReader::new(TYPE, small(4), shelf.clone()).unwrap();
        reader.receive(&form.as_bytes()[..end]).unwrap();
        assert_eq!(reader.finish().unwrap_err(), MultipartError::Truncated);
        assert_eq!(*shelf.files.lock().unwrap(), 0);
    }
}

#[test]
fn a_call_writes_a_bounded_number_of_bytes() {
    let shelf = Shelf::default();
    let content = "x".repeat(3_000_000);
    let form = file("a", &content) + "--XX--";
    let mut reader = FormReader::new(TYPE, small(1000), shelf.clone()).unwrap();
    let mut rest = form.as_bytes();
    let mut calls = 0;
    while !rest.is_empty() {
        let before = *shelf.written.lock().unwrap();
        let taken = reader.receive(rest).unwrap();
        assert!((1..=256 * 1024).contains(&taken));
        assert!(*shelf.written.lock().unwrap() - before <= 256 * 1024 + 1000);
        rest = &rest[taken..];
        calls += 1;
    }
    assert_eq!(calls, form.len().div_ceil(256 * 1024));
    let mut form = reader.finish().unwrap();
    assert_eq!(form.files[0].size, 3_000_000);
    assert!(read(&mut form.files[0]) == content);
}

#[test]
fn limits_of_fields_and_files() {
    let limits = MultipartLimits {
        field_bytes: 4,
        file_bytes: 6,
        memory_bytes: 2,
        ..MultipartLimits::default()
    };
    for (form, expected) in [
        (part("a", "1234"), Ok(())),
        (part("a", "12345"), Err(MultipartLimit::FieldBytes(4))),
        (file("a", "123456"), Ok(())),
        (file("a", "1234567"), Err(MultipartLimit::FileBytes(6))),
    ] {
        for size in [1, 3, 1000] {
            let mut reader = FormReader::new(TYPE, limits.clone(), Shelf::default()).unwrap();
            let found = form
                .as_bytes()
                .chunks(size)
                .try_for_each(|piece| reader.receive(piece).map(drop));
            assert_eq!(found, expected.map_err(MultipartError::Limit), "{form:?}");
        }
    }
}

#[test]
fn a_full_disk() {
    let shelf = Shelf {
        is_full: true,
        ..Shelf::default()
    };
    let mut reader = FormReader::new(TYPE, small(2), shelf).unwrap();
    let error = reader.receive(file("a", "123").as_bytes()).unwrap_err();
    assert_eq!(error.status(), 500);
    let fault = DiskFault::io(DiskStep::Open, &io::ErrorKind::StorageFull.into());
    let folder = None;
    assert_eq!(error, MultipartError::Spill { folder, fault });
    // A store in a folder is named.
    let folder = std::env::temp_dir().join("httpoll-no-such-folder");
    let mut reader = FormReader::new(TYPE, small(2), TempFolder::new(&folder)).unwrap();
    let error = reader.receive(file("a", "123").as_bytes()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(folder.to_str().unwrap()), "{text}");
    assert!(text.contains("could not open the file"), "{text}");
}

#[test]
fn files_in_a_folder() {
    let folder = std::env::temp_dir().join(format!("httpoll-uploads-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let count = || std::fs::read_dir(&folder).unwrap().count();
    let mut reader = FormReader::new(TYPE, small(4), TempFolder::new(&folder)).unwrap();
    let form = file("a", "0123456789") + &file("b", "abcdefghi") + &file("c", "c") + "--XX--";
    reader.receive(form.as_bytes()).unwrap();
    let mut form = reader.finish().unwrap();
    // On Unix they have no names, so that a killed process leaves nothing.
    assert_eq!(count(), if cfg!(unix) { 0 } else { 2 });
    assert_eq!(read(&mut form.files[0]), "0123456789");
    assert_eq!(read(&mut form.files[1]), "abcdefghi");
    let small = form.files.pop().unwrap();
    small.keep(folder.join("c.bin")).unwrap();
    let large = form.files.pop().unwrap();
    large.keep(folder.join("b.bin")).unwrap();
    drop(form);
    assert_eq!(
        std::fs::read_to_string(folder.join("b.bin")).unwrap(),
        "abcdefghi"
    );
    assert_eq!(std::fs::read_to_string(folder.join("c.bin")).unwrap(), "c");
    assert_eq!(count(), 2, "what was not kept is gone");
    // Small and large files have the same mode.
    #[cfg(unix)]
    for entry in std::fs::read_dir(&folder).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let mut missing = TempFolder::new(folder.join("missing"));
    let error = missing.create().err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn debug_hides_values() {
    let field = FormField {
        name: "password".into(),
        value: "sesame".into(),
    };
    assert!(!format!("{field:?}").contains("sesame"));
}

#[test]
fn forms_can_be_part_of_a_games_resource() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<FormReader>();
    is_send_and_sync::<ReceivedForm>();
}
