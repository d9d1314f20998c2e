use super::*;
use Role::{Client, Server};
use State::{Closed, Done, Failed, Idle, MightSwitch, MustClose, SendContent};
use State::{SendResponse, Switched};

/// Runs steps and returns the joint state.
fn run(proposal: Proposal, steps: &[(Role, Step)]) -> (State, State) {
    let mut states = States::new();
    for &(role, step) in steps {
        assert!(states.step(role, step), "{role:?} {step:?} in {states:?}");
        if step == Step::Request {
            states.propose(proposal);
        }
    }
    (states.client, states.server)
}

#[test]
fn dialogues() {
    let none = Proposal::Nothing;
    let request = (Client, Step::Request);
    let sent = (Client, Step::End);
    let interim = (Server, Step::Interim);
    let response = (Server, Step::Response);
    let answered = (Server, Step::End);
    let switch = (Server, Step::Switch);
    type Case<'a> = (Proposal, &'a [(Role, Step)], (State, State));
    let cases: [Case<'_>; 17] = [
        (none, &[], (Idle, Idle)),
        (none, &[request], (SendContent, SendResponse)),
        (none, &[request, sent], (Done, SendResponse)),
        (
            none,
            &[request, interim, interim],
            (SendContent, SendResponse),
        ),
        (none, &[request, response], (SendContent, SendContent)),
        (none, &[request, response, answered], (SendContent, Done)),
        (none, &[request, response, answered, sent], (Done, Done)),
        (
            Proposal::Upgrade,
            &[request, sent],
            (MightSwitch, SendResponse),
        ),
        (
            Proposal::Upgrade,
            &[request, sent, interim],
            (MightSwitch, SendResponse),
        ),
        (
            Proposal::Upgrade,
            &[request, sent, switch],
            (Switched, Switched),
        ),
        (
            Proposal::Upgrade,
            &[request, switch],
            (SendContent, Switched),
        ),
        (
            Proposal::Upgrade,
            &[request, switch, sent],
            (Switched, Switched),
        ),
        (
            Proposal::Tunnel,
            &[request, sent, response],
            (Done, SendContent),
        ),
        (none, &[(Client, Step::Close)], (Closed, MustClose)),
        (none, &[(Server, Step::Close)], (MustClose, Closed)),
        (
            none,
            &[request, sent, (Client, Step::Close), response, answered],
            (Closed, MustClose),
        ),
        (none, &[response, answered], (Idle, Done)),
    ];
    for (proposal, steps, expected) in cases {
        assert_eq!(run(proposal, steps), expected, "{steps:?}");
    }
}

#[test]
fn steps_that_are_not_in_the_table_are_refused() {
    let all = [
        Idle,
        SendResponse,
        SendContent,
        Done,
        MustClose,
        MightSwitch,
        Switched,
        Closed,
        Failed,
    ];
    let steps = [
        Step::Request,
        Step::Interim,
        Step::Response,
        Step::Switch,
        Step::End,
        Step::Close,
    ];
    let mut allowed = 0;
    for role in [Client, Server] {
        for from in all {
            for step in steps {
                let mut states = States::new();
                states.set(role, from);
                let before = (states.client, states.server);
                let listed = TRANSITIONS
                    .iter()
                    .any(|&(r, f, s, _)| (r, f, s) == (role, from, step));
                // A request needs both machines, and only the client sends one.
                let expected = listed && !(role == Server && step == Step::Request);
                assert_eq!(
                    states.step(role, step),
                    expected,
                    "{role:?} {from:?} {step:?}"
                );
                if expected {
                    allowed += 1;
                } else {
                    assert_eq!((states.client, states.server), before);
                }
            }
        }
    }
    assert_eq!(allowed, TRANSITIONS.len() - 1);
}

#[test]
fn a_reason_to_close_turns_done_into_must_close() {
    let mut states = States::new();
    states.forbid_reuse(CloseReason::PeerAsked);
    states.forbid_reuse(CloseReason::Http10);
    assert_eq!((states.client, states.server), (Idle, Idle));
    assert!(states.step(Client, Step::Request) && states.step(Client, Step::End));
    assert_eq!((states.client, states.server), (MustClose, SendResponse));
    assert!(states.step(Server, Step::Response) && states.step(Server, Step::End));
    assert_eq!((states.client, states.server), (MustClose, MustClose));
    assert_eq!(states.close_reason(), Some(CloseReason::PeerAsked));
}

#[test]
fn a_failed_peer_leaves_us_only_to_close() {
    let mut states = States::new();
    states.fail(Client, CloseReason::ProtocolError);
    assert!(states.step(Server, Step::Response) && states.step(Server, Step::End));
    assert_eq!((states.client, states.server), (Failed, MustClose));
}
