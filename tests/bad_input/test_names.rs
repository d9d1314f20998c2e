//! The names of all tests of the workspace, read from the sources.

use std::path::Path;

/// The tests of the library and the plugin.
pub(crate) struct Tests(Vec<Test>);

struct Test {
    name: String,
    /// The folders and the file that it is in.
    path: Vec<String>,
}

impl Tests {
    pub(crate) fn of_the_workspace() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tests = Self(Vec::new());
        for folder in ["src", "tests", "plugin/src", "plugin/tests"] {
            tests.add_folder(&root.join(folder));
        }
        tests
    }

    /// How many tests have this name; names of folders and the file may come before it, as in
    /// `agent::pool::connections_with_leftover_bytes_are_not_reused`.
    pub(crate) fn named(&self, name: &str) -> usize {
        let mut parts: Vec<&str> = name.split("::").collect();
        let name = parts.pop().unwrap_or_default();
        self.0
            .iter()
            .filter(|test| test.name == name)
            .filter(|test| {
                parts
                    .iter()
                    .all(|part| test.path.iter().any(|it| it == part))
            })
            .count()
    }

    fn add_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_folder(&path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                self.add_file(&path);
            }
        }
    }

    fn add_file(&mut self, file: &Path) {
        let path: Vec<String> = file
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let text = std::fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("fn ")
                && std::mem::take(&mut is_test)
            {
                self.0.push(Test {
                    name: rest.split('(').next().unwrap().to_owned(),
                    path: path.clone(),
                });
            }
        }
    }
}
