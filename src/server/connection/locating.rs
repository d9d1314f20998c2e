//! A response whose file is still being found or opened by the worker.

use http::StatusCode;

use super::state::{Locating, Stage};
use super::{Connection, Context};
use crate::server::files::{FileFault, FileFound, FileReader, PlanContent};
use crate::server::response::Response;
use crate::server::served::{Served, Then};
use crate::transport::disk::Fill;

impl Connection {
    /// Waits for the worker.
    pub(super) fn locate(&mut self, reader: FileReader, then: Then, cx: &Context<'_>) {
        let locating = Locating { reader, then };
        self.enter(Stage::Locating(Box::new(locating)), cx.now);
    }

    /// Responds when the worker has found or opened the file. Returns whether it has.
    pub(super) fn look_for_file(&mut self, cx: &mut Context<'_>) -> bool {
        let Stage::Locating(locating) = &mut self.stage else {
            return false;
        };
        let Some(opened) = locating.reader.poll_opened() else {
            return false;
        };
        let Stage::Locating(locating) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return false;
        };
        let Locating { mut reader, then } = *locating;
        match (opened, then) {
            (Err(fault), _) => return self.refuse_file(fault, cx),
            (Ok(FileFound::Nothing), Then::Serve(serve)) => {
                let (request, response, plan) = *serve;
                let served = cx.app.serve_without_file(request, response, plan);
                self.settle_served(served, cx);
            }
            (Ok(FileFound::Plan(plan, content)), _) => {
                cx.app.report_plan(&plan, &self.client);
                let length = plan.length;
                let mut response = Response::of_plan(*plan);
                if content == PlanContent::InReader {
                    if let Fill::Failed(fault) = reader.fill() {
                        return self.refuse_file(fault, cx);
                    }
                    response.read_through(reader, length);
                }
                self.respond(response, cx);
            }
            (Ok(FileFound::File(length)), Then::Send(mut response)) => {
                if let Fill::Failed(fault) = reader.fill() {
                    return self.refuse_file(fault, cx);
                }
                response.read_through(reader, Some(length));
                self.respond(*response, cx);
            }
            (Ok(FileFound::Nothing | FileFound::File(_)), _) => {
                self.respond(Response::not_found(), cx);
            }
        }
        true
    }

    /// The file cannot be read, and no byte of the response was sent yet.
    fn refuse_file(&mut self, fault: FileFault, cx: &mut Context<'_>) -> bool {
        cx.app.report(&fault.into_fault(), Some(&self.client));
        self.respond_plainly(StatusCode::INTERNAL_SERVER_ERROR, cx);
        true
    }

    /// Sends what the app made of a request, or waits for it.
    pub(super) fn settle_served(&mut self, served: Served, cx: &mut Context<'_>) {
        match served {
            Served::Response(response) => self.respond(*response, cx),
            Served::Deferred(slot) => {
                if self.input_over {
                    slot.set_aborted();
                }
                self.enter(Stage::Waiting(slot), cx.now);
            }
            Served::File(reader, then) => self.locate(reader, then, cx),
        }
    }

    /// Lets the worker open the file of a response.
    pub(super) fn open_response_file(&mut self, mut response: Response, cx: &mut Context<'_>) {
        if let Some(path) = response.take_path() {
            let reader = cx.app.open_file(path, self.id);
            self.locate(reader, Then::Send(Box::new(response)), cx);
        }
    }
}
