//! Small pieces, one at a time: parsing, decoding, polls of idle connections, one exchange. Beside
//! the times stand the allocations of each.
//!
//! ```sh
//! cd benches/micro
//! cargo run --release          # all of it
//! cargo run --release -- idle  # what has `idle` in its name
//! ```
//!
//! What other programs do with the same work is measured in `benches/peers`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod chunked;
mod exchange;
mod head;
mod idle;
mod open_connections;
mod other_ends;

/// Counts what is allocated, which costs some nanoseconds an allocation.
#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    // The process that holds the other ends of idle connections is this program, too.
    if !other_ends::held_here() {
        // `divan::main` only tests them, unless `cargo bench` runs it.
        divan::Divan::from_args().run_benches();
    }
}
