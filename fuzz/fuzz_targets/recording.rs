//! Files of recordings: what is read is written and read again, and plays back.

#![no_main]

use httpoll::memory::MemoryNetwork;
use httpoll::recording::Recording;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Recording::parse(text) {
        Ok(recording) => {
            let again = Recording::parse(&recording.to_string()).unwrap();
            assert_eq!(again, recording);
            let network = MemoryNetwork::new();
            let replay = recording.replay_on(&network);
            let _ = replay.remaining();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
