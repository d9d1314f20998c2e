//! Challenges: a request answers at most twice, and no answer holds a line break or a password.

#![no_main]

use httpoll::auth::Credentials;
use httpoll::fuzzing::authenticate;
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let (user, password) = ("ann".to_owned(), "secret-word".to_owned());
    let (credentials, may_tell) = match choices.bits(2) {
        0 => (Credentials::Digest { user, password }, false),
        1 => (Credentials::Any { user, password }, true),
        2 => (Credentials::Basic { user, password }, true),
        _ => (Credentials::Bearer("secret-word".to_owned()), true),
    };
    let challenges: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let answers = authenticate(credentials, &challenges, "/a?b=\"c\"");
    let mut sent = 0;
    for answer in answers.iter().skip(1) {
        match answer {
            Ok(Some(value)) => {
                sent += 1;
                assert!(value.is_sensitive());
                let text = value.as_bytes();
                assert!(
                    text.iter()
                        .all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t')
                );
                let is_told = text.windows(11).any(|window| window == b"secret-word");
                assert!(may_tell || !is_told);
            }
            Ok(None) => {}
            Err(fault) => assert!(!format!("{fault} {fault:?}").contains("secret-word")),
        }
    }
    assert!(sent <= 3, "it answers for ever");
});
