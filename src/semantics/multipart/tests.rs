use std::io::{self, Read};

use super::body::FormBody;
use super::*;
use crate::error::FormFault;

const RANDOM: [u8; 16] = [0xab; 16];

fn whole(mut body: FormBody) -> String {
    let mut bytes = Vec::new();
    let length = body.length();
    body.read_to_end(&mut bytes).unwrap();
    if let Some(length) = length {
        assert_eq!(length, bytes.len() as u64);
    }
    String::from_utf8(bytes).unwrap()
}

/// The form, with its files opened as their owner would.
fn start(form: Form) -> FormBody {
    open_files(form.start(RANDOM).unwrap())
}

fn open_files(mut body: FormBody) -> FormBody {
    for file in body.unopened() {
        let content = std::fs::read(file.path).unwrap();
        let length = content.len() as u64;
        file.set(io::Cursor::new(content), length);
    }
    assert!(!body.needs_files());
    body
}

/// Replaces the boundary in the lines by `--B`.
fn readable(body: FormBody) -> String {
    let boundary = grammar::boundary(RANDOM);
    whole(body).replace(&boundary, "B")
}

/// A temporary file that is removed at the end of the test.
struct TestFile(std::path::PathBuf);

impl TestFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let directory = std::env::temp_dir().join(format!("httpoll-form-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        if let Some(directory) = self.0.parent() {
            // Fails while another test still has a file in it.
            let _ = std::fs::remove_dir(directory);
        }
    }
}

#[test]
fn fields_and_files_in_order_rfc_7578() {
    let file = TestFile::new("shot \u{e4}.png", b"PNG");
    let form = Form::new()
        .text("a", "1")
        .file("f", &file.0)
        .text("a", "two\nlines")
        .bytes("g", "x.unknown-type", "raw")
        .part("h", Part::text("{}").content_type("application/json"))
        .reader("i", "i.txt", &b"read"[..], Some(4));
    let body = start(form);
    let content_type = body.content_type();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=");
    assert_eq!(boundary, Some(grammar::boundary(RANDOM).as_str()));
    assert!(body.length().is_some());
    let expected = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
        --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"shot \u{e4}.png\"\r\n\
        Content-Type: image/png\r\n\r\nPNG\r\n\
        --B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ntwo\nlines\r\n\
        --B\r\nContent-Disposition: form-data; name=\"g\"; filename=\"x.unknown-type\"\r\n\
        Content-Type: application/octet-stream\r\n\r\nraw\r\n\
        --B\r\nContent-Disposition: form-data; name=\"h\"\r\n\
        Content-Type: application/json\r\n\r\n{}\r\n\
        --B\r\nContent-Disposition: form-data; name=\"i\"; filename=\"i.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nread\r\n\
        --B--\r\n";
    assert_eq!(readable(body), expected);
}

#[test]
fn a_form_of_plain_fields_or_of_nothing() {
    let body = Form::new().text("", "").start(RANDOM).unwrap();
    let expected = "--B\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n\r\n--B--\r\n";
    assert_eq!(readable(body), expected);
    assert_eq!(readable(Form::new().start(RANDOM).unwrap()), "--B--\r\n");
}

#[test]
fn quotes_in_names_are_encoded_whatwg_4_10_21_8() {
    let form = Form::new().bytes("a\"\r\nX: y", "b\"\n\\%.txt", "");
    let text = readable(form.start(RANDOM).unwrap());
    let line = "name=\"a%22%0D%0AX: y\"; filename=\"b%22%0A\\%.txt\"\r\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_form_is_read_in_pieces_of_any_size() {
    let form = || {
        Form::new()
            .text("a", "1")
            .bytes("b", "b.bin", vec![b'x'; 300])
    };
    let expected = whole(form().start(RANDOM).unwrap());
    for room in 1..600 {
        let mut body = form().start(RANDOM).unwrap();
        let (mut drawn, mut buffer) = (Vec::new(), vec![0; room]);
        loop {
            match body.read(&mut buffer).unwrap() {
                0 => break,
                count => drawn.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(drawn, expected.as_bytes(), "in pieces of {room}");
        assert_eq!(body.read(&mut buffer).unwrap(), 0);
    }
}

#[test]
fn a_part_of_unknown_length_makes_the_form_length_unknown() {
    let form = Form::new()
        .text("a", "1")
        .reader("b", "b", &b"read"[..], None);
    let body = form.start(RANDOM).unwrap();
    assert_eq!(body.length(), None);
    assert!(body.again().is_none());
    assert!(readable(body).ends_with("\r\n\r\nread\r\n--B--\r\n"));
    let huge = Form::new()
        .reader("a", "a", io::empty(), Some(u64::MAX))
        .start(RANDOM);
    assert_eq!(huge.unwrap().length(), None);
}

#[test]
fn a_reader_must_match_its_length() {
    let form = Form::new().reader("a", "a", &b"longer"[..], Some(4));
    assert!(readable(form.start(RANDOM).unwrap()).ends_with("\r\n\r\nlong\r\n--B--\r\n"));
    let form = Form::new().reader("a", "a", &b"short"[..], Some(9));
    let mut body = form.start(RANDOM).unwrap();
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_reader_without_data_is_read_again_later() {
    struct Hesitant(bool);
    impl Read for Hesitant {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }
    let form = Form::new().reader("a", "a", Hesitant(false), Some(3));
    let mut body = form.start(RANDOM).unwrap();
    let length = body.length().unwrap();
    let (mut bytes, mut refusals) = (Vec::new(), 0);
    let mut buffer = [0; 64];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                refusals += 1;
            }
        }
    }
    assert_eq!((refusals, bytes.len() as u64), (3, length));
}

#[test]
fn a_form_can_be_read_again() {
    let file = TestFile::new("again.txt", b"content");
    let form = Form::new().text("a", "1").file("f", &file.0);
    let mut body = start(form);
    body.read_exact(&mut [0; 10]).unwrap();
    let again = open_files(body.again().unwrap());
    assert_eq!(again.content_type(), body.content_type());
    let third = open_files(again.again().unwrap());
    assert_eq!(whole(again), whole(third));

    // The file is opened again, so it is sent as it is then.
    std::fs::write(&file.0, b"other content").unwrap();
    let changed = readable(open_files(body.again().unwrap()));
    assert!(changed.contains("\r\n\r\nother content\r\n"), "{changed}");
}

#[test]
fn a_form_is_laid_out_before_its_files_are_opened() {
    let missing = std::env::temp_dir().join("httpoll-no-such-directory/file");
    let mut body = Form::new().file("f", &missing).start(RANDOM).unwrap();
    assert!(body.needs_files());
    assert_eq!(body.length(), None);
    let unopened: Vec<_> = body
        .unopened()
        .map(|file| (file.part.to_owned(), file.path.to_owned()))
        .collect();
    assert_eq!(unopened, [("f".to_owned(), missing)]);
    // Without its file it cannot be sent by mistake.
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "a file of the form is not open");
}

#[test]
fn a_file_without_data_is_read_again_later() {
    struct Hesitant(bool);
    impl Read for Hesitant {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }
    let mut body = Form::new().file("f", "f.bin").start(RANDOM).unwrap();
    for file in body.unopened() {
        file.set(Hesitant(false), 3);
    }
    let length = body.length().unwrap();
    let (mut bytes, mut waits, mut buffer) = (0, 0, [0; 64]);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes += count as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => waits += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((waits, bytes), (3, length));
}

#[test]
fn invalid_forms_fail_before_anything_is_sent() {
    for content_type in ["a\r\nb", "\0"] {
        let part = Part::text("x").content_type(content_type);
        let fault = Form::new().part("p", part).start(RANDOM);
        assert!(matches!(fault, Err(FormFault::ContentType { part }) if part == "p"));
    }
}

#[test]
fn debug_shows_no_content() {
    let form = Form::new()
        .text("password", "secret")
        .bytes("k", "k.bin", "secret");
    let text = format!("{form:?}");
    assert!(
        text.contains("password") && !text.contains("secret"),
        "{text}"
    );
}
