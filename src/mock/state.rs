//! What a mock server and its connections share: rules, log and counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Faults;
use super::request::MockRequest;
use super::rule::{MockRule, Reply};
use crate::error::ErrorKind;

/// The counts of a [`MockServer`](super::MockServer)'s connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockConnections {
    /// Accepted since it was made.
    pub opened: usize,
    /// Of these, those that neither side had closed at the last poll.
    pub open: usize,
    /// Refused by [`FaultRates::refuse`](super::FaultRates::refuse).
    pub refused: usize,
}

/// What a server and its connections share. Nothing here calls other code while it is locked.
#[derive(Default)]
pub(super) struct Shared(Mutex<State>);

pub(super) struct State {
    pub(super) rules: Vec<MockRule>,
    pub(super) requests: Vec<MockRequest>,
    pub(super) errors: Vec<ErrorKind>,
    pub(super) connections: MockConnections,
    pub(super) faults: Option<Faults>,
    pub(super) continues: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            requests: Vec::new(),
            errors: Vec::new(),
            connections: MockConnections::default(),
            faults: None,
            continues: true,
        }
    }
}

impl Shared {
    /// Counts a new connection. Returns its number and what counts it as open; `None` if a fault
    /// refuses it.
    pub(super) fn open_connection(self: &Arc<Self>) -> Option<(usize, Opened)> {
        let mut state = self.state();
        let count = &state.connections;
        let number = count.opened + count.refused;
        if state.faults.is_some_and(|faults| faults.refuses(number)) {
            state.connections.refused += 1;
            return None;
        }
        state.connections.opened += 1;
        state.connections.open += 1;
        drop(state);
        Some((number, Opened(Arc::clone(self))))
    }

    /// The number of the rule that matches this request, and its reply.
    pub(super) fn choose(&self, request: &MockRequest, early: bool) -> Option<(usize, Reply)> {
        self.rules()
            .iter()
            .find_map(|rule| rule.take(request, early))
    }

    pub(super) fn rules(&self) -> Vec<MockRule> {
        self.state().rules.clone()
    }

    pub(super) fn faults(&self) -> Option<Faults> {
        self.state().faults
    }

    pub(super) fn continues(&self) -> bool {
        self.state().continues
    }

    /// Logs a request. The index is for [`amend`](Self::amend).
    pub(super) fn log(&self, request: MockRequest) -> usize {
        let mut state = self.state();
        state.requests.push(request);
        state.requests.len() - 1
    }

    pub(super) fn amend(&self, index: usize, change: impl FnOnce(&mut MockRequest)) {
        if let Some(request) = self.state().requests.get_mut(index) {
            change(request);
        }
    }

    pub(super) fn log_error(&self, error: ErrorKind) {
        self.state().errors.push(error);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection as open while it lives.
pub(super) struct Opened(Arc<Shared>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.state().connections.open -= 1;
    }
}
