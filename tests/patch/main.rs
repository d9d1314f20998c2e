//! Patches on the in-memory network, with real folders.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

mod controls;
mod failures;
mod origin;
mod repairs;
mod sets;
#[path = "../agent/support.rs"]
mod support;
