//! [`Route`]: one registered handler and its settings.

use std::fmt;

use crate::exclusive::Exclusive;
use crate::server::fault::HandlerError;
use crate::server::request::Request;
use crate::server::response::Response;

/// One registered handler, and its settings.
#[derive(Debug)]
pub struct Route {
    pub(in crate::server) handler: Handler,
    pub(in crate::server) max_body: Option<u64>,
    pub(in crate::server) at_head: bool,
}

type Call =
    Exclusive<Box<dyn FnMut(&mut Request, &mut Response) -> Result<(), HandlerError> + Send>>;

/// What produces the response.
pub(in crate::server) enum Handler {
    Call(Call),
    /// [`Server::next_request`](crate::server::Server::next_request).
    Pull,
}

impl Route {
    /// How many bytes of content are collected at most, instead of
    /// [`ServerLimits::body_bytes`](crate::server::ServerLimits::body_bytes). `u64::MAX` means no limit.
    pub fn max_body(&mut self, bytes: u64) -> &mut Self {
        self.max_body = Some(bytes);
        self
    }

    /// Calls the handler as soon as the head has arrived. [`Request::take_content`] takes the content, if there
    /// is some, and sends `100 Continue`. A handler that responds without taking the content refuses it. The
    /// content then has no limit, unless [`max_body`](Self::max_body) sets one and `Content-Length` exceeds it.
    pub fn at_head(&mut self) -> &mut Self {
        self.at_head = true;
        self
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Pull => "Pull",
        })
    }
}

pub(super) fn call(
    handler: impl FnMut(&mut Request, &mut Response) -> Result<(), HandlerError> + Send + 'static,
) -> Handler {
    Handler::Call(Exclusive::new(Box::new(handler)))
}
