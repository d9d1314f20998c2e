//! Content types by file name: the table of mime_guess, and the types that game engines add to it. Content
//! is never inspected; responses have `nosniff`.

use std::borrow::Cow;

/// The content type of a file of this name, with a charset for text: `text/html; charset=utf-8` for
/// `index.html`. Only the last extension counts, in upper or lower case. Without a known extension the type
/// is `application/octet-stream`.
///
/// Text is declared as UTF-8, because all text of an engine is. JSON and SVG have no charset parameter
/// (RFC 8259 §11).
pub fn content_type(name: &str) -> Cow<'static, str> {
    let raw = engine_type(name)
        .or_else(|| mime_guess::from_path(name).first_raw())
        .unwrap_or("application/octet-stream");
    if raw.starts_with("text/") {
        Cow::Owned(format!("{raw}; charset=utf-8"))
    } else {
        Cow::Borrowed(raw)
    }
}

/// Types that mime_guess does not know, or knows by an older name.
fn engine_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    Some(match extension.as_str() {
        "basis" => "image/x-basis",
        "dds" => "image/vnd.ms-dds",
        "exr" => "image/x-exr",
        "fbx" | "pak" | "pck" | "spv" => "application/octet-stream",
        "frag" | "gd" | "gdshader" | "glsl" | "hlsl" | "ron" | "tres" | "tscn" | "vert" => {
            "text/plain"
        }
        "ktx2" => "image/ktx2",
        "map" => "application/json",
        "mjs" => "text/javascript",
        "mtl" => "model/mtl",
        "obj" => "model/obj",
        "otf" => "font/otf",
        "vrm" => "model/gltf-binary",
        "wgsl" => "text/wgsl",
        "woff" => "font/woff",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_by_name() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("x.css", "text/css; charset=utf-8"),
            ("X.JS", "text/javascript; charset=utf-8"),
            ("m.mjs", "text/javascript; charset=utf-8"),
            ("notes.txt", "text/plain; charset=utf-8"),
            ("data.json", "application/json"),
            ("app.js.map", "application/json"),
            ("icon.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("ship.glb", "model/gltf-binary"),
            ("ship.gltf", "model/gltf+json"),
            ("ship.obj", "model/obj"),
            ("hull.ktx2", "image/ktx2"),
            ("hull.basis", "image/x-basis"),
            ("game.wasm", "application/wasm"),
            ("theme.ogg", "audio/ogg"),
            ("theme.opus", "audio/ogg"),
            ("intro.webm", "video/webm"),
            ("light.wgsl", "text/wgsl; charset=utf-8"),
            ("scene.scn.ron", "text/plain; charset=utf-8"),
            ("level.tscn", "text/plain; charset=utf-8"),
            ("font.woff2", "font/woff2"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }

    #[test]
    fn unknown_names_are_octets() {
        for name in [
            "",
            "README",
            ".hidden",
            "a.",
            "a.unknown-extension",
            "a.png.",
            "folder.d/x",
        ] {
            assert_eq!(content_type(name), "application/octet-stream", "{name:?}");
        }
    }
}
