//! Frames, windows and blocks of zstd (RFC 8878).

use super::*;

#[test]
fn zstd_frames_rfc_8878_3_1() {
    let skippable = hex("502a4d1803000000abcdef");
    let (one, two) = (streams_of::zstd(b"one "), streams_of::zstd(b"two"));
    let stream = [&skippable[..], &one, &skippable, &two, &skippable].concat();
    assert_eq!(decode_all_ways("zstd", &stream), Ok(b"one two".to_vec()));
    let fault = decode_all_ways("zstd", &[&one[..], b"garbage"].concat());
    assert_eq!(fault, Err(CodingFault::Corrupt("zstd")));
    let fault = decode("zstd", &[&one, b"\x28\xb5"], 9);
    assert_eq!(fault, Err(CodingFault::Truncated("zstd")));
}

#[test]
fn zstd_hostile_frames() {
    for (what, stream, expected) in [
        // A window of 128 MiB, as `--long=27` asks for; RFC 9659.
        ("window", "28b52ffd04884c0000", CodingFault::Window(8 << 20)),
        (
            "content",
            "28b52ffda000000001010000",
            CodingFault::Window(8 << 20),
        ),
        (
            "reserved bit",
            "28b52ffd2c00010000",
            CodingFault::Corrupt("zstd"),
        ),
        (
            "reserved block",
            "28b52ffd2000070000",
            CodingFault::Corrupt("zstd"),
        ),
        (
            "large block",
            "28b52ffd0058090010",
            CodingFault::Corrupt("zstd"),
        ),
        (
            "dictionary",
            "28b52ffd210500010000",
            CodingFault::Corrupt("zstd"),
        ),
        (
            "less than said",
            "28b52ffd2005190000616263",
            CodingFault::Corrupt("zstd"),
        ),
        (
            "more than said",
            "28b52ffd2001190000616263",
            CodingFault::Corrupt("zstd"),
        ),
    ] {
        assert_eq!(
            decode_all_ways("zstd", &hex(stream)),
            Err(expected),
            "{what}"
        );
    }
}

/// Three pieces that libzstd 1.5 flushed, and the end of the frame with its checksum. The later pieces
/// refer to the first one and to its tables.
const FLUSHED: [&str; 4] = [
    "28b52ffd0458580100646174613a207469636b20312c2074686520706c6179657273206172652061742074686520676174650a0a",
    "4c000008320200a089331410",
    "7c000040643377616c6c0a0a020060c906ae",
    "0100004c6ecd63",
];

#[test]
fn each_block_is_delivered_when_it_was_received() {
    let line = |tick: u8, place| format!("data: tick {tick}, the players are at the {place}\n\n");
    let lines = [
        line(1, "gate"),
        line(2, "gate"),
        line(3, "wall"),
        String::new(),
    ];
    for room in [1, 5, 1000] {
        let mut decoder = decoder("zstd").unwrap().unwrap().delivering_pieces();
        let mut output = vec![0; room];
        for (piece, expected) in FLUSHED.iter().zip(&lines) {
            let piece = hex(piece);
            let (mut rest, mut content) = (&piece[..], Vec::new());
            loop {
                let decoded = decoder.decode(rest, &mut output).unwrap();
                content.extend_from_slice(&output[..decoded.produced]);
                rest = &rest[decoded.consumed..];
                if decoded.produced == 0 {
                    break;
                }
            }
            assert_eq!(String::from_utf8(content).unwrap(), *expected);
        }
        decoder.finish().unwrap();
    }
    let whole: Vec<u8> = FLUSHED.iter().flat_map(|piece| hex(piece)).collect();
    assert_eq!(
        decode_all_ways("zstd", &whole),
        Ok(lines.concat().into_bytes())
    );
}

#[test]
fn pieces_beyond_the_window_are_delivered_once() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|it| (it / 7 % 251) as u8).collect();
    let stream = streams_of::zstd(&content);
    for size in [997, 100_000] {
        let mut decoder = decoder("zstd").unwrap().unwrap().delivering_pieces();
        let (mut received, mut output) = (Vec::new(), vec![0; 8192]);
        for mut rest in stream.chunks(size) {
            loop {
                let decoded = decoder.decode(rest, &mut output).unwrap();
                received.extend_from_slice(&output[..decoded.produced]);
                rest = &rest[decoded.consumed..];
                if decoded.produced == 0 && rest.is_empty() {
                    break;
                }
            }
        }
        decoder.finish().unwrap();
        assert!(
            received == content,
            "{} of {}",
            received.len(),
            content.len()
        );
    }
}

#[test]
fn zstd_streams_beyond_its_window() {
    let mut content = Vec::new();
    let mut random = 1u32;
    while content.len() < 3 << 20 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        content.extend_from_slice(&(random >> 20).to_le_bytes());
    }
    let stream = streams_of::zstd(&content);
    let pieces: Vec<&[u8]> = stream.chunks(9973).collect();
    assert!(decode("zstd", &pieces, 8192).unwrap() == content);
}
