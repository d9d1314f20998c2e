//! Comparison of secrets in a time that does not show how much of them is right.

use std::hint::black_box;

/// Whether both are equal. The time depends only on their lengths.
pub(in crate::server) fn is_same_secret(given: &[u8], expected: &[u8]) -> bool {
    if given.len() != expected.len() {
        return false;
    }
    let difference = given
        .iter()
        .zip(expected)
        .fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_or_not() {
        for (given, expected, is_same) in [
            ("", "", true),
            ("secret", "secret", true),
            ("secreT", "secret", false),
            ("Secret", "secret", false),
            ("secre", "secret", false),
            ("secrets", "secret", false),
            ("", "secret", false),
        ] {
            assert_eq!(
                is_same_secret(given.as_bytes(), expected.as_bytes()),
                is_same
            );
        }
    }
}
