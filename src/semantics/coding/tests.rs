use super::*;

fn decoder(value: &str) -> Result<Option<Decoder>, CodingFault> {
    Decoder::new([value.as_bytes()].into_iter())
}

#[test]
fn which_content_encodings_are_supported() {
    for value in ["", " ", ",", "identity", "Identity, identity,"] {
        assert!(matches!(decoder(value), Ok(None)), "{value:?}");
    }
    for value in ["UTF-8", "utf8", "none", "identity, None"] {
        assert!(matches!(decoder(value), Ok(None)), "{value:?}");
        let strict = Decoder::strict([value.as_bytes()].into_iter());
        assert!(matches!(strict, Err(CodingFault::Unknown(_))), "{value:?}");
    }
    for (value, expected) in [
        ("compress", CodingFault::Unknown("compress".into())),
        ("Quite Odd", CodingFault::Unknown("quite odd".into())),
        ("a\"\u{7f}", CodingFault::Unknown("a\\\"\\x7f".into())),
    ] {
        assert_eq!(decoder(value).unwrap_err(), expected, "{value:?}");
    }
    let long = "x".repeat(1000);
    assert!(decoder(&long).unwrap_err().to_string().len() < 100);
}

#[test]
fn codings_that_are_not_built_in_are_named() {
    for (value, feature, built) in [
        ("gzip", "gzip", cfg!(feature = "gzip")),
        ("X-GZip", "gzip", cfg!(feature = "gzip")),
        ("deflate", "gzip", cfg!(feature = "gzip")),
        ("br", "brotli", cfg!(feature = "brotli")),
        ("zstd", "zstd", cfg!(feature = "zstd")),
    ] {
        match decoder(value) {
            Ok(Some(_)) => assert!(built, "{value}"),
            Err(CodingFault::NotBuilt { feature: named, .. }) => {
                assert!(!built, "{value}");
                assert_eq!(named, feature);
            }
            other => panic!("{value}: {other:?}"),
        }
    }
    for name in ["gzip", "br", "zstd"] {
        let accepted = accept_encoding().split(", ").any(|other| other == name);
        assert_eq!(accepted, decoder(name).is_ok(), "{name}");
    }
}

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod streams;
