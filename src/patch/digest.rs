//! SHA-256 digests as text.

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// 64 hexadecimal digits.
pub(super) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses 64 hexadecimal digits, upper or lower case.
pub(super) fn from_hex(text: &str) -> Option<Digest> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_digits() {
        let digest = std::array::from_fn(|at| at as u8 * 7);
        assert_eq!(from_hex(&hex(&digest)), Some(digest));
        assert_eq!(from_hex(&hex(&digest).to_uppercase()), Some(digest));
        assert_eq!(from_hex(&hex(&digest)[1..]), None);
        assert_eq!(from_hex(&"g".repeat(64)), None);
        assert_eq!(from_hex(&"é".repeat(32)), None);
    }
}
