use super::*;

/// All lines of `input`, pushed in two pieces split at `cut`.
fn lines(input: &[u8], cut: usize, limit: usize) -> Result<Vec<Bytes>, FrameFault> {
    let mut reader = JsonLines::with_line_bytes(limit);
    let mut lines = Vec::new();
    for piece in [&input[..cut], &input[cut..]] {
        reader.push(piece);
        while let Some(line) = reader.next_line()? {
            lines.push(line);
        }
    }
    reader.finish();
    while let Some(line) = reader.next_line()? {
        lines.push(line);
    }
    Ok(lines)
}

fn frames(input: &[u8], cut: usize, prefix: LengthPrefix) -> Result<Vec<Bytes>, FrameFault> {
    let mut reader = LengthPrefixed::with_frame_bytes(prefix, 5);
    let mut frames = Vec::new();
    for piece in [&input[..cut], &input[cut..]] {
        reader.push(piece);
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
    }
    reader.finish()?;
    Ok(frames)
}

#[test]
fn lines_are_read_from_pieces_of_any_size() {
    let cases: [(&[u8], &[&[u8]]); 9] = [
        (b"", &[]),
        (b"\n\r\n \t\n", &[]),
        (b"1\n2\n", &[b"1", b"2"]),
        (b"1\r\n2\r\n", &[b"1", b"2"]),
        (b"1\n2", &[b"1", b"2"]),
        (b"1\r\n2\r", &[b"1", b"2"]),
        (b"\n\n1\n\n\n2\n\n", &[b"1", b"2"]),
        (b"a\rb\n", &[b"a\rb"]),
        (b"12345\r\n12345\n12345", &[b"12345", b"12345", b"12345"]),
    ];
    for (input, expected) in cases {
        for cut in 0..=input.len() {
            let lines = lines(input, cut, 5).unwrap();
            assert_eq!(lines, expected, "{} at {cut}", input.escape_ascii());
        }
    }
}

#[test]
fn a_line_over_the_limit_fails_now_and_later() {
    for input in [
        &b"123456\n"[..],
        b"123456\r\n1\n",
        b"123456",
        b"1\n123456789",
    ] {
        for cut in 0..=input.len() {
            let fault = lines(input, cut, 5);
            assert_eq!(fault, Err(FrameFault::TooLong(5)), "{input:?} at {cut}");
        }
    }
    let mut reader = JsonLines::with_line_bytes(2);
    reader.push(b"123\n4\n");
    for _ in 0..3 {
        assert_eq!(reader.next_line(), Err(FrameFault::TooLong(2)));
    }
}

#[test]
fn invalid_json_in_a_line_does_not_affect_other_lines() {
    let mut reader = JsonLines::new();
    reader.push(b"{\"a\":1}\n{\"a\":\n[2]\n");
    assert_eq!(reader.next_value().unwrap().unwrap()["a"], 1);
    assert_eq!(reader.next_value(), Err(FrameFault::NotJson { column: 5 }));
    assert_eq!(reader.next_value().unwrap().unwrap()[0], 2);
    assert_eq!(reader.next_value(), Ok(None));
}

#[test]
fn each_byte_of_a_line_is_scanned_once() {
    let mut reader = JsonLines::with_line_bytes(1 << 20);
    for _ in 0..1 << 16 {
        reader.push(b"0123456789");
        assert_eq!(reader.next_line(), Ok(None));
    }
    reader.push(b"\n");
    assert_eq!(reader.next_line().unwrap().unwrap().len(), 655_360);
}

#[test]
fn frames_are_read_from_pieces_of_any_size() {
    use LengthPrefix::*;
    let cases: [(LengthPrefix, &[u8]); 4] = [
        (U16BigEndian, b"\0\x02ab\0\0\0\x05abcde"),
        (U16LittleEndian, b"\x02\0ab\0\0\x05\0abcde"),
        (U32BigEndian, b"\0\0\0\x02ab\0\0\0\0\0\0\0\x05abcde"),
        (U32LittleEndian, b"\x02\0\0\0ab\0\0\0\0\x05\0\0\0abcde"),
    ];
    for (prefix, input) in cases {
        let mut written = Vec::new();
        for content in [&b"ab"[..], b"", b"abcde"] {
            prefix.encode(content, &mut written).unwrap();
        }
        assert_eq!(written, input, "{prefix:?}");
        for cut in 0..=input.len() {
            let read = frames(input, cut, prefix).unwrap();
            assert_eq!(read, [&b"ab"[..], b"", b"abcde"], "{prefix:?} at {cut}");
        }
        for end in [1, input.len() - 1] {
            let fault = frames(&input[..end], 0, prefix);
            assert_eq!(fault, Err(FrameFault::Truncated), "{prefix:?} to {end}");
        }
    }
}

#[test]
fn a_frame_over_the_limit_fails_before_it_arrives() {
    use LengthPrefix::*;
    for (prefix, input) in [
        (U16BigEndian, &b"\0\x06"[..]),
        (U16LittleEndian, b"\x06\0"),
        (U32BigEndian, b"\xff\xff\xff\xff"),
        (U32LittleEndian, b"\xff\xff\xff\xff"),
    ] {
        let fault = frames(input, 1, prefix);
        assert_eq!(fault, Err(FrameFault::TooLong(5)), "{prefix:?}");
    }
    let mut out = Vec::new();
    let fault = U16BigEndian.encode(&[0; 65_536], &mut out);
    assert_eq!(fault, Err(FrameFault::TooLong(65_535)));
    assert!(out.is_empty());
}
