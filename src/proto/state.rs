//! The two state machines of an exchange, the client's and the server's, after h11's design. One table
//! contains the transitions that messages cause. A second table contains the couplings, which follow from
//! the joint state of both machines and are applied until nothing changes. All code that changes a state is
//! in this file, and it does not depend on which role *we* play.
//!
//! ```text
//! client  Idle ──request──▶ SendContent ──end──▶ Done ─▶ (next cycle) Idle
//!                                                 ├─ proposed ─▶ MightSwitch ─▶ Switched | Done
//!                                                 └─ no reuse ─▶ MustClose ──close──▶ Closed
//! server  Idle ──request──▶ SendResponse ──response──▶ SendContent ──end──▶ Done ─▶ Idle
//!                            ├─ interim ─▶ SendResponse                     └─▶ MustClose
//!                            └─ 101, or 2xx to CONNECT ─▶ Switched
//! ```

use super::persistence::CloseReason;

/// A side of the connection. HTTP has two (RFC 9110 §3.3), so this enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends requests.
    Client,
    /// Sends responses.
    Server,
}

impl Role {
    /// The other side.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The state of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before its message.
    Idle,
    /// A request has arrived; the server must send a final response.
    SendResponse,
    /// The head was sent, but not yet all of its content.
    SendContent,
    /// Its message is complete.
    Done,
    /// Its message is complete, and is the last one.
    MustClose,
    /// The client's request is complete and may end HTTP on this connection.
    MightSwitch,
    /// HTTP has ended.
    Switched,
    /// The side closed at an allowed time.
    Closed,
    /// The side broke the protocol or closed too early.
    Failed,
}

/// A step that moves a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A request head; it moves both machines.
    Request,
    /// An interim response, other than 101.
    Interim,
    /// A final response head.
    Response,
    /// A response that ends HTTP.
    Switch,
    /// The end of content.
    End,
    /// The side closed.
    Close,
}

/// What the request proposed to switch to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proposal {
    /// Nothing, or the server declined.
    Nothing,
    /// The protocol of an `Upgrade` field (RFC 9110 §7.8).
    Upgrade,
    /// A tunnel, by `CONNECT` (RFC 9110 §9.3.6).
    Tunnel,
}

const TRANSITIONS: &[(Role, State, Step, State)] = {
    use Role::{Client, Server};
    use State::{Closed, Done, Idle, MightSwitch, MustClose, SendContent, SendResponse, Switched};
    &[
        (Client, Idle, Step::Request, SendContent),
        (Client, SendContent, Step::End, Done),
        (Client, Idle, Step::Close, Closed),
        (Client, Done, Step::Close, Closed),
        (Client, MightSwitch, Step::Close, Closed),
        (Client, MustClose, Step::Close, Closed),
        (Client, Closed, Step::Close, Closed),
        (Server, Idle, Step::Request, SendResponse),
        // A server may respond to a request that it could not read.
        (Server, Idle, Step::Response, SendContent),
        (Server, SendResponse, Step::Interim, SendResponse),
        (Server, SendResponse, Step::Response, SendContent),
        (Server, SendResponse, Step::Switch, Switched),
        (Server, SendContent, Step::End, Done),
        (Server, Idle, Step::Close, Closed),
        (Server, Done, Step::Close, Closed),
        (Server, MustClose, Step::Close, Closed),
        (Server, Closed, Step::Close, Closed),
    ]
};

/// The client's state, the server's state, the machine that moves, its new state.
const COUPLINGS: &[(State, State, Role, State)] = {
    use Role::{Client, Server};
    use State::{Closed, Done, Failed, Idle, MightSwitch, MustClose, Switched};
    &[
        (MightSwitch, Switched, Client, Switched),
        (Closed, Idle, Server, MustClose),
        (Closed, Done, Server, MustClose),
        (Failed, Done, Server, MustClose),
        (Idle, Closed, Client, MustClose),
        (Done, Closed, Client, MustClose),
        (Done, Failed, Client, MustClose),
    ]
};

/// Both machines, and the facts that couple them.
#[derive(Clone, Debug)]
pub(super) struct States {
    client: State,
    server: State,
    proposal: Proposal,
    close: Option<CloseReason>,
}

impl States {
    /// Both machines idle.
    pub(super) fn new() -> Self {
        Self {
            client: State::Idle,
            server: State::Idle,
            proposal: Proposal::Nothing,
            close: None,
        }
    }

    /// Moves the machine of this role. Returns `false` and changes nothing if the step is not allowed now.
    #[must_use]
    pub(super) fn step(&mut self, role: Role, step: Step) -> bool {
        let Some(after) = next(role, self.of(role), step) else {
            return false;
        };
        match step {
            Step::Request => match (role, next(Role::Server, self.server, step)) {
                (Role::Client, Some(server)) => self.server = server,
                _ => return false,
            },
            Step::Response => self.proposal = Proposal::Nothing,
            Step::Close => self.forbid_reuse(CloseReason::PeerClosed),
            Step::Interim | Step::Switch | Step::End => {}
        }
        self.set(role, after);
        self.settle();
        true
    }

    /// Whether this step is allowed now.
    pub(super) fn allows(&self, role: Role, step: Step) -> bool {
        next(role, self.of(role), step).is_some()
    }

    /// The machine of this role broke the protocol, or its bytes ended too early.
    pub(super) fn fail(&mut self, role: Role, reason: CloseReason) {
        self.set(role, State::Failed);
        self.forbid_reuse(reason);
    }

    /// Notes what the request proposes.
    pub(super) fn propose(&mut self, proposal: Proposal) {
        self.proposal = proposal;
        self.settle();
    }

    /// Notes why the connection ends with this exchange. The first reason is kept.
    pub(super) fn forbid_reuse(&mut self, reason: CloseReason) {
        self.close.get_or_insert(reason);
        self.settle();
    }

    /// The state of this role's machine.
    pub(super) fn of(&self, role: Role) -> State {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// What the request proposes, unless the server has declined it.
    pub(super) fn proposal(&self) -> Proposal {
        self.proposal
    }

    /// Why the connection ends with this exchange.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.close
    }

    fn set(&mut self, role: Role, state: State) {
        match role {
            Role::Client => self.client = state,
            Role::Server => self.server = state,
        }
    }

    fn settle(&mut self) {
        loop {
            let before = (self.client, self.server);
            self.client = match (self.client, self.proposal, self.close) {
                (State::Done, Proposal::Upgrade | Proposal::Tunnel, _) => State::MightSwitch,
                (State::MightSwitch, Proposal::Nothing, _) => State::Done,
                (State::Done, Proposal::Nothing, Some(_)) => State::MustClose,
                (state, ..) => state,
            };
            if self.server == State::Done && self.close.is_some() {
                self.server = State::MustClose;
            }
            for &(client, server, role, state) in COUPLINGS {
                if (self.client, self.server) == (client, server) {
                    self.set(role, state);
                }
            }
            if (self.client, self.server) == before {
                return;
            }
        }
    }
}

fn next(role: Role, state: State, step: Step) -> Option<State> {
    TRANSITIONS
        .iter()
        .find(|&&(r, from, s, _)| (r, from, s) == (role, state, step))
        .map(|&(.., to)| to)
}

#[cfg(test)]
mod tests;
