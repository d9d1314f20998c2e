//! The whole agent behind an HTTP or SOCKS 5 proxy that sends anything.

#![no_main]

use httpoll_fuzz::{Way, agent, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = split(input);
    agent(&choices, bytes, Way::Proxy);
});
