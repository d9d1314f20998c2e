//! Facts of certificates: read or refused, never more than there is.

#![no_main]

use httpoll::tls::CertificateFacts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match CertificateFacts::parse(input) {
        Ok(facts) => {
            assert!(facts.subject_alternative_names.len() <= input.len());
            assert!(facts.serial.len() <= 3 * input.len());
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
});
