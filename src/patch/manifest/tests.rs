//! What a manifest may have.

use super::*;

fn file(path: &str) -> ManifestFile {
    ManifestFile::new(path, 3000, [7; 32])
}

fn rule(result: Result<Manifest, Error>) -> (ManifestRule, Option<usize>) {
    match result.unwrap_err().kind() {
        ErrorKind::Patch(PatchFault::InvalidManifest(fault)) => (fault.rule, fault.file),
        kind => panic!("{kind}"),
    }
}

#[test]
fn a_written_manifest_can_be_read() {
    let manifest = Manifest::new(vec![
        file("a/b.pak"),
        file("ü.txt")
            .with_url("https://cdn.example/x?y=z")
            .with_priority(Priority::Gameplay)
            .with_blocks(BlockHashes::new(1024, vec![[1; 32], [2; 32], [3; 32]])),
        ManifestFile::new("empty", 0, [0; 32]),
    ])
    .unwrap();
    let json = manifest.to_json();
    assert_eq!(Manifest::from_json(json.as_bytes()).unwrap(), manifest);
    assert_eq!(manifest.bytes(), 6000);
    let blocks = manifest.files()[1].blocks().unwrap();
    assert_eq!(blocks.range(2, 3000), 2048..3000);
}

#[test]
fn invalid_manifests_are_refused_with_the_rule_and_the_file() {
    use ManifestRule as Rule;
    let good = r#"{"version":1,"files":[{"path":"a","size":1,"sha256":"D"},{"path":"b","size":2000,"sha256":"D","url":"u","priority":"background","blocks":{"size":1024,"sha256":["D","D"]}}]}"#
            .replace('D', &"00".repeat(32));
    assert!(Manifest::from_json(good.as_bytes()).is_ok());
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":2", (Rule::NotAManifest, None)),
        ("\"version\":1,", "", (Rule::NotAManifest, None)),
        ("\"files\":[", "\"file\":[", (Rule::NotAManifest, None)),
        ("}]}", "}]", (Rule::NotAManifest, None)),
        (
            "\"path\":\"a\"",
            "\"path\":7",
            (Rule::InvalidField("path"), Some(0)),
        ),
        (
            "\"path\":\"a\"",
            "\"p\":\"a\"",
            (Rule::InvalidField("path"), Some(0)),
        ),
        (
            "\"path\":\"b\"",
            "\"path\":\"../b\"",
            (Rule::DotSegment, Some(1)),
        ),
        (
            "\"path\":\"b\"",
            "\"path\":\"A\"",
            (Rule::Collision, Some(1)),
        ),
        (
            "\"path\":\"b\"",
            "\"path\":\"a/b\"",
            (Rule::Collision, Some(1)),
        ),
        (
            "\"size\":1,",
            "\"size\":-1,",
            (Rule::InvalidField("size"), Some(0)),
        ),
        (
            "\"size\":1,",
            "\"size\":1.5,",
            (Rule::InvalidField("size"), Some(0)),
        ),
        (
            "\"size\":1,",
            "\"size\":\"1\",",
            (Rule::InvalidField("size"), Some(0)),
        ),
        (
            "\"size\":1,",
            "\"size\":99999999999999,",
            (Rule::TooLarge, Some(0)),
        ),
        (
            "\"size\":2000",
            "\"size\":3000",
            (Rule::InvalidBlocks, Some(1)),
        ),
        (
            "\"size\":1024",
            "\"size\":0",
            (Rule::InvalidBlocks, Some(1)),
        ),
        (
            "\"size\":1024",
            "\"size\":1000",
            (Rule::InvalidBlocks, Some(1)),
        ),
        (
            "\"size\":1024",
            "\"size\":true",
            (Rule::InvalidField("blocks"), Some(1)),
        ),
        (
            "\"sha256\":\"00",
            "\"sha256\":\"zz",
            (Rule::InvalidField("sha256"), Some(0)),
        ),
        (
            "background",
            "urgent",
            (Rule::InvalidField("priority"), Some(1)),
        ),
        (
            "\"url\":\"u\"",
            "\"url\":[]",
            (Rule::InvalidField("url"), Some(1)),
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert_eq!(rule(Manifest::from_json(bad.as_bytes())), expected, "{bad}");
    }
    for bad in ["", "[]", "null", "{}", "\u{0}"] {
        assert_eq!(
            rule(Manifest::from_json(bad.as_bytes())),
            (Rule::NotAManifest, None)
        );
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        rule(Manifest::from_json(deep.as_bytes())),
        (Rule::NotAManifest, None)
    );
}

#[test]
fn each_limit_is_kept() {
    let json = Manifest::new(vec![file("a"), file("b")]).unwrap().to_json();
    let default = ManifestLimits::default;
    for (limits, expected) in [
        (
            ManifestLimits {
                json_bytes: json.len() - 1,
                ..default()
            },
            (ManifestRule::TooLong, None),
        ),
        (
            ManifestLimits {
                files: 1,
                ..default()
            },
            (ManifestRule::TooManyFiles, None),
        ),
        (
            ManifestLimits {
                file_bytes: 2999,
                ..default()
            },
            (ManifestRule::TooLarge, Some(0)),
        ),
        (
            ManifestLimits {
                total_bytes: 5999,
                ..default()
            },
            (ManifestRule::TooLarge, Some(1)),
        ),
    ] {
        let result = Manifest::from_json_with_limits(json.as_bytes(), &limits);
        assert_eq!(rule(result), expected);
    }
}
