//! Which handler gets a request: the rules of Blade for paths that end in a slash, parameters and rests by
//! specificity, methods for each path, `405` with `Allow`, automatic `HEAD` and `OPTIONS`. Patterns and their
//! tree are in `pattern`, one handler with its settings in `route`; `app` calls the handlers.

mod pattern;
mod route;

use std::sync::Arc;

use http::Method;

use super::into_response::{IntoResponse, Outcome};
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Misuse};
use pattern::{Reach, Tree};
pub(super) use route::Handler;
pub use route::Route;
use route::call;

/// A table of handlers by method and path. A [`Server`](crate::server::Server) has one. Other tables can be
/// made separately and [merged](crate::server::Server::merge) or set as
/// [fallback](crate::server::Server::set_fallback).
///
/// If several patterns match a path, the most specific one that has the method is used. Patterns are compared
/// segment by segment: a fixed segment comes before `:param`, and `:param` before a rest.
///
/// | pattern | matches |
/// |---|---|
/// | `/user` | that path only |
/// | `/` | that path only |
/// | `/user/` | `/user/` and everything below it, but not `/user` |
/// | `/user/:id` | one segment, percent-decoded, in [`Request::param`] |
/// | `/files/*rest`, `/files/*` | the same paths as `/files/`; the part below, decoded, in the parameter `rest` |
///
/// HTTP's own methods may be in upper or lower case; other tokens are compared as written. `*` is every
/// method. `HEAD` goes to the handler of `GET`, and its content is dropped. The response to `OPTIONS` lists
/// the path's methods, unless a handler is registered for it.
#[derive(Debug, Default)]
pub struct Routes {
    tree: Tree<usize>,
    paths: Vec<Path>,
}

/// The handlers of one path.
#[derive(Debug)]
struct Path {
    pattern: Box<str>,
    reach: Reach,
    routes: Vec<(Verb, Route)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verb {
    Any,
    One(Method),
}

/// What the table decides about a request.
#[derive(Debug)]
pub(super) enum Found {
    Route(RouteId, Vec<(Arc<str>, String)>),
    /// The path exists, but only with these methods.
    NotAllowed(String),
    /// `OPTIONS`: the table itself responds.
    Options(String),
    Nothing,
}

/// The position of a route in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId {
    path: usize,
    route: usize,
}

impl Routes {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a handler that fills in a response. It replaces a handler with the same method and path.
    ///
    /// # Errors
    /// [`Misuse::InvalidMethod`], [`Misuse::InvalidTarget`].
    pub fn handle<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        mut handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request, &mut Response) -> R + Send + 'static,
        R: Outcome,
    {
        let call = call(move |request, response| handler(request, response).outcome());
        self.insert(method.as_ref(), path, Reach::AsWritten, call)
    }

    /// Registers a handler that returns its response, or a value that can become one.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn route<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        mut handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request) -> R + Send + 'static,
        R: IntoResponse,
    {
        let call = call(move |request, response| {
            *response = handler(request).into_response()?;
            Ok(())
        });
        self.insert(method.as_ref(), path, Reach::AsWritten, call)
    }

    /// Like [`handle`](Self::handle), for the path itself and everything below it, with and without a
    /// slash at the end.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn tree<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        mut handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request, &mut Response) -> R + Send + 'static,
        R: Outcome,
    {
        let call = call(move |request, response| handler(request, response).outcome());
        self.insert(method.as_ref(), path, Reach::Tree, call)
    }

    /// Lets [`Server::next_request`](crate::server::Server::next_request) return the requests that match.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn pull(&mut self, method: impl AsRef<str>, path: &str) -> Result<&mut Route, Error> {
        self.insert(method.as_ref(), path, Reach::AsWritten, Handler::Pull)
    }

    /// Takes over all routes of another table. A route with the same method and path is replaced.
    pub fn merge(&mut self, other: Self) {
        for path in other.paths {
            for (verb, route) in path.routes {
                // A pattern that is valid in one table is valid in another.
                let _ = self.place(verb, &path.pattern, path.reach, route);
            }
        }
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn insert(
        &mut self,
        method: &str,
        path: &str,
        reach: Reach,
        handler: Handler,
    ) -> Result<&mut Route, Error> {
        let route = Route {
            handler,
            max_body: None,
            at_head: false,
        };
        self.place(verb(method)?, path, reach, route)
    }

    fn place(
        &mut self,
        verb: Verb,
        pattern: &str,
        reach: Reach,
        route: Route,
    ) -> Result<&mut Route, Error> {
        let index = self.tree.insert(pattern, reach, self.paths.len())?;
        if index == self.paths.len() {
            self.paths.push(Path {
                pattern: pattern.into(),
                reach,
                routes: Vec::new(),
            });
        }
        let routes = &mut self.paths[index].routes;
        let at = routes.iter().position(|(other, _)| *other == verb);
        let at = match at {
            Some(at) => {
                routes[at].1 = route;
                at
            }
            None => {
                routes.push((verb, route));
                routes.len() - 1
            }
        };
        Ok(&mut routes[at].1)
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Found {
        let mut found = None;
        let mut seen = Vec::new();
        self.tree.visit(path, &mut |matched| {
            let index = *matched.value;
            match self.paths[index].find(method) {
                Some(route) => {
                    let id = RouteId { path: index, route };
                    found = Some((id, matched.into_params()));
                    false
                }
                None => {
                    seen.push(index);
                    true
                }
            }
        });
        if let Some((id, params)) = found {
            return Found::Route(id, params);
        }
        if path == "*" && *method == Method::OPTIONS {
            return Found::Options(self.allow(0..self.paths.len()));
        }
        match seen.is_empty() {
            true => Found::Nothing,
            false if *method == Method::OPTIONS => Found::Options(self.allow(seen)),
            false => Found::NotAllowed(self.allow(seen)),
        }
    }

    pub(super) fn get(&mut self, id: RouteId) -> Option<&mut Route> {
        let path = self.paths.get_mut(id.path)?;
        Some(&mut path.routes.get_mut(id.route)?.1)
    }

    /// The value of `Allow` for these paths (RFC 9110 §10.2.1).
    fn allow(&self, paths: impl IntoIterator<Item = usize>) -> String {
        let mut methods: Vec<String> = Vec::new();
        let mut add = |method: &str| {
            if !methods.iter().any(|other| other == method) {
                methods.push(method.to_owned());
            }
        };
        for path in paths {
            for (verb, _) in &self.paths[path].routes {
                if let Verb::One(method) = verb {
                    add(method.as_str());
                    if *method == Method::GET {
                        add("HEAD");
                    }
                }
            }
        }
        add("OPTIONS");
        methods.join(", ")
    }
}

impl Path {
    /// The handler of a method comes before that of any method; `GET` stands in for `HEAD`.
    fn find(&self, method: &Method) -> Option<usize> {
        let one = |wanted: &Method| {
            self.routes
                .iter()
                .position(|(verb, _)| matches!(verb, Verb::One(method) if method == wanted))
        };
        one(method)
            .or_else(|| one(&Method::GET).filter(|_| *method == Method::HEAD))
            .or_else(|| self.routes.iter().position(|(verb, _)| *verb == Verb::Any))
    }
}

/// The parameters that a pattern matches in a path; `None` when it does not match the path.
#[cfg(all(fuzzing, feature = "full"))]
pub fn route_params(pattern: &str, path: &str) -> Result<Option<Vec<(Arc<str>, String)>>, Misuse> {
    let mut tree = Tree::default();
    tree.insert(pattern, Reach::AsWritten, 0)?;
    let mut params = None;
    tree.visit(path, &mut |matched| {
        params = Some(matched.into_params());
        false
    });
    Ok(params)
}

/// HTTP's own methods in upper or lower case. Others stay as written, because methods are case-sensitive
/// (RFC 9110 §9.1).
fn verb(method: &str) -> Result<Verb, Misuse> {
    if method == "*" {
        return Ok(Verb::Any);
    }
    let upper = method.to_ascii_uppercase();
    let known = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
    ];
    let name = if known.contains(&&*upper) {
        &upper
    } else {
        method
    };
    Method::from_bytes(name.as_bytes())
        .map(Verb::One)
        .map_err(|_| Misuse::InvalidMethod)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn nothing(_: &mut Request, _: &mut Response) {}

    fn find(routes: &Routes, method: &str, path: &str) -> String {
        match routes.find(&Method::from_bytes(method.as_bytes()).unwrap(), path) {
            Found::Route(id, _) => format!("{}.{}", id.path, id.route),
            Found::NotAllowed(allow) => format!("405 {allow}"),
            Found::Options(allow) => format!("204 {allow}"),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn methods_of_a_path() {
        let mut routes = Routes::new();
        routes.handle("get", "/a", nothing).unwrap();
        routes.handle("POST", "/a", nothing).unwrap();
        routes.handle("Get", "/a", nothing).unwrap();
        routes.handle("*", "/any", nothing).unwrap();
        routes.handle("purge", "/a", nothing).unwrap();
        routes.handle("DELETE", "/a/", nothing).unwrap();
        routes.handle("GET", "/*", nothing).unwrap();
        for (method, path, expected) in [
            ("GET", "/a", "0.0"),
            ("HEAD", "/a", "0.0"),
            ("POST", "/a", "0.1"),
            ("purge", "/a", "0.2"),
            ("PURGE", "/a", "405 GET, HEAD, POST, purge, OPTIONS"),
            ("PUT", "/a", "405 GET, HEAD, POST, purge, OPTIONS"),
            ("OPTIONS", "/a", "204 GET, HEAD, POST, purge, OPTIONS"),
            (
                "OPTIONS",
                "*",
                "204 GET, HEAD, POST, purge, DELETE, OPTIONS",
            ),
            ("BREW", "/any", "1.0"),
            ("GET", "/a/b", "3.0"),
            ("DELETE", "/a/b", "2.0"),
            ("PUT", "/a/b", "405 DELETE, GET, HEAD, OPTIONS"),
            ("PUT", "/b", "405 GET, HEAD, OPTIONS"),
        ] {
            assert_eq!(find(&routes, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn any_token_is_a_method() {
        let mut routes = Routes::new();
        assert!(routes.handle("SUB-SCRIBE", "/", nothing).is_ok());
        for method in ["", "A B", "A\r"] {
            assert!(routes.handle(method, "/", nothing).unwrap_err().is_misuse());
        }
    }
}
