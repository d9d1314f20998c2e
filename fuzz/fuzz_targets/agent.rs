//! The whole agent against a server that sends anything: each request ends once, nothing stays open.

#![no_main]

use httpoll_fuzz::{Way, agent, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = split(input);
    agent(&choices, bytes, Way::Direct);
});
