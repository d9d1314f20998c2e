//! What callgrind counts: one thing, done a number of times within the function `counted`. Nothing outside of it is
//! counted. `benches/instructions` runs it.
//!
//! ```sh
//! instructions CASE ITERATIONS [SIZE]
//! ```

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "../open_connections.rs"]
mod open_connections;
#[allow(dead_code)]
#[path = "../other_ends.rs"]
mod other_ends;

mod many;
mod one;

/// All that callgrind counts happens in here.
#[inline(never)]
fn counted<R>(work: impl FnOnce() -> R) -> R {
    let result = work();
    std::hint::black_box(());
    result
}

fn main() {
    if other_ends::held_here() {
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments.get(place).and_then(|it| it.parse().ok());
    let iterations: usize = number(1).expect("CASE ITERATIONS [SIZE]");
    let size: usize = number(2).unwrap_or(1);
    match arguments[0].as_str() {
        "agent-get" => one::agent_get(iterations),
        "agent-fresh" => one::agent_fresh(iterations),
        "node-get" => one::node_get(iterations),
        "server-get" => one::server_get(iterations),
        "agent-idle" => many::agent_idle(iterations, size),
        "server-idle" => many::server_idle(iterations, size),
        "cancel" => many::cancel(size),
        "hosts" => many::hosts(size),
        "files" => many::files(size),
        other => panic!("no case {other}"),
    }
}
