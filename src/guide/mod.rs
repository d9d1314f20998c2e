//! The guide: how to use the library for what games do. It exists in the documentation only.
//!
//! | chapter | for |
//! |---|---|
//! | [`getting_started`] | the first request, the loop, what each call costs |
//! | [`cookbook`] | ready-made code for common tasks |
//! | [`choosing_a_budget`] | how much time a frame gives to HTTP |
//! | [`errors`] | what can fail, and what to do about each failure |
//! | [`other_engines`] | Fyrox, godot-rust, macroquad, winit, a terminal |
//! | [`migrating`] | from ehttp, from ureq on a thread, from Godot |
//!
//! The guide of `bevy_httpoll` has the recipes for Bevy and the migration from other Bevy plugins.
//!
//! Every sample runs in a test, on the in-memory network or on loopback. The lines that set up its server are hidden.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}
#[doc = include_str!("cookbook.md")]
pub mod cookbook {}
#[doc = include_str!("choosing_a_budget.md")]
pub mod choosing_a_budget {}
#[doc = include_str!("other_engines.md")]
pub mod other_engines {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("migrating.md")]
pub mod migrating {}
