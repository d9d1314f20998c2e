//! Hooks: functions of the caller that the server runs at certain moments, in the order in which they were
//! added. A hook that panics is reported like a handler, and the other hooks still run.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http::{Method, StatusCode, Version};

use super::client::Client;
use super::fault::{ServerFault, panic_text};
use super::request::Request;
use super::response::Response;
use crate::exclusive::Exclusive;

/// A response that was sent or cut short. `on_sent` hooks get it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The client.
    pub client: Client,
    /// The client's address. Behind trusted proxies it is the address that they report.
    pub ip: IpAddr,
    /// The request's method; `None` when no request could be read.
    pub method: Option<Method>,
    /// The request's path, without its query.
    pub path: String,
    /// The version of the request.
    pub version: Version,
    /// The `User-Agent`, when there was one.
    pub agent: Option<String>,
    /// The response's status.
    pub status: StatusCode,
    /// Bytes of the response, head and framing included.
    pub bytes: u64,
    /// From the start of the request's head to the last byte of the response.
    pub took: Duration,
    /// Whether the whole response was sent.
    pub complete: bool,
}

type ClientHook = Exclusive<Box<dyn FnMut(&Client) + Send>>;
type ReceiveHook = Exclusive<Box<dyn FnMut(&mut Request, &mut Response) + Send>>;
type SentHook = Exclusive<Box<dyn FnMut(&Sent) + Send>>;
type ErrorHook = Exclusive<Box<dyn FnMut(&ServerFault, Option<&Client>) + Send>>;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) connect: Vec<ClientHook>,
    pub(super) disconnect: Vec<ClientHook>,
    pub(super) receive: Vec<ReceiveHook>,
    pub(super) sent: Vec<SentHook>,
    pub(super) error: Vec<ErrorHook>,
}

impl Hooks {
    pub(super) fn connected(&mut self, client: &Client) {
        for at in 0..self.connect.len() {
            let hook = self.connect[at].get_mut();
            let result = guarded(|| hook(client));
            self.settle(result, client);
        }
    }

    pub(super) fn disconnected(&mut self, client: &Client) {
        for at in 0..self.disconnect.len() {
            let hook = self.disconnect[at].get_mut();
            let result = guarded(|| hook(client));
            self.settle(result, client);
        }
    }

    /// Runs all `on_receive` hooks. Returns the text of the first panic, if there was one.
    pub(super) fn received(
        &mut self,
        request: &mut Request,
        response: &mut Response,
    ) -> Result<(), String> {
        let mut outcome = Ok(());
        for hook in &mut self.receive {
            let hook = hook.get_mut();
            outcome = outcome.and(guarded(|| hook(request, response)));
        }
        outcome
    }

    pub(super) fn sent(&mut self, sent: &Sent) {
        for at in 0..self.sent.len() {
            let hook = self.sent[at].get_mut();
            let result = guarded(|| hook(sent));
            self.settle(result, &sent.client);
        }
    }

    pub(super) fn report(&mut self, fault: &ServerFault, client: Option<&Client>) {
        for hook in &mut self.error {
            let hook = hook.get_mut();
            // A panic of this hook cannot be reported: the hook itself receives reports.
            let _ = guarded(|| hook(fault, client));
        }
    }

    fn settle(&mut self, result: Result<(), String>, client: &Client) {
        if let Err(text) = result {
            self.report(&ServerFault::Panicked(text), Some(client));
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("connect", &self.connect.len())
            .field("disconnect", &self.disconnect.len())
            .field("receive", &self.receive.len())
            .field("sent", &self.sent.len())
            .field("error", &self.error.len())
            .finish()
    }
}

/// Runs the caller's code. Returns the text of its panic, if it panics. Data that the code shares with others
/// may then be in any state: the code's author is responsible for that.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| panic_text(&*payload))
}
