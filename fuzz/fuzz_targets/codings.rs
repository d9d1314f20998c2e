//! The decoders of content codings: cut anywhere, the same comes out, and never more than allowed.

#![no_main]

use httpoll::fuzzing::Decoder;
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const CODINGS: [&[u8]; 8] = [
    b"gzip",
    b"deflate",
    b"br",
    b"zstd",
    b"x-gzip",
    b"gzip, br",
    b"deflate, gzip",
    b"zstd, gzip",
];
const MOST_RATIO: u32 = 20;
/// So much may come out before the ratio is looked at, and a bufferful more.
const FREE: usize = 1024 * 1024 + 4096;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let codings = CODINGS[choices.bits(3) as usize];
    let room = [1, 7, 100, 4096][choices.bits(2) as usize];
    let whole = decode(codings, std::iter::once(bytes), 4096);
    let cut = decode(codings, pieces(&choices, bytes), room);
    // Which bytes go in before a fault is found out depends on the pieces, whether it is does not.
    assert_eq!(cut.is_ok(), whole.is_ok(), "{cut:?} {whole:?}");
    if let (Ok(cut), Ok(whole)) = (cut, whole) {
        assert!(cut == whole, "other content");
    }
});

fn decode<'a>(
    codings: &[u8],
    input: impl Iterator<Item = &'a [u8]>,
    room: usize,
) -> Result<Vec<u8>, ()> {
    let mut decoder = Decoder::new(codings, MOST_RATIO).unwrap();
    let mut output = vec![0; room];
    let mut content = Vec::new();
    let mut taken = 0;
    for mut piece in input.chain(std::iter::once(&[][..])) {
        loop {
            let (consumed, produced) = decoder.decode(piece, &mut output).map_err(|_| ())?;
            assert!(consumed <= piece.len() && produced <= room);
            piece = &piece[consumed..];
            taken += consumed;
            content.extend_from_slice(&output[..produced]);
            let allowed = taken.saturating_mul(MOST_RATIO as usize) + room;
            assert!(content.len() <= FREE.max(allowed));
            if produced == 0 {
                assert!(piece.is_empty() || consumed > 0, "stuck");
                if piece.is_empty() {
                    break;
                }
            }
        }
    }
    decoder.finish().map_err(|_| ())?;
    Ok(content)
}
