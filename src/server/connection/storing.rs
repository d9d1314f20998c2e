//! A form whose files the worker still writes. Its request is whole when they are on disk.

use super::state::{Stage, Storing};
use super::{Connection, Context};
use crate::server::multipart::FormReader;
use crate::server::request::Request;
use crate::server::served::Plan;

impl Connection {
    /// All of the form has arrived: waits for the worker, if it has something to write.
    pub(super) fn store(
        &mut self,
        request: Request,
        plan: Plan,
        reader: Box<FormReader>,
        cx: &mut Context<'_>,
    ) {
        let storing = Storing {
            request,
            plan,
            reader,
        };
        self.enter(Stage::Storing(Box::new(storing)), cx.now);
        self.look_for_form(cx);
    }

    /// Goes on when the worker has written all files, or has failed. Returns whether it has.
    pub(super) fn look_for_form(&mut self, cx: &mut Context<'_>) -> bool {
        let Stage::Storing(storing) = &mut self.stage else {
            return false;
        };
        let Some(form) = storing.reader.poll_finish() else {
            return false;
        };
        let Stage::Storing(storing) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return false;
        };
        let Storing {
            mut request, plan, ..
        } = *storing;
        match form {
            Ok(form) => {
                request.set_form(form);
                self.enter(Stage::Ready(Box::new((request, plan))), cx.now);
            }
            Err(error) => self.refuse_form(error, cx),
        }
        true
    }
}
