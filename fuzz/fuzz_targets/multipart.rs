//! A form of several parts: cut anywhere, the same comes out, and no limit is passed.

#![no_main]

use std::io;

use httpoll::server::multipart::{
    FormReader, MultipartError, MultipartEvent, MultipartLimits, MultipartParser, PartHead,
    SpillFile, SpillStore,
};
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const TYPES: [&[u8]; 4] = [
    b"multipart/form-data; boundary=x",
    b"multipart/form-data; boundary=\"--\"",
    b"multipart/form-data; charset=utf-8; boundary=aXaXb",
    b"multipart/form-data; boundary=-",
];

#[derive(Debug, PartialEq)]
enum Said {
    Part(PartHead),
    Content(Vec<u8>),
    PartEnd,
    End,
    Failed(String),
}

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let content_type = TYPES[choices.bits(2) as usize];
    let mut limits = MultipartLimits::default();
    if choices.flag() {
        limits.parts = 2;
        limits.head_bytes = 80;
        limits.total_bytes = 300;
    }
    limits.field_bytes = 50;
    limits.file_bytes = 100;
    let whole = parse(content_type, &limits, std::iter::once(bytes));
    assert_eq!(parse(content_type, &limits, pieces(&choices, bytes)), whole);

    let Ok(mut reader) = FormReader::new(content_type, limits.clone(), NoDisk) else {
        return;
    };
    for piece in pieces(&choices, bytes) {
        if reader.receive(piece).is_err() {
            return;
        }
    }
    if let Ok(form) = reader.finish() {
        assert!(form.fields.len() + form.files.len() <= limits.parts);
        assert!(
            form.fields
                .iter()
                .all(|field| field.value.len() <= limits.field_bytes)
        );
        for file in &form.files {
            assert!(file.size <= limits.file_bytes);
            if let Some(name) = file.head.safe_file_name() {
                assert!(!name.is_empty() && name != ".." && !name.contains(['/', '\\', '\0', ':']));
            }
        }
    }
});

fn parse<'a>(
    content_type: &[u8],
    limits: &MultipartLimits,
    input: impl Iterator<Item = &'a [u8]>,
) -> Vec<Said> {
    let is_tight = limits.total_bytes < 1000;
    let mut parser = MultipartParser::new(content_type, limits).unwrap();
    let mut said = Vec::new();
    for mut piece in input {
        loop {
            let step = match parser.receive(piece) {
                Ok(step) => step,
                Err(error) => return failed(said, &error, is_tight),
            };
            piece = &piece[step.consumed..];
            let next = match step.event {
                None => break,
                Some(MultipartEvent::Part(head)) => Said::Part(head),
                Some(MultipartEvent::PartEnd) => Said::PartEnd,
                Some(MultipartEvent::End) => Said::End,
                Some(MultipartEvent::Content(bytes)) => {
                    assert!(!bytes.is_empty());
                    if let Some(Said::Content(content)) = said.last_mut() {
                        content.extend_from_slice(bytes);
                        continue;
                    }
                    Said::Content(bytes.to_vec())
                }
                Some(_) => panic!("an event that this target does not know"),
            };
            said.push(next);
        }
        assert!(piece.is_empty());
    }
    match parser.finish() {
        Ok(()) => said,
        Err(error) => failed(said, &error, is_tight),
    }
}

/// How much came out before a failure depends on the pieces, and whether a limit is met before another
/// fault is; that it failed does not, and without tight limits neither does why.
fn failed(mut said: Vec<Said>, error: &MultipartError, is_tight: bool) -> Vec<Said> {
    if let Some(Said::Content(_)) = said.last() {
        said.pop();
    }
    said.push(Said::Failed(match is_tight {
        true => String::new(),
        false => format!("{error:?}"),
    }));
    said
}

struct NoDisk;

impl SpillStore for NoDisk {
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>> {
        Err(io::ErrorKind::StorageFull.into())
    }
}
