//! How the [`App`] gets files: at once from memory, or through the worker, which finds and reads them.

use std::path::PathBuf;
use std::sync::Arc;

use super::app::App;
use super::client::Client;
use super::fault::ServerFault;
use super::files::{FileLookup, FilePlan, FileReader};
use super::request::Request;
use super::served::FileAnswer;
use super::wake_queue::ConnectionId;
use crate::transport::wake::Wake;

impl App {
    /// Looks for the file that a request means. Only roots in memory are asked here.
    pub(super) fn find_file(&self, request: &Request, id: ConnectionId) -> FileAnswer {
        if !self.has_files {
            return FileAnswer::Nothing;
        }
        let (method, target) = (request.method(), request.target());
        if self.files.needs_disk(target) {
            let wanted = (method, target, request.headers());
            let notify = self.ring_for(id);
            let reader = FileLookup::among(&self.files, wanted, self.wall, &self.disk, notify);
            return FileAnswer::Reader(reader);
        }
        let plan = self
            .files
            .plan(method, target, request.headers(), self.wall);
        plan.map_or(FileAnswer::Nothing, |plan| FileAnswer::Plan(Box::new(plan)))
    }

    /// Lets the worker open the file at this path.
    pub(super) fn open_file(&self, path: PathBuf, id: ConnectionId) -> FileReader {
        FileLookup::at(path, &self.disk, self.ring_for(id))
    }

    /// Makes the server visit the connection.
    pub(super) fn ring_for(&self, id: ConnectionId) -> Wake {
        let wake_queue = Arc::clone(&self.wake_queue);
        Arc::new(move || wake_queue.ring(id))
    }

    /// Reports why static files respond with `500`.
    pub(super) fn report_plan(&mut self, plan: &FilePlan, client: &Client) {
        if let Some(error) = &plan.fault {
            let fault = ServerFault::Response(Box::new(error.clone()));
            self.report(&fault, Some(client));
        }
    }
}
