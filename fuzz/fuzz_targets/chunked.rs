//! The chunked coding and its trailers: cut anywhere, the same comes out.

#![no_main]

use std::iter::once;

use httpoll_fuzz::{Choices, client, pieces, split};
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    // The limits, and whether the connection ends; everything else is a plain GET.
    let plain = Choices::new(choices.bits(2));
    let whole = client(&plain, [HEAD, bytes].into_iter());
    assert_eq!(
        client(&plain, once(HEAD).chain(pieces(&choices, bytes))),
        whole
    );
});
