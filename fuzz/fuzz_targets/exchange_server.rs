//! The server's exchange machine: what it says of a client's bytes does not depend on how they are cut.

#![no_main]

use httpoll_fuzz::{pieces, server, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = split(input);
    let whole = server(&choices, std::iter::once(bytes));
    assert_eq!(server(&choices, pieces(&choices, bytes)), whole);
});
