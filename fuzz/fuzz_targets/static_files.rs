//! Paths of requests and the files that they lead to: nothing outside of the root is ever served.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use http::Method;
use httpoll::Limits;
use httpoll::server::Request;
use httpoll::server::files::{
    AssetPath, DotFiles, EmbeddedRoot, FileBody, FileRoots, FolderRoot, StaticFiles,
};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"nobody may read this";

/// The folder that is served, beside a file that is not.
static ROOT: OnceLock<(PathBuf, FileRoots)> = OnceLock::new();

fn roots() -> &'static (PathBuf, FileRoots) {
    ROOT.get_or_init(|| {
        let above = std::env::temp_dir().join(format!("httpoll-fuzz-{}", std::process::id()));
        let root = above.join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(above.join("secret"), SECRET).unwrap();
        std::fs::write(root.join(".hidden"), SECRET).unwrap();
        std::fs::write(root.join("index.html"), "<p>index</p>").unwrap();
        std::fs::write(root.join("a/b.txt"), "0123456789").unwrap();
        let mut roots = FileRoots::new();
        let folder = FolderRoot::new(&root).unwrap();
        roots.add(StaticFiles::new("/disk", folder).listing(true));
        let embedded = EmbeddedRoot::new()
            .with("index.html", "<p>embedded</p>")
            .with("a/b.txt", "0123456789")
            .with("a/b.txt.gz", "packed");
        roots.add(
            StaticFiles::new("/", embedded)
                .precompressed(true)
                .listing(true),
        );
        (root, roots)
    })
}

fuzz_target!(|input: &[u8]| {
    let (root, roots) = roots();
    let Ok(Some((request, consumed))) = Request::parse(input, &Limits::default()) else {
        return;
    };
    assert!(consumed <= input.len());
    let again = Request::parse(&input[..consumed], &Limits::default());
    assert!(matches!(again, Ok(Some((_, length))) if length == consumed));
    for dot_files in [DotFiles::Refuse, DotFiles::Allow] {
        if let Ok(path) = AssetPath::parse(request.path(), dot_files) {
            for name in path.names() {
                assert!(!name.is_empty() && name != "." && name != "..");
                assert!(!name.contains(['/', '\\', '\0', ':']));
                assert!(dot_files == DotFiles::Allow || !name.starts_with('.'));
            }
            assert!(root.join(path.as_str()).starts_with(root));
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let target = request.target();
    let Some(plan) = roots.plan(request.method(), target, request.headers(), now) else {
        return;
    };
    let content = match plan.body {
        FileBody::Empty => Vec::new(),
        FileBody::Bytes(bytes) => bytes.to_vec(),
        FileBody::Asset(mut asset) => {
            let mut content = Vec::new();
            while let Some(piece) = asset.next_chunk(7).unwrap() {
                content.extend_from_slice(&piece);
            }
            content
        }
        _ => panic!("a body that this target does not know"),
    };
    assert!(!content.windows(SECRET.len()).any(|window| window == SECRET));
    if *request.method() != Method::HEAD && !content.is_empty() {
        assert_eq!(plan.length, Some(content.len() as u64));
    }
    for (name, value) in &plan.headers {
        assert!(value.to_str().is_ok(), "{name}");
    }
});
