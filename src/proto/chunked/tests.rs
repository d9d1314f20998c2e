use super::*;

type Outcome = Result<(Vec<u8>, Option<FieldLines>), ErrorKind>;

/// Decodes in pieces of this size. `None` instead of trailers means that the end is missing.
fn decode(input: &[u8], piece: usize, limits: &Limits) -> Outcome {
    let mut decoder = ChunkedDecoder::new();
    let (mut data, mut start, mut end) = (Vec::new(), 0, 0);
    while end < input.len() {
        end = (end + piece).min(input.len());
        loop {
            let given = &input[start..end];
            let decoded = decoder.decode(given, limits)?;
            start += decoded.consumed;
            match decoded.part {
                Some(Part::Data(range)) => data.extend_from_slice(&given[range]),
                Some(Part::End(trailers)) => return Ok((data, Some(trailers))),
                None => break,
            }
        }
    }
    Ok((data, None))
}

fn decode_all_ways(input: &[u8], limits: &Limits) -> Outcome {
    let whole = decode(input, input.len().max(1), limits);
    for piece in 1..input.len().min(20) {
        assert_eq!(
            decode(input, piece, limits),
            whole,
            "in pieces of {piece}: {}",
            input.escape_ascii()
        );
    }
    whole
}

#[test]
fn valid_chunked_content_is_decoded() {
    for (input, expected) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
        (b"A\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"005;a=b;c=\"d;\"\r\nhello\r\n0;x\r\n\r\n", b"hello"),
        (b"5 \t ; a\r\nhello\r\n0 \r\n\r\n", b"hello"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (
            b"00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
            b"hello",
        ),
    ] {
        let (data, trailers) = decode_all_ways(input, &Limits::default()).unwrap();
        assert_eq!(data, expected, "{}", input.escape_ascii());
        assert_eq!(trailers, Some(FieldLines::new()));
    }
}

#[test]
fn malformed_content() {
    use PeerMisbehaved::{BareLineFeed, InvalidChunk, InvalidChunkSize, InvalidTrailer};
    for (input, expected) in [
        (&b"\r\n"[..], InvalidChunkSize),
        (b";a\r\n", InvalidChunkSize),
        (b" 5\r\n", InvalidChunkSize),
        (b"\n", InvalidChunkSize),
        (b"g\r\n", InvalidChunkSize),
        (b"-1\r\n", InvalidChunkSize),
        (b"+5\r\n", InvalidChunkSize),
        (b"0x5\r\n", InvalidChunkSize),
        (b"5 5\r\n", InvalidChunkSize),
        (b"5\0\r\n", InvalidChunkSize),
        (b"10000000000000000\r\n", InvalidChunkSize),
        (b"000000000000000000000000000000005\r\n", InvalidChunkSize),
        (b"5\nhello", BareLineFeed),
        (b"5;a\nhello", BareLineFeed),
        (b"5 \nhello", BareLineFeed),
        (b"5\rhello", InvalidChunk),
        (b"5;a\0\r\n", InvalidChunk),
        (b"5;a\rb\r\n", InvalidChunk),
        (b"5\r\nhello\n0\r\n\r\n", BareLineFeed),
        (b"5\r\nhello0\r\n\r\n", InvalidChunk),
        (b"5\r\nhello\r0\r\n\r\n", InvalidChunk),
        (b"5\r\nhelloXX0\r\n\r\n", InvalidChunk),
        (b"0\r\n\n", BareLineFeed),
        (b"0\r\nA: b\n\r\n", BareLineFeed),
        (b"0\r\nA\r\n\r\n", InvalidTrailer),
        (b"0\r\n: b\r\n\r\n", InvalidTrailer),
        (b"0\r\nA : b\r\n\r\n", InvalidTrailer),
        (b"0\r\nA: b\r\n c\r\n\r\n", InvalidTrailer),
        (b"0\r\nA: b\0\r\n\r\n", InvalidTrailer),
        (b"0\r\nA: b\rC: d\r\n\r\n", InvalidTrailer),
        (b"0\r\n\xff: b\r\n\r\n", InvalidTrailer),
    ] {
        assert_eq!(
            decode_all_ways(input, &Limits::default()),
            Err(ErrorKind::Peer(expected)),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn every_proper_prefix_is_unfinished() {
    let input = b"5;x\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n";
    for end in 0..input.len() {
        let (_, trailers) = decode(&input[..end], 1, &Limits::default()).unwrap();
        assert_eq!(trailers, None, "{end}");
    }
}

#[test]
fn trailers_are_kept_apart_and_filtered() {
    let input = b"0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: b\r\nx-sum:\xe9 \r\n\r\nnext";
    let (_, trailers) = decode_all_ways(input, &Limits::default()).unwrap();
    let trailers = trailers.unwrap();
    assert_eq!(
        trailers.iter().collect::<Vec<_>>(),
        [("X-Sum", &b"1"[..]), ("x-sum", b"\xe9")]
    );
}

#[test]
fn extensions_and_trailers_have_limits() {
    let limits = Limits {
        chunk_extension_bytes: 10,
        trailer_bytes: 20,
        trailer_count: 2,
        ..Limits::default()
    };
    let ok = |input: &[u8]| decode_all_ways(input, &limits).is_ok_and(|(_, end)| end.is_some());
    let failed = |input: &[u8]| decode_all_ways(input, &limits).err();
    let extensions = Some(Limit::ChunkExtensionBytes(10).into());
    // With the `;`, these are exactly ten bytes.
    assert!(ok(b"1;234567890\r\nx\r\n0\r\n\r\n"));
    assert_eq!(failed(b"1;234567890xy"), extensions);
    assert_eq!(failed(b"1            "), extensions);
    // Counted over the whole message.
    assert_eq!(failed(&b"1;234\r\nx\r\n".repeat(3)), extensions);
    assert!(ok(b"0\r\nA: b\r\nC: d\r\n\r\n"));
    assert!(ok(b"0\r\nA: 3456789012345\r\n\r\n"));
    assert_eq!(
        failed(b"0\r\nA: 34567890123456\r\n\r\n"),
        Some(Limit::TrailerBytes(20).into())
    );
    assert_eq!(
        failed(b"0\r\nHost:\r\nB:\r\nC:\r\n"),
        Some(Limit::TrailerCount(2).into())
    );
}

#[test]
fn chunks_of_any_size_are_passed_on_at_once() {
    let mut decoder = ChunkedDecoder::new();
    let limits = Limits::default();
    let block = vec![7; 1 << 20];
    let size = decoder.decode(b"fffffffffffffffF\r\n", &limits).unwrap();
    assert_eq!((size.consumed, size.part), (18, None));
    for _ in 0..20 {
        let decoded = decoder.decode(&block, &limits).unwrap();
        assert_eq!(decoded.consumed, block.len());
        assert_eq!(decoded.part, Some(Part::Data(0..block.len())));
    }
}

#[test]
fn data_is_as_large_as_the_input_allows() {
    let mut decoder = ChunkedDecoder::new();
    let limits = Limits::default();
    let input = b"5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n";
    let decoded = decoder.decode(input, &limits).unwrap();
    assert_eq!(decoded.part, Some(Part::Data(3..8)));
    let rest = &input[decoded.consumed..];
    let decoded = decoder.decode(rest, &limits).unwrap();
    assert_eq!(decoded.part, Some(Part::Data(5..8)));
    assert!(!decoder.lacks_only_trailers());
    let rest = &rest[decoded.consumed..];
    assert_eq!(decoder.decode(&rest[..5], &limits).unwrap().part, None);
    assert!(decoder.lacks_only_trailers());
    assert_eq!(decoder.decode(&rest[5..6], &limits).unwrap().consumed, 0);
    assert!(!decoder.lacks_only_trailers());
}

#[test]
fn trailer_lines_of_a_response_may_end_in_lf_alone() {
    for input in [&b"0\r\nA: 1\nB: 2\r\n\r\n"[..], b"0\r\nA: 1\r\nB: 2\n\n"] {
        let limits = Limits::default();
        let mut decoder = ChunkedDecoder::for_response();
        let first = decoder.decode(input, &limits).unwrap();
        let Some(Part::End(fields)) = first.part else {
            panic!("{first:?}");
        };
        assert_eq!(first.consumed, input.len());
        assert_eq!(fields.get("b"), Some(&b"2"[..]));
        let fault = ChunkedDecoder::new().decode(input, &limits);
        assert_eq!(fault.unwrap_err(), PeerMisbehaved::BareLineFeed.into());
    }
}
