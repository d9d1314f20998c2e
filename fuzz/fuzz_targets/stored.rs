//! What was kept on disk: the cache, the note beside a part of a download, the file of a port.

#![no_main]

use httpoll::cache::HttpCache;
use httpoll::fuzzing::{read_sidecar, sealed_cache};
use httpoll::server::port_file::PortFile;
use libfuzzer_sys::fuzz_target;

const ROOM: usize = 4096;

fuzz_target!(|input: &[u8]| {
    // As it is; and with the checksum that it ought to have, so that more than that is looked at.
    for bytes in [input.to_vec(), sealed_cache(input.to_vec())] {
        if let Ok(cache) = HttpCache::from_bytes(&bytes, Some(ROOM)) {
            assert!(cache.bytes() <= ROOM);
            let again = HttpCache::from_bytes(&cache.to_bytes(), Some(ROOM)).unwrap();
            assert_eq!(again.len(), again.len().min(cache.len()));
            assert_eq!(again.to_bytes(), cache.to_bytes());
        }
    }
    if let Some(written) = read_sidecar(input) {
        assert_eq!(read_sidecar(written.as_bytes()), Some(written));
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(file) = PortFile::parse(text)
    {
        let again = PortFile::parse(&file.to_text()).unwrap();
        assert!(again.port == file.port && again.token == file.token);
    }
});
