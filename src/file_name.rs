//! Names that Windows reads as something else than a file of that name. Code that takes names from a network
//! refuses them on every system, so that a game behaves the same everywhere. Paths of the game itself are refused
//! on Windows only. Which characters and lengths a name may have is not decided here.

/// Whether Windows opens a device for this name, whatever its extension: `NUL`, `com1.txt`.
#[cfg(any(
    feature = "patch",
    feature = "server",
    all(feature = "agent", windows),
    test
))]
pub(crate) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_end().to_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) {
        return true;
    }
    stem.strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"))
        .is_some_and(|number| {
            let mut digits = number.chars();
            let digit = digits.next();
            digits.next().is_none()
                && digit.is_some_and(|it| it.is_ascii_digit() || matches!(it, '¹' | '²' | '³'))
        })
}

/// Whether a file that is created on Windows by this name is a device, a stream of another file, or has
/// another name, because Windows removes dots and spaces at the end.
#[cfg(any(all(feature = "agent", windows), test))]
pub(crate) fn means_something_else(name: &str) -> bool {
    name.contains(':') || name.ends_with(['.', ' ']) || is_device(name)
}

/// Whether a name in the path means something else than a file or folder of that name.
#[cfg(all(feature = "agent", windows))]
pub(crate) fn has_reserved_name(path: &std::path::Path) -> bool {
    use std::path::Component;
    // A path that begins with `\\?\` is taken as it is, except for streams.
    let is_verbatim = matches!(path.components().next(),
        Some(Component::Prefix(prefix)) if prefix.kind().is_verbatim());
    path.components().any(|component| match component {
        Component::Normal(name) if is_verbatim => name.to_string_lossy().contains(':'),
        Component::Normal(name) => means_something_else(&name.to_string_lossy()),
        _ => false,
    })
}

/// Other systems take names as they are.
#[cfg(all(
    not(windows),
    any(
        feature = "outbox",
        feature = "patch",
        all(feature = "agent", not(target_family = "wasm"))
    )
))]
pub(crate) fn has_reserved_name(_path: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_reads_as_something_else() {
        for name in [
            "CON",
            "con.txt",
            "nul .tar.gz",
            "Aux",
            "PRN.",
            "COM1",
            "com0",
            "lpt9.log",
            "COM¹",
            "conin$",
            "CLOCK$",
        ] {
            assert!(is_device(name), "{name}");
            assert!(means_something_else(name), "{name}");
        }
        for name in ["file.bin:stream", "c:", "file.", "file ", "file. . "] {
            assert!(!is_device(name), "{name}");
            assert!(means_something_else(name), "{name}");
        }
        for name in [
            "console",
            "com10",
            "COM",
            "COM1x",
            "nul_",
            "_nul",
            "file",
            ".nul",
            "a.con",
            "über com1",
        ] {
            assert!(!is_device(name), "{name}");
            assert!(!means_something_else(name), "{name}");
        }
    }
}
