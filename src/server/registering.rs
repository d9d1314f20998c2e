//! What a program registers at its server: handlers, tables of routes, static files and hooks.

use std::sync::Arc;

use super::Server;
use super::client::Client;
use super::fault::ServerFault;
use super::files::StaticFiles;
use super::hooks::Sent;
use super::into_response::{IntoResponse, Outcome};
use super::request::Request;
use super::response::Response;
use super::router::{Handler, Route, Routes};
use crate::error::Error;
use crate::exclusive::Exclusive;

impl Server {
    /// Registers a handler that fills in a response. See [`Routes`] for methods and paths.
    ///
    /// The compiler refuses a handler with other parameters where it is registered:
    ///
    /// ```compile_fail,E0593
    /// # let mut server = httpoll::server::Server::bind("127.0.0.1:0").unwrap();
    /// server.handle("GET", "/", |only_one| {});
    /// ```
    ///
    /// # Errors
    /// As [`Routes::handle`].
    pub fn handle<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request, &mut Response) -> R + Send + 'static,
        R: Outcome,
    {
        self.app.routes.handle(method, path, handler)
    }

    /// Registers a handler that returns its response.
    ///
    /// # Errors
    /// As [`Routes::route`].
    pub fn route<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request) -> R + Send + 'static,
        R: IntoResponse,
    {
        self.app.routes.route(method, path, handler)
    }

    /// Registers a handler for a path and everything below it.
    ///
    /// # Errors
    /// As [`Routes::tree`].
    pub fn tree<F, R>(
        &mut self,
        method: impl AsRef<str>,
        path: &str,
        handler: F,
    ) -> Result<&mut Route, Error>
    where
        F: FnMut(&mut Request, &mut Response) -> R + Send + 'static,
        R: Outcome,
    {
        self.app.routes.tree(method, path, handler)
    }

    /// Lets [`next_request`](Self::next_request) return the requests that match.
    ///
    /// # Errors
    /// As [`Routes::pull`].
    pub fn pull(&mut self, method: impl AsRef<str>, path: &str) -> Result<&mut Route, Error> {
        self.app.routes.pull(method, path)
    }

    /// Takes over all routes of a table.
    pub fn merge(&mut self, routes: Routes) {
        self.app.routes.merge(routes);
    }

    /// Sets another table that is used when none of the server's own routes matches.
    pub fn set_fallback(&mut self, routes: Routes) {
        self.app.fallback = Some(routes);
    }

    /// Replaces the handler for requests that no route matches, if there is no `on_receive` hook. The
    /// default responds with `404` and the text `404 - Not Found.`
    pub fn set_not_found_handler<F, R>(&mut self, mut handler: F)
    where
        F: FnMut(&mut Request, &mut Response) -> R + Send + 'static,
        R: Outcome,
    {
        let call: Box<dyn FnMut(&mut Request, &mut Response) -> _ + Send> =
            Box::new(move |request, response| handler(request, response).outcome());
        self.app.none = Some(Handler::Call(Exclusive::new(call)));
    }

    /// Serves static files below their base. A worker thread finds and reads them, unless their root [is in
    /// memory](crate::server::files::AssetRoot::is_in_memory). The thread starts with the first request for such a
    /// file. It reads at most 1 MiB of each file ahead, and 16 MiB of all of them together. Routes come first. If
    /// there is no such file, the not-found handler responds. If several bases cover a path, the deepest comes first.
    pub fn files(&mut self, files: StaticFiles) {
        self.app.has_files = true;
        Arc::make_mut(&mut self.app.files).add(files);
    }

    /// Adds a hook that runs for each connection that was accepted.
    pub fn on_connect(&mut self, hook: impl FnMut(&Client) + Send + 'static) {
        self.app.hooks.connect.push(Exclusive::new(Box::new(hook)));
    }

    /// Adds a hook that runs once for each connection that has ended.
    pub fn on_disconnect(&mut self, hook: impl FnMut(&Client) + Send + 'static) {
        self.app
            .hooks
            .disconnect
            .push(Exclusive::new(Box::new(hook)));
    }

    /// Adds a hook that runs for each well-formed request, before the handler of its route. With such a hook, a
    /// request that no route takes gets the response that the hooks filled in.
    pub fn on_receive(&mut self, hook: impl FnMut(&mut Request, &mut Response) + Send + 'static) {
        self.app.hooks.receive.push(Exclusive::new(Box::new(hook)));
    }

    /// Adds a hook that runs for each response after its last byte was given to the system or it was cut short.
    /// For the `101` of a WebSocket the hook runs when the WebSocket has ended.
    pub fn on_sent(&mut self, hook: impl FnMut(&Sent) + Send + 'static) {
        self.app.hooks.sent.push(Exclusive::new(Box::new(hook)));
    }

    /// Another name of [`on_sent`](Self::on_sent).
    pub fn on_reply(&mut self, hook: impl FnMut(&Sent) + Send + 'static) {
        self.on_sent(hook);
    }

    /// Adds a hook that runs for every fault. No fault ends the server.
    pub fn on_error(&mut self, hook: impl FnMut(&ServerFault, Option<&Client>) + Send + 'static) {
        self.app.hooks.error.push(Exclusive::new(Box::new(hook)));
    }
}
