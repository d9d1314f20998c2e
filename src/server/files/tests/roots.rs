//! Folders, embedded bytes, and several roots together.

use std::fs;
use std::path::PathBuf;

use super::*;

/// An empty folder for one test.
pub(super) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("httpoll-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn path(text: &str) -> AssetPath {
    AssetPath::parse(text, DotFiles::Allow).unwrap()
}

fn read(root: &dyn AssetRoot, name: &str) -> Option<String> {
    let asset = root.open(&path(name)).ok()?;
    let length = asset.length;
    let mut body = AssetBody::new(asset.content, [body::Piece::Part(0..length)]);
    let mut text = Vec::new();
    while let Some(chunk) = body.next_chunk(2).unwrap() {
        text.extend_from_slice(&chunk);
    }
    Some(String::from_utf8(text).unwrap())
}

fn listed(root: &dyn AssetRoot, folder: &str, limit: usize) -> Vec<String> {
    let mut entries = root.list(&path(folder), limit).unwrap();
    entries.sort();
    let slash = |entry: &Listed| if entry.is_dir { "/" } else { "" };
    entries
        .iter()
        .map(|entry| format!("{}{}", entry.name, slash(entry)))
        .collect()
}

#[test]
fn embedded_bytes() {
    let root = EmbeddedRoot::new()
        .with("/index.html", &b"hello"[..])
        .with("css/main.css", "a{}")
        .with("css/deep/x.css", "x{}")
        .with("css-other", "no");
    for (name, content) in [
        ("/index.html", Some("hello")),
        ("/css/main.css", Some("a{}")),
        ("/css/deep/x.css", Some("x{}")),
        ("/css", None),
        ("/CSS/main.css", None),
        ("/missing", None),
    ] {
        assert_eq!(read(&root, name).as_deref(), content, "{name}");
    }
    for (name, is_dir) in [
        ("/", true),
        ("/css/", true),
        ("/css/deep", true),
        ("/cs", false),
        ("/css-other", false),
    ] {
        assert_eq!(root.is_dir(&path(name)), is_dir, "{name}");
    }
    assert_eq!(listed(&root, "/", 9), ["css/", "css-other", "index.html"]);
    assert_eq!(listed(&root, "/css/", 9), ["deep/", "main.css"]);
    assert_eq!(listed(&root, "/", 1).len(), 1);
    assert!(!EmbeddedRoot::new().is_dir(&path("/x")));

    let tag = |content: &'static str| {
        let root = EmbeddedRoot::new().with("a", content);
        root.open(&path("/a")).unwrap().etag.unwrap()
    };
    assert_eq!(tag("one"), tag("one"));
    assert_ne!(tag("one"), tag("two"));
}

#[test]
fn embedded_files_have_ranges_and_tags() {
    let files = StaticFiles::new("/", EmbeddedRoot::new().with("a.wasm", "0123456789"));
    let whole = ask(&files, "GET", "/a.wasm", &[]).unwrap();
    assert_eq!(whole.field("content-type"), Some("application/wasm"));
    let tag = format!("If-None-Match: {}", whole.field("etag").unwrap());
    assert_eq!(ask(&files, "GET", "/a.wasm", &[&tag]).unwrap().0, 304);
    let part = ask(&files, "GET", "/a.wasm", &["Range: bytes=2-4"]).unwrap();
    assert_eq!((part.0, part.2.as_str()), (206, "234"));
}

#[test]
fn folders() {
    let folder = folder("folder-root");
    fs::create_dir_all(folder.join("sub/deep")).unwrap();
    fs::write(folder.join("a b.txt"), "hello").unwrap();
    fs::write(folder.join("sub/x"), "x").unwrap();
    let root = FolderRoot::new(&folder).unwrap();
    for (name, content) in [
        ("/a%20b.txt", Some("hello")),
        ("/sub/x", Some("x")),
        ("/sub", None),
        ("/missing", None),
        ("/a%20b.txt/x", None),
    ] {
        assert_eq!(read(&root, name).as_deref(), content, "{name}");
    }
    assert!(root.open(&path("/sub/x")).unwrap().modified.is_some());
    assert!(root.is_dir(&path("/")) && root.is_dir(&path("/sub/")));
    assert!(!root.is_dir(&path("/sub/x")) && !root.is_dir(&path("/missing")));
    assert_eq!(listed(&root, "/", 9), ["a b.txt", "sub/"]);
    assert_eq!(listed(&root, "/sub/", 9), ["deep/", "x"]);
    let kind = |error: io::Error| error.kind();
    let missing = root.list(&path("/missing"), 9).unwrap_err();
    assert_eq!(kind(missing), io::ErrorKind::NotFound);
    let no_folder = FolderRoot::new(folder.join("a b.txt")).unwrap_err();
    assert_eq!(kind(no_folder), io::ErrorKind::NotADirectory);

    // A name that is too long for the disk is not found; it is no error.
    let files = StaticFiles::new("/", FolderRoot::new(&folder).unwrap());
    assert!(ask(&files, "GET", &format!("/{}", "x".repeat(5000)), &[]).is_none());
    assert!(ask(&files, "GET", "/a%20b.txt/x", &[]).is_none());
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn symbolic_links() {
    use std::os::unix::fs::symlink;
    let folder = folder("symlinks");
    let inside = folder.join("site");
    fs::create_dir_all(inside.join("sub")).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    fs::create_dir(folder.join("site-other")).unwrap();
    fs::write(folder.join("site-other/x"), "other").unwrap();
    fs::write(inside.join("sub/x"), "x").unwrap();
    symlink(inside.join("sub/x"), inside.join("near")).unwrap();
    symlink("../secret", inside.join("far")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    symlink("sub", inside.join("folder")).unwrap();
    symlink("../site-other", inside.join("other")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    for (name, within, followed) in [
        ("/near", Some("x"), Some("x")),
        ("/folder/x", Some("x"), Some("x")),
        ("/far", None, Some("secret")),
        ("/up/secret", None, Some("secret")),
        ("/other/x", None, Some("other")),
        ("/loop", None, None),
        ("/sub/x", Some("x"), Some("x")),
    ] {
        let root = |symlinks| FolderRoot::new(&inside).unwrap().symlinks(symlinks);
        assert_eq!(
            read(&FolderRoot::new(&inside).unwrap(), name).as_deref(),
            within,
            "{name}"
        );
        assert_eq!(
            read(&root(Symlinks::WithinRoot), name).as_deref(),
            within,
            "{name}"
        );
        assert_eq!(
            read(&root(Symlinks::Follow), name).as_deref(),
            followed,
            "{name}"
        );
        let refused = (name == "/sub/x").then_some("x");
        assert_eq!(
            read(&root(Symlinks::Refuse), name).as_deref(),
            refused,
            "{name}"
        );
    }
    for symlinks in [Symlinks::WithinRoot, Symlinks::Refuse, Symlinks::Follow] {
        let root = FolderRoot::new(&inside).unwrap().symlinks(symlinks);
        for name in ["/loop", "/loop/x"] {
            let error = root.open(&path(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{symlinks:?} {name}");
        }
    }
    let root = FolderRoot::new(&inside).unwrap();
    assert!(!root.is_dir(&path("/up/")) && root.is_dir(&path("/folder/")));
    assert_eq!(listed(&root, "/", 99), ["folder/", "near", "sub/"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn several_roots() {
    let root = |text: &'static str| EmbeddedRoot::new().with(text, text);
    let mut roots = FileRoots::new();
    roots.add(StaticFiles::new("/", root("a/both").with("a/base", "base")));
    roots.add(StaticFiles::new(
        "/a",
        EmbeddedRoot::new().with("both", "deep"),
    ));
    roots.add(StaticFiles::new(
        "/a/",
        EmbeddedRoot::new()
            .with("both", "late")
            .with("late", "late"),
    ));
    for (target, content) in [
        ("/a/both", Some("deep")),
        ("/a/base", Some("base")),
        ("/a/late", Some("late")),
        ("/missing", None),
    ] {
        let found = match roots.plan(&Method::GET, target, &FieldLines::new(), now()) {
            Some(FilePlan {
                body: FileBody::Asset(mut body),
                ..
            }) => body.next_chunk(99).unwrap(),
            _ => None,
        };
        assert_eq!(found.as_deref(), content.map(str::as_bytes), "{target}");
    }
}

#[test]
fn files_can_be_part_of_a_games_resource() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<FileRoots>();
    is_send_and_sync::<FilePlan>();
}
