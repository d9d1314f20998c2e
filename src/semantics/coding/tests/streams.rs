use super::*;

/// Decodes `pieces` into an output of `room` bytes at a time.
fn decode(value: &str, pieces: &[&[u8]], room: usize) -> Result<Vec<u8>, CodingFault> {
    let mut decoder = decoder(value)?.unwrap();
    let mut content = Vec::new();
    let mut output = vec![0; room];
    for piece in pieces.iter().copied().chain([&b""[..]]) {
        let mut rest = piece;
        loop {
            let decoded = decoder.decode(rest, &mut output)?;
            content.extend_from_slice(&output[..decoded.produced]);
            rest = &rest[decoded.consumed..];
            if decoded.produced == 0 && (decoded.consumed == 0 || rest.is_empty()) {
                break;
            }
        }
        assert!(rest.is_empty(), "input is left though there was room");
    }
    decoder.finish()?;
    assert!(decoder.is_done() || pieces.concat().is_empty());
    Ok(content)
}

/// Decodes the input whole, byte by byte, cut at every position, and with a small output. The
/// result must always be the same.
fn decode_all_ways(value: &str, input: &[u8]) -> Result<Vec<u8>, CodingFault> {
    let whole = decode(value, &[input], 64 * 1024);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    for room in [1, 3, 1000] {
        assert_eq!(decode(value, &[input], room), whole, "{value} in {room}");
        assert_eq!(
            decode(value, &bytes, room),
            whole,
            "{value} bytes in {room}"
        );
    }
    for cut in 0..input.len().min(400) {
        let pieces = [&input[..cut], &input[cut..]];
        assert_eq!(decode(value, &pieces, 7), whole, "{value} at {cut}");
    }
    whole
}

fn text() -> Vec<u8> {
    let line = "The quick brown fox jumps over the lazy dog. ";
    format!("{}Fin.", line.repeat(3)).into_bytes()
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Streams of [`text`] that other programs made.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    [
        #[cfg(feature = "gzip")]
        (
            "gzip",
            "1f8b08000000000000030bc94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d5228\
             c94855c849acaa5448c94fd75308a19962b7cc3c3d00267b6d258b000000",
        ),
        #[cfg(feature = "brotli")]
        (
            "br",
            "1b8a0088ac8eb70963edbc11cbba47561b5195b9493233b6067199cb5b68690d7286a7a7c2de60030e1c\
             12c81b496ed069853385c7896a0a8e70e83e0d8e07",
        ),
        #[cfg(feature = "zstd")]
        (
            "zstd",
            "28b52ffd248bcd0100140354686520717569636b2062726f776e20666f78206a756d7073206f76657220\
             746865206c617a7920646f672e2046696e2e01003d38a932f4073780",
        ),
        #[cfg(feature = "zstd")]
        (
            "zstd",
            "28b52ffd0058cd0100140354686520717569636b2062726f776e20666f78206a756d7073206f76657220\
             746865206c617a7920646f672e2046696e2e01003d38a932",
        ),
    ]
    .into_iter()
    .map(|(name, digits)| (name, hex(digits)))
    .collect()
}

#[test]
fn streams_from_other_programs_are_decoded() {
    for (value, stream) in samples() {
        assert_eq!(decode_all_ways(value, &stream), Ok(text()), "{value}");
        assert_eq!(
            decode_all_ways(value, b""),
            Ok(Vec::new()),
            "{value} of nothing"
        );
    }
}

#[test]
fn a_truncated_stream_is_a_fault_at_every_position() {
    for (value, stream) in samples() {
        for end in 1..stream.len() {
            let fault = decode(value, &[&stream[..end]], 1000);
            assert_eq!(
                fault,
                Err(CodingFault::Truncated(value)),
                "{value} to {end}"
            );
        }
    }
}

#[test]
fn a_damaged_stream_never_panics_and_stays_failed() {
    for (value, stream) in samples() {
        for index in 0..stream.len() {
            for change in [0x01, 0x10, 0x80, 0xff] {
                let mut damaged = stream.clone();
                damaged[index] ^= change;
                let mut decoder = decoder(value).unwrap().unwrap();
                let mut output = vec![0; 100_000];
                if let Err(fault) = decoder.decode(&damaged, &mut output) {
                    assert_eq!(decoder.decode(b"", &mut output), Err(fault.clone()));
                    assert_eq!(decoder.finish(), Err(fault));
                    assert!(!decoder.is_done());
                }
            }
        }
    }
}

#[test]
fn codings_are_decoded_in_reverse_order() {
    let mut chain = Vec::new();
    let mut stream = text();
    let stored: [(&str, fn(&[u8]) -> Vec<u8>); 4] = [
        #[cfg(feature = "gzip")]
        ("gzip", streams_of::gzip),
        #[cfg(feature = "gzip")]
        ("deflate", streams_of::zlib),
        #[cfg(feature = "zstd")]
        ("zstd", streams_of::zstd),
        #[cfg(feature = "gzip")]
        ("x-gzip", streams_of::gzip),
        #[cfg(not(feature = "gzip"))]
        ("identity", <[u8]>::to_vec),
        #[cfg(not(feature = "gzip"))]
        ("identity", <[u8]>::to_vec),
        #[cfg(not(feature = "gzip"))]
        ("identity", <[u8]>::to_vec),
        #[cfg(not(feature = "zstd"))]
        ("identity", <[u8]>::to_vec),
    ];
    for (name, encode) in stored {
        chain.push(name);
        stream = encode(&stream);
    }
    if decoder(&chain.join(",")).unwrap().is_none() {
        return;
    }
    assert_eq!(decode_all_ways(&chain.join(", "), &stream), Ok(text()));
    // Several field lines form one list.
    let mut lines = Decoder::new(chain.iter().map(|name| name.as_bytes()))
        .unwrap()
        .unwrap();
    let mut output = vec![0; 1000];
    let decoded = lines.decode(&stream, &mut output).unwrap();
    assert_eq!(&output[..decoded.produced], text());
}

#[test]
fn five_codings_are_refused() {
    for (value, _) in samples() {
        let four = [value; 4].join(", identity, ");
        assert!(decoder(&four).is_ok());
        let five = decoder(&format!("{four}, {value}")).unwrap_err();
        assert_eq!(five, CodingFault::TooMany(4));
    }
}

/// Each coding, with a stream of 4 MiB of zeros in it.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    [
        #[cfg(feature = "gzip")]
        ("gzip", streams_of::gzip(&vec![0; 4 << 20])),
        #[cfg(feature = "brotli")]
        ("br", hex("9bffff3ff82700e2b14020f7fe07")),
        #[cfg(feature = "zstd")]
        ("zstd", {
            let mut bomb = hex("28b52ffd0068");
            for _ in 0..31 {
                bomb.extend(hex("02001000"));
            }
            bomb.extend(hex("03001000"));
            bomb
        }),
    ]
    .to_vec()
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    for (value, bomb) in bombs() {
        let result = decode(value, &[&bomb], 64 * 1024);
        if value != "gzip" {
            assert_eq!(result, Err(CodingFault::Ratio(1100)), "{value}");
        }
        let limits = CodingLimits { max_ratio: 500 };
        let mut strict = decoder(value).unwrap().unwrap().with_limits(limits);
        let mut rest = bomb.as_slice();
        let (mut output, mut given) = (vec![0; 64 * 1024], 0);
        let fault = loop {
            match strict.decode(rest, &mut output) {
                Ok(decoded) => {
                    given += decoded.produced;
                    rest = &rest[decoded.consumed..];
                    assert_ne!(decoded, Decoded::default(), "{value}");
                }
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault, CodingFault::Ratio(500), "{value}");
        assert!((1 << 20..2 << 20).contains(&given), "{value} {given}");
        // Within the limit it is ordinary content.
        let limits = CodingLimits {
            max_ratio: u32::MAX,
        };
        let mut lenient = decoder(value).unwrap().unwrap().with_limits(limits);
        let mut output = vec![1; 5 << 20];
        let decoded = lenient.decode(&bomb, &mut output).unwrap();
        assert_eq!(decoded.produced, 4 << 20, "{value}");
        assert!(output[..4 << 20].iter().all(|&byte| byte == 0));
        assert_eq!(lenient.finish(), Ok(()));
    }
}

#[cfg(feature = "gzip")]
mod deflates {
    use super::*;

    #[test]
    fn gzip_members_rfc_1952_2_2() {
        let two = [streams_of::gzip(b"one "), streams_of::gzip(b"two")].concat();
        assert_eq!(decode_all_ways("gzip", &two), Ok(b"one two".to_vec()));
        for end in two.len() - 17..two.len() {
            let fault = decode("gzip", &[&two[..end]], 9);
            assert_eq!(fault, Err(CodingFault::Truncated("gzip")), "to {end}");
        }
    }

    #[test]
    fn bytes_after_the_end_are_ignored() {
        for tail in [
            &b"\0\0\0"[..],
            b"garbage",
            b"\x1f",
            b"\x1fx",
            b"\x8b\x1f\x8b",
        ] {
            let stream = [&streams_of::gzip(b"one"), tail].concat();
            assert_eq!(decode_all_ways("gzip", &stream), Ok(b"one".to_vec()));
            let stream = [&streams_of::zlib(b"one"), tail].concat();
            assert_eq!(decode_all_ways("deflate", &stream), Ok(b"one".to_vec()));
        }
        let stream = [&streams_of::gzip(b"one"), &b"\x1f\x8bgarbage"[..]].concat();
        assert_eq!(
            decode_all_ways("gzip", &stream),
            Err(CodingFault::Corrupt("gzip"))
        );
    }

    #[test]
    fn a_wrong_checksum_is_a_fault() {
        for (value, encode, from_end) in [
            ("gzip", streams_of::gzip as fn(&[u8]) -> Vec<u8>, 8),
            ("gzip", streams_of::gzip, 1),
            ("deflate", streams_of::zlib, 1),
        ] {
            let mut stream = encode(b"content");
            let index = stream.len() - from_end;
            stream[index] ^= 1;
            let fault = decode_all_ways(value, &stream);
            assert_eq!(fault, Err(CodingFault::Corrupt(value)));
        }
    }

    #[test]
    fn deflate_with_and_without_zlib_rfc_9110_8_4_1_2() {
        for content in [&b""[..], b"x", b"hello hello hello", &[7; 10_000]] {
            let stream = streams_of::zlib(content);
            assert_eq!(decode_all_ways("deflate", &stream).unwrap(), content);
            let stream = streams_of::raw(content);
            assert_eq!(decode_all_ways("deflate", &stream).unwrap(), content);
        }
        let fault = decode_all_ways("deflate", b"\xff\xff\xff");
        assert_eq!(fault, Err(CodingFault::Corrupt("deflate")));
        for stream in [&b"\x78"[..], b"\x78\x9c", b"\x03"] {
            let fault = decode("deflate", &[stream], 9);
            assert_eq!(fault, Err(CodingFault::Truncated("deflate")));
        }
    }
}

#[cfg(feature = "zstd")]
mod zstds;

#[cfg(feature = "brotli")]
#[test]
fn br_ignores_bytes_after_the_end_and_refuses_large_windows() {
    let stream = [hex("3b"), b"garbage".to_vec()].concat();
    assert_eq!(decode_all_ways("br", &stream), Ok(Vec::new()));
    // The marker of a large window (RFC 9841), which `br` does not allow.
    let fault = decode_all_ways("br", &hex("111e000000"));
    assert_eq!(fault, Err(CodingFault::Corrupt("br")));
}

/// Tests that encode their input.
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod streams_of {
    #[cfg(feature = "gzip")]
    fn compress(mut coder: flate2::Compress, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + 1000);
        let end = coder
            .compress_vec(content, &mut out, flate2::FlushCompress::Finish)
            .unwrap();
        assert_eq!(end, flate2::Status::StreamEnd);
        out
    }

    #[cfg(feature = "gzip")]
    pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
        compress(
            flate2::Compress::new_gzip(flate2::Compression::best(), 15),
            content,
        )
    }

    #[cfg(feature = "gzip")]
    pub(super) fn zlib(content: &[u8]) -> Vec<u8> {
        compress(
            flate2::Compress::new(flate2::Compression::fast(), true),
            content,
        )
    }

    #[cfg(feature = "gzip")]
    pub(super) fn raw(content: &[u8]) -> Vec<u8> {
        compress(
            flate2::Compress::new(flate2::Compression::fast(), false),
            content,
        )
    }

    #[cfg(feature = "zstd")]
    pub(super) fn zstd(content: &[u8]) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        compress_to_vec(content, CompressionLevel::Fastest)
    }
}

#[test]
fn a_decoder_can_move_between_threads() {
    fn sent<T: Send>(_: &T) {}
    for (value, _) in samples() {
        sent(&decoder(value).unwrap());
    }
}
