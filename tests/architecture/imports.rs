//! Which file of a crate takes which names from which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::source::code_of;

type Segments = Vec<String>;

/// A file that is a module.
struct Module {
    file: String,
    /// Paths that the code names, absolute: without the leading `crate`.
    paths: Vec<Segments>,
    /// Names that it passes on (`pub use`), and what they stand for; `*` for all names of a module.
    exports: Vec<(String, Segments)>,
    /// Paths into other packages, and those that begin with a type.
    external: BTreeSet<String>,
}

/// The files of a crate and their imports.
pub(crate) struct Graph {
    modules: BTreeMap<Segments, Module>,
}

impl Graph {
    /// Reads all files below the folder of a crate's `lib.rs`.
    pub(crate) fn read(root: PathBuf) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    if path.file_name().is_none_or(|name| name != "tests") {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|it| it == "rs")
                    && path.file_name().is_none_or(|name| name != "tests.rs")
                {
                    let (name, module) = read_module(&root, &path);
                    modules.insert(name, module);
                }
            }
        }
        Self { modules }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.modules.values().map(|module| module.file.as_str())
    }

    /// Each file, and each path into another package that it names, or path that begins with a type.
    pub(crate) fn external(&self) -> impl Iterator<Item = (&str, &str)> {
        self.modules.values().flat_map(|module| {
            module
                .external
                .iter()
                .map(|path| (module.file.as_str(), path.as_str()))
        })
    }

    /// Each import: the file that has it, the file that defines the name, and the name.
    pub(crate) fn imports(&self) -> Vec<(&str, &str, String)> {
        let mut found = Vec::new();
        for module in self.modules.values() {
            for path in &module.paths {
                if let Some(target) = self.home_of(path, 0)
                    && target != module.file
                {
                    found.push((module.file.as_str(), target, path.join("::")));
                }
            }
        }
        found
    }

    /// The file that defines what a path names.
    fn home_of(&self, path: &[String], depth: usize) -> Option<&str> {
        let known = (0..=path.len())
            .rev()
            .find(|length| self.modules.contains_key(&path[..*length]))?;
        let module = &self.modules[&path[..known]];
        let Some(name) = path.get(known) else {
            return Some(&module.file);
        };
        if depth < 8 {
            for (export, target) in &module.exports {
                if export == name || (export == "*" && self.defines(target, name)) {
                    let mut target = target.clone();
                    if export == "*" {
                        target.push(name.clone());
                    }
                    return self.home_of(&target, depth + 1);
                }
            }
        }
        Some(&module.file)
    }

    fn defines(&self, module: &[String], name: &str) -> bool {
        let mut path = module.to_vec();
        path.push(name.to_owned());
        self.modules.contains_key(&path)
            || self
                .modules
                .get(module)
                .is_some_and(|it| it.exports.iter().any(|(export, _)| export == name))
    }
}

/// The sets of files that import each other in a cycle, one line each, with the names that tie them.
pub(crate) fn cycles(graph: &Graph) -> Vec<String> {
    let mut edges: BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
    for (from, to, name) in graph.imports() {
        edges
            .entry(from)
            .or_default()
            .entry(to)
            .or_default()
            .insert(name);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = edges
        .keys()
        .map(|from| (*from, reachable(&edges, from)))
        .collect();
    let mut found = BTreeSet::new();
    for (from, to) in &reach {
        if !to.contains(from) {
            continue;
        }
        let members: BTreeSet<&str> = to
            .iter()
            .copied()
            .filter(|other| reach.get(other).is_some_and(|back| back.contains(from)))
            .collect();
        let mut text = format!("a cycle of {} files:", members.len());
        for member in &members {
            for (target, names) in &edges[member] {
                if members.contains(target) {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    text += &format!("\n  {member} -> {target}: {}", names.join(", "));
                }
            }
        }
        found.insert(text);
    }
    found.into_iter().collect()
}

fn reachable<'a>(
    edges: &BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>,
    from: &'a str,
) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut left = vec![from];
    while let Some(file) = left.pop() {
        for target in edges.get(file).into_iter().flatten().map(|(to, _)| *to) {
            if seen.insert(target) {
                left.push(target);
            }
        }
    }
    seen
}

fn read_module(root: &Path, path: &Path) -> (Segments, Module) {
    let text = std::fs::read_to_string(path).expect("a source file");
    let file = path
        .strip_prefix(root)
        .expect("below the root")
        .to_string_lossy()
        .replace('\\', "/");
    let name: Segments = file
        .strip_suffix(".rs")
        .unwrap_or(&file)
        .split('/')
        .filter(|segment| !matches!(*segment, "mod" | "lib"))
        .map(str::to_owned)
        .collect();
    let code = code_of(&text);
    let mut module = Module {
        file,
        paths: Vec::new(),
        exports: Vec::new(),
        external: BTreeSet::new(),
    };
    let rest = read_uses(&code, &name, &mut module);
    read_inline_paths(&rest, &name, &mut module);
    (name, module)
}

/// Reads all `use` items and returns the code without them.
fn read_uses(code: &str, name: &Segments, module: &mut Module) -> String {
    let tokens = tokens(code);
    let mut rest = String::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] != "use" {
            rest.push_str(&tokens[at]);
            rest.push(' ');
            at += 1;
            continue;
        }
        let is_public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
        let end = tokens[at..]
            .iter()
            .position(|token| token == ";")
            .map_or(tokens.len(), |length| at + length);
        let mut leaves = Vec::new();
        let mut tree = &tokens[at + 1..end];
        read_tree(&mut tree, &[], &mut leaves);
        for (path, alias) in leaves {
            match absolute(&path, name) {
                Some(path) if is_public => {
                    let last = path.last().cloned().unwrap_or_default();
                    let mut target = path;
                    if last == "*" {
                        target.pop();
                    }
                    module.exports.push((alias.unwrap_or(last), target));
                }
                Some(path) => module.paths.push(path),
                None => {
                    module.external.insert(path.join("::"));
                }
            }
        }
        at = end + 1;
    }
    rest
}

/// One tree of a `use`: `a::{b, c as d, e::*}`.
fn read_tree(
    tokens: &mut &[String],
    before: &[String],
    leaves: &mut Vec<(Segments, Option<String>)>,
) {
    let mut path = before.to_vec();
    loop {
        let Some((first, rest)) = tokens.split_first() else {
            leaves.push((path, None));
            return;
        };
        match first.as_str() {
            "::" => *tokens = rest,
            "{" => {
                *tokens = rest;
                while let Some(next) = tokens.first() {
                    match next.as_str() {
                        "}" => {
                            *tokens = &tokens[1..];
                            return;
                        }
                        "," => *tokens = &tokens[1..],
                        _ => read_tree(tokens, &path, leaves),
                    }
                }
                return;
            }
            "as" => {
                let alias = rest.first().cloned();
                *tokens = rest.get(1..).unwrap_or_default();
                leaves.push((path, alias));
                return;
            }
            "," | "}" => {
                if path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                leaves.push((path, None));
                return;
            }
            segment => {
                path.push(segment.to_owned());
                *tokens = rest;
            }
        }
    }
}

/// Reads `crate::…`, `self::…` and `super::…` in expressions, types and bounds.
fn read_inline_paths(code: &str, name: &Segments, module: &mut Module) {
    let tokens: Vec<&str> = code.split(' ').filter(|token| !token.is_empty()).collect();
    for at in 0..tokens.len() {
        if tokens.get(at + 1) != Some(&"::") || (at > 0 && tokens[at - 1] == "::") {
            continue;
        }
        let mut path = vec![tokens[at].to_owned()];
        let mut next = at + 1;
        while tokens.get(next) == Some(&"::") {
            match tokens.get(next + 1) {
                Some(segment) if is_word(segment) => path.push((*segment).to_owned()),
                _ => break,
            }
            next += 2;
        }
        match absolute(&path, name) {
            // `pub(in crate::agent)` is no import.
            Some(_) if at > 0 && tokens[at - 1] == "in" => {}
            Some(path) => module.paths.push(path),
            None => {
                module.external.insert(path.join("::"));
            }
        }
    }
}

/// The path from the crate's root, or `None` when it leads elsewhere.
fn absolute(path: &[String], module: &Segments) -> Option<Segments> {
    let mut base = match path.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("self") => module.clone(),
        Some("super") => module[..module.len().saturating_sub(1)].to_vec(),
        _ => return None,
    };
    let mut rest = &path[1..];
    while let Some(("super", after)) = rest.split_first().map(|(it, rest)| (it.as_str(), rest)) {
        base.pop();
        rest = after;
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

fn is_word(token: &str) -> bool {
    token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Words, `::`, and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = code.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character.is_alphanumeric() || character == '_' {
            let mut end = at + character.len_utf8();
            while let Some((next, it)) = characters.peek().copied()
                && (it.is_alphanumeric() || it == '_')
            {
                end = next + it.len_utf8();
                characters.next();
            }
            found.push(code[at..end].to_owned());
        } else if code[at..].starts_with("::") {
            characters.next();
            found.push("::".to_owned());
        } else if !character.is_whitespace() {
            found.push(character.to_string());
        }
    }
    found
}
