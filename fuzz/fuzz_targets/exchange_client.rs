//! The client's exchange machine: what it says of a server's bytes does not depend on how they are cut.

#![no_main]

use httpoll_fuzz::{client, pieces, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = split(input);
    let whole = client(&choices, std::iter::once(bytes));
    assert_eq!(client(&choices, pieces(&choices, bytes)), whole);
});
