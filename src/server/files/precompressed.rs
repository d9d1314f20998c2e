//! Which coding of a file a client prefers (RFC 9110 §12.4.2, §12.5.3), for files that have compressed
//! siblings: `a.js.br`, `a.js.zst`, `a.js.gz`.

use crate::proto::FieldLines;

/// A coding for which a file may have a sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// As in `Content-Encoding`.
    pub(super) name: &'static str,
    /// The suffix of the sibling's name.
    pub(super) suffix: &'static str,
}

/// From small to large, for clients that accept several equally.
const CODINGS: [Coding; 3] = [
    Coding {
        name: "br",
        suffix: ".br",
    },
    Coding {
        name: "zstd",
        suffix: ".zst",
    },
    Coding {
        name: "gzip",
        suffix: ".gz",
    },
];

/// The codings that this client accepts at least as readily as the plain file, best first.
pub(super) fn acceptable(fields: &FieldLines) -> Vec<Coding> {
    let weight = |name: &str| {
        let mut any = None;
        for item in fields.list("accept-encoding") {
            let Some((coding, weight)) = weighted(item) else {
                continue;
            };
            if coding.eq_ignore_ascii_case(name) || (coding == "x-gzip" && name == "gzip") {
                return Some(weight);
            }
            if coding == "*" {
                any = Some(weight);
            }
        }
        any
    };
    // The plain file need not be listed; a client that lists it may prefer it.
    let identity = fields
        .list("accept-encoding")
        .filter_map(weighted)
        .find(|(coding, _)| coding.eq_ignore_ascii_case("identity"))
        .map_or(0, |(_, weight)| weight);
    let mut liked: Vec<_> = CODINGS
        .into_iter()
        .filter_map(|coding| weight(coding.name).map(|weight| (coding, weight)))
        .filter(|(_, weight)| *weight > 0 && *weight >= identity)
        .collect();
    liked.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    liked.into_iter().map(|(coding, _)| coding).collect()
}

/// A coding and its weight in thousandths; `None` when the weight is invalid.
fn weighted(item: &[u8]) -> Option<(&str, u16)> {
    let item = std::str::from_utf8(item).ok()?;
    let (coding, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
    let (name, weight) = parameter.trim().split_once('=')?;
    if !name.eq_ignore_ascii_case("q") {
        return None;
    }
    Some((coding.trim(), thousandths(weight)?))
}

/// `0.5` is 500. At most three decimal places (RFC 9110 §12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, places) = weight.split_once('.').unwrap_or((weight, ""));
    let is_number = places.len() <= 3 && places.bytes().all(|byte| byte.is_ascii_digit());
    let places: u16 = format!("{places:0<3}").parse().ok()?;
    match whole {
        "0" if is_number => Some(places),
        "1" if is_number && places == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_by_weight() {
        let cases: [(&[&str], &[&str]); 20] = [
            (&[], &[]),
            (&[""], &[]),
            (&["gzip"], &["gzip"]),
            (&["GZIP"], &["gzip"]),
            (&["x-gzip"], &["gzip"]),
            (&["gzip, deflate, br, zstd"], &["br", "zstd", "gzip"]),
            (&["gzip", "br"], &["br", "gzip"]),
            (&["gzip;q=1.0, br;q=0.5"], &["gzip", "br"]),
            (&["gzip ; q=0.3 , br; Q=0.301"], &["br", "gzip"]),
            (&["br;q=0, gzip"], &["gzip"]),
            (&["br;q=0.000, gzip;q=0.001"], &["gzip"]),
            (&["*"], &["br", "zstd", "gzip"]),
            (&["*;q=0"], &[]),
            (&["br;q=0, *"], &["zstd", "gzip"]),
            (&["gzip;q=0.5, *;q=0.1"], &["gzip", "br", "zstd"]),
            (&["identity, gzip;q=0.5"], &[]),
            (&["identity;q=0.5, gzip;q=0.5"], &["gzip"]),
            (&["identity"], &[]),
            // An invalid weight counts as zero.
            (&["gzip;q=2, br;q=-1, zstd;q=1.001"], &[]),
            (&["gzip;q=0.1234, br;level=1, zstd;q="], &[]),
        ];
        for (lines, expected) in cases {
            let mut fields = FieldLines::new();
            for line in lines {
                fields.append("Accept-Encoding", line).unwrap();
            }
            let found: Vec<_> = acceptable(&fields)
                .iter()
                .map(|coding| coding.name)
                .collect();
            assert_eq!(found, expected, "{lines:?}");
        }
    }
}
