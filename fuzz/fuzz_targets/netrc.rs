//! Files of logins: read or refused with a line, never shown.

#![no_main]

use httpoll::netrc::Netrc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    match Netrc::parse(&text) {
        Ok(netrc) => {
            for host in ["a", "a.example", "machine", ""] {
                let _ = (netrc.find(host, None), netrc.find(host, Some("ann")));
            }
            assert!(format!("{netrc:?}").len() < 200 + text.len());
        }
        Err(error) => {
            assert!(error.line() >= 1 && error.line() <= text.split('\n').count() + 1);
            assert!(!error.to_string().is_empty());
        }
    }
});
