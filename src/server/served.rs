//! What the app decides about a request, by its head and when it serves it. Deciding belongs to `app`.

use std::sync::Arc;

use http::HeaderMap;

use super::files::{FilePlan, FileReader};
use super::request::Request;
use super::responder::Slot;
use super::response::Response;
use super::router::RouteId;

/// What the server will do with a request, decided by its head.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) plan: Plan,
    /// Bytes of content that are collected at most.
    pub(super) max_body: u64,
    /// Whether the handler is called before the content has arrived.
    pub(super) at_head: bool,
    /// Fields that are added to every response.
    pub(super) added: HeaderMap,
}

#[derive(Debug)]
pub(super) enum Plan {
    Call(Table, RouteId),
    /// The response that the route table itself gives.
    Answer(Box<Response>),
    /// The guard's response: not even a hook sees the request.
    Refuse(Box<Response>),
    /// No route matches.
    Nothing,
    Pull,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Own,
    Fallback,
}

/// The result of serving a request.
#[derive(Debug)]
pub(super) enum Served {
    Response(Box<Response>),
    Deferred(Arc<Slot>),
    /// The worker looks for a static file.
    File(FileReader, Then),
}

/// What the file is for.
#[derive(Debug)]
pub(super) enum Then {
    /// A static file. If it does not exist, the request is served without it.
    Serve(Box<(Request, Response, Plan)>),
    /// A static file. If it does not exist, the response is `404`.
    NotFound,
    /// The content of this response.
    Send(Box<Response>),
}

/// What the static files have for a request.
pub(super) enum FileAnswer {
    Nothing,
    Plan(Box<FilePlan>),
    /// The worker looks for it.
    Reader(FileReader),
}
