//! Each kind of failure in each phase: the head that was received comes with it, the bytes that moved are
//! counted, and it says whether sending the same request again may help.
//!
//! | file | failures |
//! |---|---|
//! | `table` | what the tables share |
//! | `calls` | of calls: nothing was sent |
//! | `before_connection` | in the queue, in lookups and while connecting |
//! | `connecting` | of proxies and of TLS |
//! | `sending` | while the request is sent |
//! | `before_head` | while the response head is awaited |
//! | `after_head` | while the response arrives |

mod after_head;
mod before_connection;
mod before_head;
mod calls;
mod connecting;
#[path = "../../enum_variants/mod.rs"]
mod enum_variants;
mod sending;
mod table;

use enum_variants::variants;
use table::Seen;

/// Kinds that no table can have.
const UNREACHABLE: &[&str] = &[
    // A bug of ours: a debug build panics.
    "Internal",
];

/// Refusals that need an agent on a thread of its own (`a_panic_on_the_thread_of_the_agent_fails_its_requests`),
/// and errors that are not those of a request (`tests/patch`).
const ELSEWHERE: &[&str] = &["ThreadPanicked", "Patch"];

#[test]
fn every_kind_of_error_and_every_phase_is_in_a_table() {
    let mut seen = Seen::default();
    for table in [
        after_head::table,
        before_connection::table,
        before_head::table,
        calls::table,
        connecting::table,
        sending::table,
    ] {
        seen.join(table());
    }
    let kinds = include_str!("../../../src/error/kind.rs");
    let phases = include_str!("../../../src/phase.rs");
    for (name, all, seen) in [
        ("ErrorKind", variants(kinds, "ErrorKind"), seen.kinds),
        (
            "RequestRefused",
            variants(kinds, "RequestRefused"),
            seen.refusals,
        ),
        ("Phase", variants(phases, "Phase"), seen.phases),
    ] {
        assert!(all.len() > 5, "{name}: {all:?}");
        for (variant, _) in &all {
            let is_elsewhere = [UNREACHABLE, ELSEWHERE]
                .concat()
                .contains(&variant.as_str());
            assert!(
                seen.contains(variant) != is_elsewhere,
                "{name}::{variant} has no row in the tables of this module"
            );
        }
        let is_known = |it: &String| all.iter().any(|(name, _)| name == it);
        assert!(seen.iter().all(is_known), "{seen:?}");
    }
}
