//! Path patterns: their syntax, and the tree that finds all patterns which match a path, the most specific
//! first. The values of patterns (handlers by method) belong to the router.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::error::Misuse;

/// A tree of path segments.
#[derive(Debug)]
pub(super) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    fixed: HashMap<Box<str>, Node<T>>,
    param: Option<Box<Node<T>>>,
    /// The pattern that ends here.
    here: Option<Leaf<T>>,
    /// The pattern that matches everything below here, after a slash.
    below: Option<Leaf<T>>,
}

#[derive(Debug)]
struct Leaf<T> {
    names: Vec<Arc<str>>,
    /// The name of the parameter for the rest.
    rest: Option<Arc<str>>,
    value: T,
}

/// One pattern that matches, and its parameters.
#[derive(Debug)]
pub(super) struct Match<'a, T> {
    pub(super) value: &'a T,
    names: &'a [Arc<str>],
    rest: Option<(&'a Arc<str>, String)>,
    caught: Vec<String>,
}

impl<T> Match<'_, T> {
    /// Names and decoded values, in the order of the pattern.
    pub(super) fn into_params(self) -> Vec<(Arc<str>, String)> {
        let named = self.names.iter().cloned().zip(self.caught);
        let rest = self.rest.map(|(name, value)| (Arc::clone(name), value));
        named.chain(rest).collect()
    }
}

/// Which paths a pattern covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// As written, by Blade's rule: a final slash also covers everything below (except for `/` alone).
    AsWritten,
    /// The path itself and everything below it.
    Tree,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            fixed: HashMap::new(),
            param: None,
            here: None,
            below: None,
        }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T: Clone + PartialEq> Tree<T> {
    /// The value of a pattern: `fresh` if it had none yet.
    pub(super) fn insert(&mut self, pattern: &str, reach: Reach, fresh: T) -> Result<T, Misuse> {
        let rest = pattern.strip_prefix('/').ok_or(Misuse::InvalidTarget)?;
        if pattern.contains(['?', '#']) || pattern.chars().any(char::is_control) {
            return Err(Misuse::InvalidTarget);
        }
        let mut node = &mut self.root;
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut segments = rest.split('/').peekable();
        let mut tail = None;
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            if let Some(name) = segment.strip_prefix('*') {
                if !is_last {
                    return Err(Misuse::InvalidTarget);
                }
                tail = Some((!name.is_empty()).then(|| Arc::from(name)));
                break;
            }
            if is_last && segment.is_empty() && pattern.len() > 1 {
                // `/a/` matches `/a/` and everything below it.
                tail = Some(None);
                break;
            }
            node = match segment.strip_prefix(':') {
                Some("") => return Err(Misuse::InvalidTarget),
                Some(name) => {
                    names.push(Arc::from(name));
                    node.param.get_or_insert_default()
                }
                None => node.fixed.entry(decoded(segment).into()).or_default(),
            };
        }
        let mut leaf = Leaf {
            names,
            rest: None,
            value: fresh,
        };
        match (tail, reach) {
            (Some(rest), _) => {
                leaf.rest = rest;
                Ok(place(&mut node.below, leaf))
            }
            (None, Reach::AsWritten) => Ok(place(&mut node.here, leaf)),
            (None, Reach::Tree) => {
                let value = place(&mut node.below, leaf);
                let below = node.below.as_ref().map(|leaf| Leaf {
                    names: leaf.names.clone(),
                    rest: None,
                    value: leaf.value.clone(),
                });
                node.here = node.here.take().or(below);
                Ok(value)
            }
        }
    }

    /// Visits all patterns that match a raw path, the most specific first: in each segment a fixed one comes
    /// before a parameter, and a parameter before a rest. `visit` returns whether to continue.
    pub(super) fn visit<'a>(&'a self, path: &str, visit: &mut dyn FnMut(Match<'a, T>) -> bool) {
        if let Some(rest) = path.strip_prefix('/') {
            self.root.visit(Some(rest), &mut Vec::new(), visit);
        }
    }
}

impl<T> Node<T> {
    /// `path` is the rest of the path, without its first slash; `None` at the end.
    fn visit<'a>(
        &'a self,
        path: Option<&str>,
        caught: &mut Vec<String>,
        visit: &mut dyn FnMut(Match<'a, T>) -> bool,
    ) -> bool {
        let Some(path) = path else {
            return match &self.here {
                Some(leaf) => visit(leaf.matched(caught, None)),
                None => true,
            };
        };
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let goes_on = if segment.contains('%') {
            let decoded = decoded(segment);
            self.descend(&decoded, rest, caught, visit)
        } else {
            self.descend(segment, rest, caught, visit)
        };
        goes_on
            && match &self.below {
                Some(leaf) => visit(leaf.matched(caught, Some(path))),
                None => true,
            }
    }

    fn descend<'a>(
        &'a self,
        segment: &str,
        rest: Option<&str>,
        caught: &mut Vec<String>,
        visit: &mut dyn FnMut(Match<'a, T>) -> bool,
    ) -> bool {
        if let Some(node) = self.fixed.get(segment)
            && !node.visit(rest, caught, visit)
        {
            return false;
        }
        if let Some(node) = &self.param
            && !segment.is_empty()
        {
            caught.push(segment.to_owned());
            let goes_on = node.visit(rest, caught, visit);
            caught.pop();
            return goes_on;
        }
        true
    }
}

impl<T> Leaf<T> {
    fn matched(&self, caught: &[String], rest: Option<&str>) -> Match<'_, T> {
        let rest = rest.unwrap_or_default();
        Match {
            value: &self.value,
            names: &self.names,
            rest: self.rest.as_ref().map(|name| (name, decoded(rest))),
            caught: caught.to_vec(),
        }
    }
}

fn place<T: Clone>(slot: &mut Option<Leaf<T>>, leaf: Leaf<T>) -> T {
    match slot {
        Some(old) => {
            // The names in the latest spelling are used.
            old.names = leaf.names;
            old.rest = leaf.rest;
            old.value.clone()
        }
        None => slot.insert(leaf).value.clone(),
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tree(patterns: &[&'static str]) -> Tree<&'static str> {
        let mut tree = Tree::default();
        for pattern in patterns {
            tree.insert(pattern, Reach::AsWritten, *pattern).unwrap();
        }
        tree
    }

    fn first(tree: &Tree<&'static str>, path: &str) -> Option<(&'static str, Vec<String>)> {
        let mut found = None;
        tree.visit(path, &mut |matched| {
            let value = *matched.value;
            let params = matched.into_params();
            found = Some((
                value,
                params
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
            ));
            false
        });
        found
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let tree = tree(&[
            "/",
            "/a",
            "/a/",
            "/a/b/",
            "/a/:id",
            "/a/:id/c",
            "/a/x/*rest",
            "/*any",
            "/files/*path",
            "/sp ace",
        ]);
        for (path, expected, params) in [
            ("/", "/", &[][..]),
            ("/a", "/a", &[]),
            ("/a/", "/a/", &[]),
            ("/a/1", "/a/:id", &["id=1"]),
            ("/a/b", "/a/:id", &["id=b"]),
            ("/a/b/", "/a/b/", &[]),
            ("/a/b/c", "/a/b/", &[]),
            ("/a/1/c", "/a/:id/c", &["id=1"]),
            ("/a/1/d", "/a/", &[]),
            ("/a/x/1/2", "/a/x/*rest", &["rest=1/2"]),
            ("/a/x/", "/a/x/*rest", &["rest="]),
            ("/a/%62/z", "/a/b/", &[]),
            ("/a/%2F", "/a/:id", &["id=/"]),
            ("/a%2Fb", "/*any", &["any=a/b"]),
            ("/other/deep", "/*any", &["any=other/deep"]),
            ("/files/a%20b/c", "/files/*path", &["path=a b/c"]),
            ("/sp%20ace", "/sp ace", &[]),
        ] {
            let (found, caught) = first(&tree, path).unwrap();
            assert_eq!(
                (found, caught),
                (expected, params.iter().map(|it| (*it).to_owned()).collect()),
                "{path}"
            );
        }
    }

    #[test]
    fn the_root_is_no_prefix() {
        assert_eq!(first(&tree(&["/"]), "/a"), None);
        assert_eq!(first(&tree(&["/a/"]), "/a"), None);
        assert_eq!(first(&tree(&["/"]), "*"), None);
    }

    #[test]
    fn an_explicit_tree_takes_the_path_and_all_below() {
        let mut tree = tree(&["/user/"]);
        tree.insert("/user/record", Reach::Tree, "tree").unwrap();
        for (path, expected) in [
            ("/user/record", "tree"),
            ("/user/record/1", "tree"),
            ("/user/records", "/user/"),
        ] {
            assert_eq!(first(&tree, path).unwrap().0, expected);
        }
    }

    #[test]
    fn invalid_patterns_are_refused() {
        let mut tree = Tree::default();
        for pattern in ["", "a", "/*a/b", "/:", "/a?b", "/a\n", "/a#b"] {
            assert_eq!(
                tree.insert(pattern, Reach::AsWritten, 0),
                Err(Misuse::InvalidTarget),
                "{pattern:?}"
            );
        }
    }
}
